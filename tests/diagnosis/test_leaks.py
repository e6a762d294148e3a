"""A leak so fast that the kernel ends it within minutes is still a leak; a program that never fitted is not."""

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.diagnosis.shop import shop


@pytest.mark.parametrize(
    ("shares", "cause"),
    [
        ((0.47, 0.61, 0.72, 0.84, 0.96), "memory_leak"),
        ((0.34, 0.34, 0.34, 0.34, 0.34), "oom_killed"),
        ((0.47, 0.96), "oom_killed"),
    ],
)
def test_memory_that_climbs_until_the_kernel_kills(shares: tuple[float, ...], cause: str) -> None:
    c = shop()
    c.crashed("cart", 137, "OOMKilled")
    where = {"namespace": "prod", "pod": c.pods("cart")[0]["metadata"]["name"], "container": "main"}
    c.series("memory_limit_ratio", [0.3] * 20 + [*shares], **where)
    assert diagnose(c.dump()).diagnoses[0].cause == cause
