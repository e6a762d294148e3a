"""One scrape of everything, and the counting between scrapes."""

from copilot.lab.history import History
from copilot.lab.world.flows import Flows
from copilot.lab.world.llm import InferenceServices
from copilot.lab.world.scrape.apps import AppScraper
from copilot.lab.world.scrape.base import Targets
from copilot.lab.world.scrape.cadvisor import CadvisorScraper
from copilot.lab.world.scrape.dcgm import DcgmScraper
from copilot.lab.world.scrape.istio import IstioScraper
from copilot.lab.world.scrape.kube_state import KubeStateScraper
from copilot.lab.world.scrape.node_exporter import NodeScraper
from copilot.lab.world.scrape.vllm import VllmScraper
from copilot.lab.world.site import Site
from copilot.lab.world.training import Gang
from copilot.lab.world.usage import Usage


class Scrape:
    """All exporters of one world behind one Prometheus."""

    def __init__(self, site: Site, flows: Flows, usage: Usage, services: InferenceServices, gang: Gang) -> None:
        self.history = History()
        self.history.describe("up", "gauge", "Whether the last scrape of the target succeeded.")
        self.targets = Targets(self.history)
        self.site = site
        kubelet = usage.kubelet
        self.kubelet = kubelet
        self.istio = IstioScraper(self.history, flows)
        self.cadvisor = CadvisorScraper(self.history, usage, self.targets)
        self.state = KubeStateScraper(self.history, site.store)
        self.nodes = NodeScraper(self.history, kubelet, self.targets)
        self.gpus = DcgmScraper(self.history, site.fleet, kubelet, self.targets)
        self.engines = VllmScraper(self.history, services, self.targets)
        self.apps = AppScraper(self.history, flows, gang, self.targets)

    def count(self, dt: float) -> None:
        """Count what happened in the last ``dt`` seconds."""
        self.istio.count(dt)
        self.apps.count(dt)

    def run(self) -> None:
        """Write one row of the history."""
        now = self.site.now
        watcher = [run for run in self.kubelet.pods.values() if run.workload == "monitoring/kube-state-metrics"]
        alive = self.targets.check(
            "kube-state-metrics", "kube-state-metrics:8080", any(one.ready for one in watcher), now
        )
        self.state.scrape(now, alive=alive)
        self.istio.scrape()
        self.cadvisor.scrape(now)
        self.nodes.scrape(now)
        self.gpus.scrape(now)
        self.engines.count()
        self.engines.scrape(now)
        self.apps.scrape(now)
        self.targets.finish(now)
        self.history.append(now)
