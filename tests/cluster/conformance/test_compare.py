"""The comparison itself: it finds what differs, masks only what must be masked, and needs every row of its table."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.conformance import document, recording, tour
from tests.cluster.conformance.compare import Difference, compare, differences
from tests.cluster.conformance.exchange import chapters, exchanges, merge
from tests.cluster.conformance.mask import Mask
from tests.cluster.conformance.runner import Answer


def test_there_is_one_list_of_at_least_150_exchanges_with_names_of_their_own() -> None:
    names = [exchange.id for exchange in exchanges()]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_every_exchange_is_recorded() -> None:
    recorded = [name for chapter in chapters() for name in recording.read(chapter)]
    assert recorded == [exchange.id for exchange in exchanges()]


def test_every_command_of_the_tour_is_recorded() -> None:
    assert [each["command"] for each in tour.read()] == [command.id for command in tour.commands()]


def test_the_page_is_the_one_generated_from_the_data() -> None:
    assert document.PAGE.read_text() == document.page(), "run: python -m tests.cluster.conformance.document"


def test_every_difference_says_where_and_why() -> None:
    titles = [each.title for each in differences()]
    assert len(set(titles)) == len(titles)
    assert all(each.reason and each.exchange and each.path for each in differences())


@pytest.mark.parametrize(
    ("real", "lab", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({}, {"b": [1]}, ["b"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a[1]"]),
        ({"a": [{"b": 1}, {"c": 2}]}, {"a": [{"b": 1}, {"c": 3}]}, ["a[1].c"]),
    ],
)
def test_a_mismatch_is_found_where_it_is(real: Any, lab: Any, paths: list[str]) -> None:
    assert [each.path for each in compare("x/y", real, lab, meant=[])[0]] == paths


def test_a_difference_covers_only_its_own_field() -> None:
    meant = [Difference("short", "because", "x/*", "body.message")]
    left, needed = compare(
        "x/y", {"body": {"message": "a", "code": 1}}, {"body": {"message": "b", "code": 2}}, meant=meant
    )
    assert [each.path for each in left] == ["body.code"]
    assert needed == {"short"}
    assert compare("z/y", {"body": {"message": "a"}}, {"body": {"message": "b"}}, meant=meant)[0]


def test_a_subset_may_lack_entries_but_not_invent_or_change_them() -> None:
    meant = [Difference("fewer", "because", "*", "items", subset="name")]
    real = {"items": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]}
    assert compare("x", real, {"items": [{"name": "b", "v": 2}]}, meant=meant) == ([], {"fewer"})
    assert compare("x", real, {"items": [{"name": "b", "v": 3}]}, meant=meant)[0]
    assert compare("x", real, {"items": [{"name": "c", "v": 1}]}, meant=meant)[0]
    assert compare("x", real, real, meant=meant) == ([], set())


def test_identities_become_ordinals_that_keep_their_meaning() -> None:
    mask = Mask()
    first = mask.answer(_answer({"metadata": {"uid": "u", "resourceVersion": "7", "managedFields": []}}))
    again = mask.answer(_answer({"metadata": {"uid": "u", "resourceVersion": "9"}}))
    assert first["body"] == {"metadata": {"uid": "<uid 1>", "resourceVersion": "<resourceVersion 1>"}}
    assert again["body"] == {"metadata": {"uid": "<uid 1>", "resourceVersion": "<resourceVersion 2>"}}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("2026-03-02T10:00:00Z", "<time>"),
        ("2026-03-02T10:00:00.000001Z", "<time in microseconds>"),
        ("2026-03-02 10:00", "2026-03-02 10:00"),
        ("too old resource version: 1 (12)", "too old resource version: <n>"),
        ('User "system:anonymous" cannot', 'User "<user>" cannot'),
        ("replicas 3", "replicas 3"),
    ],
)
def test_only_what_two_servers_cannot_share_is_masked(text: str, masked: str) -> None:
    assert Mask().answer(_answer({"text": text}))["body"]["text"] == masked


def test_ages_in_tables_are_masked_and_other_cells_are_not() -> None:
    columns = [{"name": "Name"}, {"name": "Age"}]
    table = {"metadata": {"resourceVersion": "5"}, "columnDefinitions": columns, "rows": [{"cells": ["5s", "5s"]}]}
    masked = Mask().answer(_answer(table))["body"]
    assert masked["rows"] == [{"cells": ["5s", "<age>"]}]
    assert masked["metadata"] == {"resourceVersion": "<list>"}


def test_manifests_change_as_a_merge_patch_says() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}, "d": [2]}) == {
        "a": {"c": 2, "e": 3},
        "d": [2],
    }


def _answer(body: Any) -> Answer:
    return Answer(200, "application/json", body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAME   AGE\nweb    263d   \n", "NAME  AGE\nweb  <age>\n"),
        ("b   7 (263d ago)   2m5s", "b  7 (<age> ago)  <age>"),
        ("cpu: 100m, timeout=1s", "cpu: 100m, timeout=1s"),
        (
            '  uid: ca5ac8d1-67be-4a25-ac14-afd697049ed3\n  resourceVersion: "12"',
            "  uid: <masked>\n  resourceVersion: <masked>",
        ),
        ("Start Time:  Mon, 02 Mar 2026 10:00:00 +0000", "Start Time:  <time>"),
    ],
)
def test_only_ages_times_and_identities_are_masked_in_what_kubectl_prints(text: str, expected: str) -> None:
    assert tour.masked(text) == expected
