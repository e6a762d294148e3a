"""The Nezha exam reads any system of its layout, in UTC as the files say it in words, and scores."""

import argparse
import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from copilot.errors import InvalidInput
from evals.exams.nezha import injections, read_day, take

BEGIN = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
PODS = ("gate-way-6cfdd55578-gfj6q", "pay-9cdb6588f-554sm", "pay-9cdb6588f-9x2zk")


def day(folder: Path, *, zone: str = "+0000 UTC", shift: int = 0) -> None:
    metric = folder / "metric"
    metric.mkdir(parents=True)
    inject = BEGIN + timedelta(minutes=60)
    told = {"inject_time": inject.strftime("%Y-%m-%d %H:%M:%S"), "inject_timestamp": "0", "inject_pod": PODS[1]}
    (folder / "d-fault_list.json").write_text(json.dumps({"09": [told | {"inject_type": "cpu_contention"}]}))
    for pod in PODS:
        with (metric / f"{pod}_metric.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["Time", "TimeStamp", "PodName", "CpuUsageRate(%)", "PodServerLatencyP90(s)"])
            for minute in range(90):
                at = BEGIN + timedelta(minutes=minute)
                bad = pod == PODS[1] and inject <= at < inject + timedelta(minutes=5)
                words = (at + timedelta(hours=shift)).strftime("%Y-%m-%d %H:%M:%S.123456789")
                latency = "-" if minute == 3 else 0.5 if bad else 0.01
                out.writerow([f"{words} {zone} m=+{minute}", 1, pod, 95 if bad else 5, latency])
    (metric / "dependency.csv").write_text("Source,Target,Weight\ngate-way,pay,1\ngate-way,elsewhere,1\n")
    (metric / "source_50.csv").write_text("time,timestamp,gate-way_pay\n2024-05-01 08:00:00 +0000 UTC,1,0.01\n")
    (metric / "front_service.csv").write_text(
        "Time,TimeStamp,ServiceName,SuccessRate(%),LatencyP90(s)\n2024-05-01 08:00:00 +0000 UTC,1,Other,100,0.1\n"
    )


def test_it_takes_whichever_system_is_there(tmp_path: Path) -> None:
    day(tmp_path / "deep" / "2024-05-01")
    (tmp_path / "root_cause_any.json").write_text(json.dumps({"pay": {}, "gate-way": {}}))
    report = take(argparse.Namespace(data=tmp_path), lambda *_: None)
    assert (report.n, report.figures["as_at_1"].value, report.figures["as_at_5"].value) == (1, 100.0, 100.0)
    assert report.config["not_in_answer_file"] == []


def test_pods_of_one_workload_are_one_node_and_the_entry_takes_the_users_view(tmp_path: Path) -> None:
    day(tmp_path)
    found = read_day(tmp_path)
    assert {m.node for m in found.measures} == {"gate-way", "pay"}
    assert {m.node for m in found.measures if m.name.startswith("SuccessRate")} == {"gate-way"}


def test_times_follow_the_zone_that_the_column_says(tmp_path: Path) -> None:
    day(tmp_path, zone="+0800 CST", shift=8)
    assert read_day(tmp_path).measures[0].times[0] == BEGIN.timestamp()
    assert injections(tmp_path)[0].onset == (BEGIN + timedelta(minutes=60)).timestamp()
    assert take(argparse.Namespace(data=tmp_path), lambda *_: None).figures["as_at_1"].value == 100.0


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="fault_list"):
        injections(tmp_path)
