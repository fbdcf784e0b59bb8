"""The node side, as the control plane sees it.

What it asks of a kubelet, and what a kubelet may answer. Touches nothing.
"""

from typing import Protocol

from pytest_kubelb.lab.api.objects import KubeObject


class PodFailure(Exception):  # noqa: N818 -- a state of the pod, not an error of the program
    """A pod's container does not run.

    `reason` is what kubectl shows as its state (ErrImagePull, ImagePullBackOff, CrashLoopBackOff …),
    `message` one sentence more.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class Kubelet(Protocol):
    """Runs pods on the nodes of the lab.

    `start` and `stop` are called for many pods at a time, all those of one batch in the same tick of the
    event loop, so that an implementation can gather them and do its work once for all.
    """

    async def start(self, pod: KubeObject) -> str:
        """Run a pod on the node in `spec.nodeName` and give its IP address once its container answers.

        It must come to an end by itself: when the pod is deleted meanwhile, `stop` follows once it has. It is
        called again, without a `stop` in between, when it failed or when the container of a running pod was
        reported as failed. For pods on the host network the address is not used.

        Raises:
            PodFailure: The container does not run. It is tried again, later and later, as long as the pod is
            there.

        """

    async def stop(self, pod: KubeObject) -> None:
        """Take a pod away and give its address back.

        Also called for pods that never started; must then do nothing.
        """
