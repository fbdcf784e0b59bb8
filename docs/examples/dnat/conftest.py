"""Brings the backend `dnat` to this project's benches."""

from collections.abc import Mapping


def pytest_kubelb_backends() -> Mapping[str, str]:
    """Name the class; it is imported when the backend is chosen."""
    return {"dnat": "dnat_backend:Dnat"}
