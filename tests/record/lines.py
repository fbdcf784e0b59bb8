"""Lines to write in the tests of the record."""

from __future__ import annotations

from pytest_kubelb.load.result import Latency, SocketErrors, WrkResult
from pytest_kubelb.record.lines import SessionStart
from pytest_kubelb.record.sample import Sample

POINT: dict[str, str | int] = {"backend": "ipvs", "pods": 4, "overlay": "vxlan"}
START = SessionStart(
    session="20261123T072210Z-3f9c",
    started="2026-11-23T07:22:10Z",
    facts={"kernel": "6.1.0", "roles": {"load_balancer": ["k11"]}},
    settings={"runs": {"value": 5, "origin": "the inventory"}},
)


def result(rps: float) -> WrkResult:
    return WrkResult(
        rps=rps,
        requests=round(rps),
        bytes=round(rps) * 160,
        duration_s=1.0,
        latency=Latency(83.2, 39.9, 1550.0, {"50": 78.0, "99.99": 1500.0}),
        errors=SocketErrors(0, 0, 0, 0, 0),
    )


def sample(run: int, rps: float = 40000.0, validity: str = "valid") -> Sample:
    return Sample(
        point=POINT,
        provisioning=1,
        run=run,
        validity=validity,
        reason=None if validity == "valid" else "the benchmarker lost its route",
        started="2026-11-23T07:22:13Z",
        wall_s=1.02,
        command="wrk -c80 -t1 -d1s http://192.168.0.111:8888/",
        result=None if validity == "failed" else result(rps),
    )
