"""An eviction that was made good long ago does not explain what later pods suffer from."""

import pytest

from copilot.diagnosis.cause import Certainty
from copilot.diagnosis.causes.runtime import CAUSES
from copilot.diagnosis.diagnose import diagnose
from copilot.diagnosis.facts import Facts
from tests.builders import Cluster
from tests.diagnosis.cases_pods import CASES, evicted_before_a_bad_image


@pytest.mark.parametrize(
    ("cluster", "certainty"),
    [(CASES["pod_evicted"][0], Certainty.DIRECT), (evicted_before_a_bad_image(), Certainty.HINT)],
    ids=["the replica is missing", "a later pod fails for another reason"],
)
def test_an_eviction_is_evidence_while_its_replica_is_missing(cluster: Cluster, certainty: Certainty) -> None:
    (cause,) = (one for one in CAUSES if one.name == "pod_evicted")
    assert {match.certainty for match in cause.match(Facts(cluster.dump()))} == {certainty}


def test_an_image_that_does_not_exist_is_named_beside_an_old_eviction() -> None:
    found = diagnose(evicted_before_a_bad_image().dump()).diagnoses
    assert found[0].cause == "image_not_found"
