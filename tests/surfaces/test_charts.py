"""Charts in characters: labels as people say them, and no mountain out of noise."""

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


def test_no_name_stands_twice_above_a_chart() -> None:
    assert titled("latency of products", "products", "ms") == "latency of products"
    assert titled("requests of shop", "cart", "1/s") == "requests of shop cart [1/s]"
