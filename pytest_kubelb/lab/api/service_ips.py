"""ClusterIPs: which Service gets which address. Pure but for the store it reads.

What is taken is what the stored Services have, so that nothing can leak. As in a real cluster the first
address belongs to the Service `kubernetes`, and addresses that nobody asks for come from the upper band,
which leaves the lower one to those that are asked for
(https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/).
"""

from ipaddress import IPv4Address, IPv4Network

from pytest_kubelb.lab.api.object_table import ObjectTable
from pytest_kubelb.lab.api.objects import KubeObject, with_spec
from pytest_kubelb.lab.api.resources import SERVICES
from pytest_kubelb.lab.api.status import ApiError, invalid, invalid_value


class ServiceIps:
    """The allocator of one service range."""

    def __init__(self, store: ObjectTable, service_cidr: str) -> None:
        self._store = store
        self._network = IPv4Network(service_cidr)

    def allocated(self, service: KubeObject) -> KubeObject:
        """Give a copy of a new Service with its address.

        Raises:
            ApiError: 422 when the address asked for is taken, outside the range, or no address; 500 when the
            range is full.

        """
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            return service
        wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if wanted == "None":
            return with_spec(service, clusterIP="None", clusterIPs=["None"])
        taken = {other["spec"].get("clusterIP") for other in self._store.all(SERVICES)}
        address = self._checked(service, wanted, taken) if wanted else self._free(service, taken)
        return with_spec(service, clusterIP=address, clusterIPs=[address])

    def _checked(self, service: KubeObject, wanted: str, taken: set[str | None]) -> str:
        try:
            inside = IPv4Address(wanted) in self._network
        except ValueError:
            cause = invalid_value(
                "spec.clusterIPs[0]", wanted, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            )
            raise invalid(SERVICES, service["metadata"]["name"], [cause]) from None
        why = None
        if not inside:
            why = "the provided network does not match the current range"
        elif wanted in taken:
            why = "provided IP is already allocated"
        if why is not None:
            cause = invalid_value("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {why}")
            raise invalid(SERVICES, service["metadata"]["name"], [cause])
        return wanted

    def _free(self, service: KubeObject, taken: set[str | None]) -> str:
        size = self._network.num_addresses
        band = min(max(16, size // 16), 256)
        for offset in (*range(band + 1, size - 1), *range(1, min(band + 1, size - 1))):
            address = str(self._network[offset])
            if address not in taken:
                return address
        name = service["metadata"]["name"]
        raise ApiError(
            500,
            "InternalError",
            f'failed to allocate a serviceIP for "{name}": range is full ({self._network})',
        )
