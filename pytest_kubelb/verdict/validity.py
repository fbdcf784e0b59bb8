"""May the valid runs of a point speak for all of them? Touches nothing."""

from __future__ import annotations


def unspoken(point_id: str, *, runs: int, valid: int, failed: int, last_reason: str | None) -> str | None:
    """Give why a point fails of whose runs one failed, or fewer than half are valid, as a sentence; None when neither.

    `runs` are all but the warm-up runs, `failed` counts the failed ones of all.
    """
    if not failed and valid and 2 * valid >= runs:
        return None
    why = f" (the last reason: {last_reason})" if last_reason else ""
    return (
        f"{point_id}: {valid} of {runs} runs are valid{why}, and they do not speak for the "
        "others: look at the reasons in the record and measure the point again."
    )
