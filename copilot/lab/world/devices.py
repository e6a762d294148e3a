"""Devices and the processes that hold them: allocation when a pod is admitted, and what a failure does."""

from copilot.lab.world.gpus import GpuFleet
from copilot.lab.world.runtime import PodRun


def allocate(fleet: GpuFleet, run: PodRun) -> str:
    """Give a pod the devices its limits name; return the kubelet's complaint when there are too few."""
    for one in run.containers:
        limits = (one.spec.get("resources") or {}).get("limits") or {}
        for resource, count in limits.items():
            if not resource.startswith("nvidia.com/"):
                continue
            free = fleet.free(run.node, resource)
            if len(free) < int(count):
                return (
                    f"Allocate failed due to requested number of devices unavailable for {resource}. "
                    f"Requested: {count}, Available: {len(free)}, which is unexpected"
                )
            for position in free[: int(count)]:
                fleet.owner[position] = run.uid
                run.gpus.append(position)
    return ""


def strike(fleet: GpuFleet, run: PodRun, now: float) -> bool:
    """Let the state of its devices act on a pod's process; return whether that ends it.

    A contained error (XID 94) leaves the process alive and useless; an unusable device ends it.
    """
    process = run.main.process
    for position in run.gpus:
        if process is None or process.dies_at:
            return False
        number = fleet.rows[position].index
        if position in fleet.interrupted:
            process.broken = "EngineDeadError"
            run.main.say(now, f"ERROR [core.py] EngineCore encountered a fatal error on GPU {number}.")
            run.main.say(now, "torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered")
        elif not fleet.usable[position]:
            run.main.say(now, f"RuntimeError: CUDA error on device {number}: unspecified launch failure")
            return True
    return False
