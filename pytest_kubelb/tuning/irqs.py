"""Which interrupts of a NIC belong to its queues, and in which order. Pure: touches nothing.

Drivers name them as they like: `eth0-rx-1` (tg3), `eth0-TxRx-0` (igb, ixgbe), `i40e-eth0-TxRx-0`, `eth0-Tx-Rx-0` (ena),
`virtio0-input.0`, `mlx5_comp0@pci:0000:03:00.0`, `eth0-fp-0` (bnx2x), `eth0-q0-rx` (xen-netfront).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_kubelb.tuning.places import Irq, natural

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECEIVES = re.compile(
    r"(?:rx(?:[-_]?tx)?|input|comp|fp|queue|ring)[-_.]?([0-9]{1,9})|q([0-9]{1,9})-rx", re.IGNORECASE
)
_SENDS = re.compile(r"(?:tx|output)[-_.]?([0-9]{1,9})|q([0-9]{1,9})-tx", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"-([0-9]{1,9})")


def receiving(irqs: Sequence[Irq]) -> tuple[Irq, ...]:
    """Give the interrupts of the queues that receive, in the queues' order; those of links and controls are left out.

    A NIC with a single interrupt has that one.
    """
    numbered = [(number, irq) for irq in irqs if (number := _number(_RECEIVES, irq)) is not None]
    if not numbered:  # `eth0-0`, `eth0-1` (nfp, be2net and others)
        numbered = [
            (int(match[1]), irq)
            for irq in irqs
            if (match := _PLAIN_NUMBER.fullmatch(irq.action[len(irq.nic) :]))
        ]
    if not numbered and len(irqs) == 1:
        return tuple(irqs)
    return tuple(irq for _, irq in sorted(numbered, key=lambda each: (each[0], natural(each[1].action))))


def partner(irq: Irq, irqs: Sequence[Irq]) -> Irq | None:
    """Give the sending-only interrupt of the same queue number, as virtio has; None where there is none."""
    number = _number(_RECEIVES, irq)
    senders = [each for each in irqs if _number(_RECEIVES, each) is None]
    return next((each for each in senders if number is not None and _number(_SENDS, each) == number), None)


def _number(pattern: re.Pattern[str], irq: Irq) -> int | None:
    found = pattern.search(irq.action)
    return int(found[1] or found[2]) if found else None
