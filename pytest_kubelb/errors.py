"""The errors this project raises on purpose. Touches nothing.

Every message is one sentence that says what, where, the number or value, what is allowed, and what to do.
"""


class KubelbError(Exception):
    """Base of all errors whose message is meant for the user as it stands."""


class ConfigError(KubelbError):
    """Bad input: an option, ini key, environment variable, marker or inventory. Raised before anything is touched."""


class TestbedError(KubelbError):
    """A host, the cluster or the lab could not be brought to, or kept in, the state a point needs."""

    __test__ = False  # the name begins with Test: pytest must not collect it


class WrkOutputError(KubelbError):
    """What wrk printed cannot be read as a result."""
