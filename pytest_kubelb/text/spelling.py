"""How figures are spelled for people, the same wherever they are shown. Touches nothing."""

from __future__ import annotations


def rate(value: float | None) -> str:
    """Give requests/s with as many digits as matter: `39,041`, `41.5`, `1.2e+12`, and `-` for None."""
    if value is None:
        return "-"
    if value >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}"
