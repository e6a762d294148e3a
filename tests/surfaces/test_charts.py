"""Charts in characters: labels as people say them, and no mountain out of noise."""

import pytest

from copilot.surfaces.charts import AXIS, chart, titled


def labels(values: list[float], unit: str) -> tuple[str, str]:
    rows = chart(values, unit=unit).splitlines()
    return rows[0][:AXIS].strip(), rows[-1][:AXIS].strip()


def test_labels_are_said_with_their_unit_and_without_exponents() -> None:
    assert labels([40.0, 8240.0], "ms") == ("8.24 s", "40 ms")
    assert labels([0.0004, 0.999], "ratio") == ("99.9 %", "0.04 %")
    assert labels([207.0, 210_300.0], "ms") == ("210 s", "207 ms")
    assert labels([100.0, 125_400.0], "1/s") == ("125,400", "100")


def test_a_series_that_hardly_moves_is_one_row() -> None:
    assert len(chart([493.1, 493.5, 493.2], unit="ms").splitlines()) == 1
    assert len(chart([40.0, 8240.0], unit="ms").splitlines()) == 8


@pytest.mark.parametrize(("values", "unit", "said"), [
    ([100.0, 98.0, 98.0], "", "98 to 100"),
    ([493.0, 494.0], "ms", "493 ms to 494 ms"),
    ([0.5, 0.504], "ratio", "50 % to 50.4 %"),
    ([0.99999, 1.0], "ratio", "100 %"),
    ([7.0, 7.0], "", "7"),
])  # fmt: skip
def test_one_row_says_how_far_the_series_moves(values: list[float], unit: str, said: str) -> None:
    row = chart(values * 50, unit=unit)
    assert row.rstrip("▄").strip() == said
    assert len(row) == AXIS + 60 and row.endswith("▄▄▄▄")


@pytest.mark.parametrize("values", [[1.0, 0.98], [0.93, 0.948]])
def test_a_ratio_is_flat_only_within_half_a_percentage_point(values: list[float]) -> None:
    assert len(chart(values, unit="ratio").splitlines()) == 8


def test_the_least_value_is_said_though_many_share_a_column() -> None:
    values = [100.0] * 600
    values[301] = 60.0
    assert chart(values).startswith("60 to 100 ▄")
    values[0:100] = [50.0] * 100
    values[50] = 10.0
    assert labels(values, "") == ("100", "10")


def test_no_name_stands_twice_above_a_chart() -> None:
    assert titled("latency of products", "products", "ms") == "latency of products"
    assert titled("requests of shop", "cart", "1/s") == "requests of shop cart [1/s]"
    assert titled("requests of shop", "", "1/s") == "requests of shop [1/s]"
    assert titled("latency of shop", "", "ms") == "latency of shop"
