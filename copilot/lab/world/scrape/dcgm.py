"""DCGM exporter: every GPU with the pod that holds it."""

import numpy as np
from numpy.typing import NDArray

from copilot.lab.history import History
from copilot.lab.world.gpus import GpuFleet
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.scrape.base import Floats, Targets, declare

_GAUGES = {
    "DCGM_FI_DEV_SM_CLOCK": "SM clock frequency (in MHz).",
    "DCGM_FI_DEV_GPU_TEMP": "GPU temperature (in C).",
    "DCGM_FI_DEV_MEMORY_TEMP": "Memory temperature (in C).",
    "DCGM_FI_DEV_POWER_USAGE": "Power draw (in W).",
    "DCGM_FI_DEV_GPU_UTIL": "GPU utilization (in %).",
    "DCGM_FI_DEV_FB_USED": "Framebuffer memory used (in MiB).",
    "DCGM_FI_DEV_FB_FREE": "Framebuffer memory free (in MiB).",
    "DCGM_FI_DEV_XID_ERRORS": "Value of the last XID error encountered.",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": "Whether remapping of rows has failed.",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": "Ratio of time the graphics engine is active.",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": "Ratio of cycles the tensor (HMMA) pipe is active.",
    "DCGM_FI_PROF_DRAM_ACTIVE": "Ratio of cycles the device memory interface is active.",
}
_COUNTERS = {
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "Total energy consumption since boot (in mJ).",
    "DCGM_FI_DEV_THERMAL_VIOLATION": "Throttling duration due to thermal constraints (in ns).",
    "DCGM_FI_DEV_POWER_VIOLATION": "Throttling duration due to power constraints (in ns).",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": "Total number of double-bit volatile ECC errors.",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": "Total number of single-bit volatile ECC errors.",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": "Number of remapped rows for uncorrectable errors.",
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL": "Total number of NVLink flow-control CRC errors.",
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": "Total number of NVLink bandwidth counters for all lanes.",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": "Total number of PCIe retries.",
}
_STAYS = "DCGM_FI_DEV_XID_ERRORS"


class DcgmScraper:
    """All fields of all devices; a device off the bus keeps only its last XID."""

    def __init__(self, history: History, fleet: GpuFleet, kubelet: Kubelet, targets: Targets) -> None:
        self.history = history
        self.fleet = fleet
        self.kubelet = kubelet
        self.targets = targets
        declare(history, {name: ("gauge", text) for name, text in _GAUGES.items()})
        declare(history, {name: ("counter", text) for name, text in _COUNTERS.items()})
        self._names = (*_GAUGES, *_COUNTERS)
        self._owners: list[str] = []
        self._ids: NDArray[np.int64] = np.zeros((len(fleet.rows), len(self._names)), np.int64)

    def scrape(self, now: float) -> None:
        """Expose all devices on nodes whose exporter answers."""
        if self._owners != self.fleet.owner:
            self._sync()
        exporters = {
            run.node: run for run in self.kubelet.pods.values() if run.workload == "gpu-operator/dcgm-exporter"
        }
        up = {}
        for name in self.fleet.of_node:
            run = exporters.get(name)
            node = self.kubelet.site.nodes.get(name)
            alive = run is not None and run.ready and node is not None and node.kubelet_up
            up[name] = node is not None and self.targets.check("dcgm-exporter", f"{node.address}:9400", alive, now)
        reached = np.array([up[one.node] for one in self.fleet.rows], dtype=bool)
        values = self._values()
        shown = np.repeat((reached & self.fleet.present)[:, None], len(self._names), axis=1)
        shown[:, self._names.index(_STAYS)] = reached
        self.history.current[self._ids] = np.where(shown, values, np.nan)

    def _values(self) -> Floats:
        fleet = self.fleet
        rng = fleet.rng
        tensor = fleet.busy * fleet.tensor_share * (1 + 0.03 * rng.standard_normal(fleet.busy.size))
        hot = fleet.temperature + 9.0
        columns = (
            np.round(fleet.clock / 15.0) * 15.0,
            np.round(fleet.temperature),
            np.round(hot),
            np.round(fleet.power, 3),
            np.round(100 * fleet.busy),
            np.round(fleet.memory_used),
            np.round(fleet.memory - fleet.memory_used),
            fleet.xid,
            fleet.remap_failure,
            fleet.busy,
            np.clip(tensor, 0, 1),
            np.clip(fleet.busy * 0.42, 0, 1),
            np.floor(fleet.energy),
            np.floor(fleet.thermal_violation),
            np.floor(fleet.power_violation),
            fleet.dbe,
            np.floor(fleet.sbe),
            fleet.remapped_rows,
            np.floor(fleet.nvlink_crc),
            np.floor(fleet.nvlink_bytes),
            np.floor(fleet.pcie_replay),
        )
        return np.column_stack(columns)

    def _sync(self) -> None:
        known = len(self._owners)
        grown = np.zeros((len(self.fleet.owner), len(self._names)), np.int64)
        grown[:known] = self._ids[:known]
        self._ids = grown
        for position, owner in enumerate(self.fleet.owner):
            if position < known:
                if self._owners[position] == owner:
                    continue
                self.history.retire(self._ids[position])
            labels = self._labels(position)
            self._ids[position] = [self.history.register(name, labels) for name in self._names]
        self._owners = list(self.fleet.owner)

    def _labels(self, position: int) -> dict[str, str]:
        one = self.fleet.rows[position]
        node = self.kubelet.site.nodes.get(one.node)
        labels = {
            "gpu": str(one.index),
            "UUID": one.uuid,
            "pci_bus_id": f"00000000:{0x10 + one.index * 0x0B:02X}:00.0",
            "device": f"nvidia{one.index}",
            "modelName": one.kind.product,
            "Hostname": one.node,
            "DCGM_FI_DRIVER_VERSION": "580.95.05",
            "job": "dcgm-exporter",
            "instance": f"{node.address}:9400" if node else "",
        }
        if one.profile:
            labels |= {"GPU_I_PROFILE": one.profile, "GPU_I_ID": str(one.instance)}
        run = self.kubelet.pods.get(self.fleet.owner[position])
        if run is not None:
            labels |= {"namespace": run.namespace, "pod": run.name, "container": run.main.name}
        return labels
