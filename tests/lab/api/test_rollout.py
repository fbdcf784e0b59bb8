"""The arithmetic of a roll-out never leaves too few pods and always comes to an end."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_kubelb.lab.api.controllers.rollout import Progress, max_surge, max_unavailable, next_replicas
from pytest_kubelb.lab.api.objects import KubeObject

amounts = st.one_of(st.integers(0, 5), st.integers(0, 100).map(lambda n: f"{n}%"))


def a_deployment(replicas: int, surge: int | str, unavailable: int | str) -> KubeObject:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}}


@given(st.integers(0, 40), st.integers(0, 40), amounts, amounts)
def test_a_rollout_ends_and_keeps_enough_pods_available(
    replicas: int, before: int, surge: int | str, gone: int | str
) -> None:
    deployment = a_deployment(replicas, surge, gone)
    new, old = Progress(0, 0, 0), Progress(before, before, before)
    for _ in range(200):
        wanted, (old_wanted,) = next_replicas(deployment, new, [old])
        assert wanted <= replicas or wanted == new.wanted
        assert wanted + old_wanted >= min(replicas, new.wanted + old.wanted) - max_unavailable(deployment)
        assert wanted + old_wanted <= max(replicas + max_surge(deployment), new.wanted + old.wanted)
        new, old = Progress(wanted, wanted, wanted), Progress(old_wanted, old_wanted, old_wanted)
    assert (new.wanted, old.wanted) == (replicas, 0)


def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    deployment: KubeObject = {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}
    assert next_replicas(deployment, Progress(0, 0, 0), [Progress(3, 3, 3)]) == (0, [0])
    assert next_replicas(deployment, Progress(0, 0, 0), [Progress(0, 1, 0)]) == (0, [0])
    assert next_replicas(deployment, Progress(0, 0, 0), [Progress(0, 0, 0)]) == (3, [0])
