"""One seeded design: names, images, workloads, machines and devices, before anything runs."""

import random
import uuid
from dataclasses import dataclass, replace

from copilot.lab.world.assistant import MIG_PROFILE, assistant, research
from copilot.lab.world.blueprint import Workload, publish
from copilot.lab.world.gpus import A100, H100, L40S, Gpu, GpuKind
from copilot.lab.world.images import GIB, App, Image, ImageCatalog
from copilot.lab.world.names import Names
from copilot.lab.world.nodes import Node, Port
from copilot.lab.world.shop import shop
from copilot.lab.world.system import system_images

_SIZES = {"vllm": 8.5 * GIB, "trainer": 11 * GIB}


@dataclass(frozen=True, slots=True)
class Pool:
    """One group of equal machines; a world has ``count`` of them and up to ``extra`` more."""

    name: str
    count: int
    instance_type: str
    cpu: float
    memory: float
    gpu: GpuKind | None = None
    extra: int = 0


POOLS = (
    Pool("general", 4, "m6i.4xlarge", 16.0, 64 * GIB, extra=1),
    Pool("data", 2, "r6i.2xlarge", 8.0, 64 * GIB),
    Pool("training", 3, "p5.48xlarge", 192.0, 2048 * GIB, H100, extra=1),
    Pool("inference", 2, "g6e.48xlarge", 192.0, 1536 * GIB, L40S, extra=1),
    Pool("mig", 1, "p4de.24xlarge", 96.0, 1152 * GIB, A100),
)


@dataclass(frozen=True)
class Design:
    """Everything fixed at the start of a world."""

    seed: int
    names: Names
    catalog: ImageCatalog
    workloads: dict[str, Workload]
    nodes: list[Node]
    gpus: tuple[Gpu, ...]

    def role(self, role: str) -> Workload:
        """Return the workload that plays a role of ``names``."""
        name = self.names[role]
        return next(one for one in self.workloads.values() if one.name == name)


def draw(seed: int) -> Design:
    """Draw the design of a world from its seed."""
    rng = random.Random(seed)
    names = Names(rng)
    catalog = ImageCatalog()
    workloads = {
        one.key: _with_needs(one) for one in (*shop(names, rng), *assistant(names, rng), *research(names, rng))
    }
    for one in workloads.values():
        publish(catalog, one.releases, one.app, size=_SIZES.get(one.app.role, rng.uniform(90, 480) * 2**20))
    nightly = App("batch", (), (), 1.0, 0.0, 0.0, 1.6, 1, 0.8 * GIB, 0.0, run_for=1500.0)
    catalog.add(Image(f"{names.registry}/{names.shop}/{names['nightly']}:2.0.1", nightly))
    for image in system_images():
        catalog.add(image)
    nodes = [node for number, pool in enumerate(POOLS) for node in _machines(pool, number, names, rng)]
    return Design(seed, names, catalog, workloads, nodes, tuple(devices(nodes, rng)))


def _with_needs(workload: Workload) -> Workload:
    """An app exits at once without the addresses it was configured to call."""
    needs = tuple(call.env for call in workload.calls) + workload.app.requires
    return replace(workload, app=replace(workload.app, requires=needs))


def _machines(pool: Pool, number: int, names: Names, rng: random.Random) -> list[Node]:
    count = pool.count + rng.randint(0, pool.extra)
    return [machine(pool, 20 + number * 10 + i, names, rng) for i in range(count)]


def machine(pool: Pool, octet: int, names: Names, rng: random.Random) -> Node:
    """Draw one machine of a pool; ``octet`` makes its pod network unique."""
    address = f"10.0.{rng.randint(1, 250)}.{octet}"
    region = names.region
    gpus = pool.gpu is not None
    return Node(
        name=f"ip-{address.replace('.', '-')}.{region}.compute.internal",
        pool=pool.name,
        cpu=pool.cpu,
        memory=pool.memory,
        address=address,
        zone=f"{region}{rng.choice('abc')}",
        instance_type=pool.instance_type,
        group=f"{names.shop}-{pool.name}",
        gpu_kind=pool.gpu,
        gpu_count=8 if gpus else 0,
        mig=MIG_PROFILE if pool.name == "mig" else "",
        disk=(1800 if gpus else 200) * GIB,
        disk_used=(420 if gpus else rng.uniform(38, 60)) * GIB,
        ports=[Port(f"mlx5_{i}") for i in range(4)] if gpus else [],
        octet=octet,
    )


def devices(nodes: list[Node], rng: random.Random) -> list[Gpu]:
    """Draw the GPUs of machines: eight each; on a MIG node the first two are cut into seven slices."""
    rows: list[Gpu] = []
    for node in nodes:
        for index in range(node.gpu_count):
            identity = f"GPU-{uuid.UUID(int=rng.getrandbits(128), version=4)}"
            assert node.gpu_kind is not None
            if node.mig and index < 2:
                rows += [Gpu(node.name, index, identity, node.gpu_kind, node.mig, i + 7, 1 / 8) for i in range(7)]
            else:
                rows.append(Gpu(node.name, index, identity, node.gpu_kind))
    return rows
