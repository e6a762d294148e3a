"""Strategic merge: keys, directives, order."""

import pytest

from copilot.lab.kube_api.status import ApiError
from copilot.lab.kube_api.strategic import strategic_merge


def test_items_are_merged_by_their_key() -> None:
    old = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    patch = {"containers": [{"name": "b", "image": "2"}]}
    assert strategic_merge(old, patch) == {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"containers": [{"name": "a", "$patch": "delete"}]}, ["b"]),
        ({"containers": [{"$patch": "replace"}, {"name": "c"}]}, ["c"]),
        ({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, ["b", "a"]),
        ({"containers": [{"name": "c"}]}, ["c", "a", "b"]),
        ({"containers": [{"name": "c"}], "$setElementOrder/containers": [{"name": n} for n in "abc"]}, ["a", "b", "c"]),
    ],
)
def test_directives(patch: dict[str, object], expected: list[str]) -> None:
    old = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert [item["name"] for item in strategic_merge(old, patch)["containers"]] == expected


def test_lists_without_a_key_are_replaced() -> None:
    assert strategic_merge({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == {
        "tolerations": [{"key": "b"}]
    }


def test_null_removes_and_retain_keys_clears_the_others() -> None:
    assert strategic_merge({"a": 1, "b": 2}, {"a": None}) == {"b": 2}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge({"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}, patch) == {
        "strategy": {"type": "Recreate"}
    }


def test_an_item_without_its_key_is_an_error() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic_merge({"containers": [{"name": "a"}]}, {"containers": [{"image": "x"}]})
