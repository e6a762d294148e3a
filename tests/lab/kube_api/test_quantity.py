"""Quantities: exact reading, canonical writing."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.lab.kube_api.quantity import Quantity, amount, parse, pod_requests


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("100m", "100m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("2000", "2k"),
        ("0", "0"),
        ("-1", "-1"),
        ("1e3", "1k"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "lots", "1.5.2", "1 Gi", "Gi", "1mi"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        parse(text)


@given(st.integers(min_value=-(10**15), max_value=10**15), st.sampled_from([1, 1000]), st.booleans())
def test_written_and_read_again_is_the_same(number: int, divisor: int, binary: bool) -> None:
    value = Fraction(number, divisor)
    assert amount(str(Quantity(value, binary))) == value


def test_init_containers_count_by_their_peak_and_sidecars_always() -> None:
    def container(name: str, cpu: str, **more: str) -> dict[str, object]:
        return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("a", "1"), container("b", "500m")],
        "initContainers": [container("side", "250m", restartPolicy="Always"), container("big", "4")],
    }
    assert pod_requests(spec) == {"cpu": Fraction(17, 4)}
