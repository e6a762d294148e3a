"""What a node costs an hour: data with its sources, and the reader's own prices before any of it.

List prices age; each entry says where and when it was read. Whoever knows their contract passes overrides.
"""

from collections.abc import Mapping

from copilot.core.value import JsonObject, Value

_CAPACITY_BLOCKS = "AWS EC2 Capacity Blocks for ML pricing page, effective hourly rate, end of 2024"
_ON_DEMAND = "AWS on-demand, us-east-1, Linux, as published mid-2026"
_OPENCOST = "OpenCost default custom pricing (CPU, RAM, GPU), per hour"
OWN = "your own price"

INSTANCE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
GPU_MODEL_LABEL = "nvidia.com/gpu.product"
GPU_COUNT_LABEL = "nvidia.com/gpu.count"


class Price(Value):
    """US dollars an hour for one thing, and where that was read."""

    hourly: float
    source: str


class PriceBook(Value):
    """Prices by instance type, by GPU model (all-in, per GPU), and of bare resources when neither is known.

    ``gpus`` keys are parts of the model name that the device plug-in reports, as ``H100`` of
    ``NVIDIA-H100-80GB-HBM3``. ``cpu`` is per core, ``memory`` per GiB, ``gpu`` per GPU.
    """

    instances: dict[str, Price]
    gpus: dict[str, Price]
    cpu: Price
    memory: Price
    gpu: Price


class NodePrice(Value):
    """What a node costs an hour, and its GPUs (0 for a CPU node)."""

    hourly: float
    gpus: int
    source: str

    @property
    def per_gpu(self) -> float:
        """US dollars per GPU and hour, the whole node's price shared by its GPUs; 0 without GPUs."""
        return self.hourly / self.gpus if self.gpus else 0.0


LIST_PRICES = PriceBook(
    instances={
        "p5.48xlarge": Price(hourly=39.33, source=_CAPACITY_BLOCKS),
        "p4d.24xlarge": Price(hourly=14.75, source=_CAPACITY_BLOCKS),
        "g5.xlarge": Price(hourly=1.006, source=_ON_DEMAND),
        "m7g.large": Price(hourly=0.0816, source=_ON_DEMAND),
    },
    gpus={
        "H200": Price(hourly=5.408, source=_CAPACITY_BLOCKS),
        "H100": Price(hourly=4.916, source=_CAPACITY_BLOCKS),
        "A100": Price(hourly=1.844, source=_CAPACITY_BLOCKS),
        "A10G": Price(hourly=1.006, source=_ON_DEMAND),
    },
    cpu=Price(hourly=0.031611, source=_OPENCOST),
    memory=Price(hourly=0.004237, source=_OPENCOST),
    gpu=Price(hourly=0.95, source=_OPENCOST),
)


def with_overrides(book: PriceBook, own: Mapping[str, float]) -> PriceBook:
    """Return the book with the reader's own prices: ``{"p5.48xlarge": 31.5, "gpu/H100": 2.5, "cpu": 0.02}``.

    A plain name is an instance type, ``gpu/MODEL`` a GPU model, ``cpu``, ``memory`` and ``gpu`` the bare resources.
    """
    changes: dict[str, object] = {}
    instances, gpus = dict(book.instances), dict(book.gpus)
    for name, hourly in own.items():
        price = Price(hourly=hourly, source=OWN)
        if name in ("cpu", "memory", "gpu"):
            changes[name] = price
        elif name.startswith("gpu/"):
            gpus[name.removeprefix("gpu/")] = price
        else:
            instances[name] = price
    return book.model_copy(update={**changes, "instances": instances, "gpus": gpus})


def node_price(node: JsonObject, book: PriceBook = LIST_PRICES) -> NodePrice:
    """Return the price of a raw Node object: by instance type, else by GPU model, else by its resources."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    capacity = (node.get("status") or {}).get("capacity") or {}
    # A node split by MIG has no whole GPU to give; its label still counts the cards.
    gpus = _count(capacity.get("nvidia.com/gpu")) or _count(labels.get(GPU_COUNT_LABEL))
    for label in INSTANCE_LABELS:
        known = book.instances.get(str(labels.get(label, "")))
        if known:
            return NodePrice(hourly=known.hourly, gpus=gpus, source=known.source)
    model = gpu_price(str(labels.get(GPU_MODEL_LABEL, "")), book) if gpus else None
    if model:
        return NodePrice(hourly=model.hourly * gpus, gpus=gpus, source=model.source)
    hourly = (
        _cores(capacity.get("cpu")) * book.cpu.hourly
        + _gibibytes(capacity.get("memory")) * book.memory.hourly
        + gpus * book.gpu.hourly
    )
    return NodePrice(hourly=hourly, gpus=gpus, source=book.cpu.source)


def price_per_gpu(node: JsonObject | None, model: str, book: PriceBook = LIST_PRICES) -> Price:
    """Return what one GPU costs an hour: its share of the node's price, else (the node is gone) its model's price."""
    known = node_price(node, book) if node is not None else None
    if known is not None and known.gpus:
        return Price(hourly=known.per_gpu, source=known.source)
    return gpu_price(model, book) or book.gpu


def gpu_price(model: str, book: PriceBook = LIST_PRICES) -> Price | None:
    """Return the all-in price of a GPU model, by the longest known name inside it; None when none is."""
    known = [name for name in book.gpus if name.lower() in model.lower()]
    return book.gpus[max(known, key=len)] if known else None


def _count(quantity: object) -> int:
    text = str(quantity or "0")
    return int(text) if text.isdigit() else 0


def _cores(quantity: object) -> float:
    text = str(quantity or "0")
    return _number(text.removesuffix("m")) / 1000 if text.endswith("m") else _number(text)


def _gibibytes(quantity: object) -> float:
    text = str(quantity or "0")
    for suffix, size in (("Ki", 2**-20), ("Mi", 2**-10), ("Gi", 1.0), ("Ti", 1024.0)):
        if text.endswith(suffix):
            return _number(text.removesuffix(suffix)) * size
    return _number(text) / 2**30


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
