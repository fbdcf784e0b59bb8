"""The errors this project raises on purpose. Touches nothing.

Every message is one sentence that says what, where, the number or value, what is allowed, and what to do. It may quote
what a host, a file or the cluster said: as text it is printable, of bounded length, and without what looks like a
secret, whatever that was.
"""

from pytest_kubelb.text.printable import LONGEST_SENTENCE, printable, shortened


class KubelbError(Exception):
    """Base of all errors whose message is meant for the user as it stands."""

    def __str__(self) -> str:
        from pytest_kubelb.text.redaction import redacted  # not at every start of pytest

        return shortened(printable(redacted(super().__str__())), LONGEST_SENTENCE)


class ConfigError(KubelbError):
    """Bad input: an option, ini key, environment variable, marker or inventory. Raised before anything is touched."""


class TestbedError(KubelbError):
    """A host, the cluster or the lab could not be brought to, or kept in, the state a point needs."""

    __test__ = False  # the name begins with Test: pytest must not collect it


class WrkOutputError(KubelbError):
    """What wrk printed cannot be read as a result."""
