"""Strategic merge patches: computed and applied they give what was wanted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from copilot.actions.patching import apply, difference
from copilot.core.value import canonical

_names = st.sampled_from(["a", "b", "c"])
_entry = st.fixed_dictionaries({"name": _names, "value": st.text(max_size=3)})
_env = st.lists(_entry, unique_by=lambda e: e["name"], max_size=3)
_container = st.fixed_dictionaries(
    {"name": _names, "image": st.text(max_size=3), "env": _env, "args": st.lists(st.text(max_size=2), max_size=2)}
)
_spec = st.fixed_dictionaries(
    {"containers": st.lists(_container, unique_by=lambda c: c["name"], min_size=1, max_size=3)},
    optional={"nodeSelector": st.dictionaries(_names, st.text(max_size=2)), "paused": st.booleans()},
)


def _sorted(value: Any) -> Any:
    """Lists that merge by name have no order of their own."""
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in value.items()}
    if isinstance(value, list) and value and all(isinstance(e, dict) for e in value):
        return sorted((_sorted(e) for e in value), key=canonical)
    return value


@given(before=_spec, wanted=_spec)
def test_the_difference_applied_gives_what_was_wanted(before: Any, wanted: Any) -> None:
    assert _sorted(apply(before, difference(before, wanted))) == _sorted(wanted)


@given(before=_spec)
def test_there_is_no_difference_to_itself(before: Any) -> None:
    assert difference(before, before) == {}


def test_a_merge_patch_replaces_lists_and_a_strategic_one_merges_them() -> None:
    before = {
        "spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}], "taints": [{"key": "x"}]}
    }
    patch = {"spec": {"containers": [{"name": "b", "image": "2"}], "taints": [{"key": "y"}]}}
    merged = apply(before, patch, strategic=False)["spec"]
    assert merged["containers"] == [{"name": "b", "image": "2"}]
    strategic = apply(before, patch)["spec"]
    assert strategic["containers"] == [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]
    assert strategic["taints"] == [{"key": "y"}], "taints are one value"


def test_service_ports_merge_by_port_and_container_ports_by_container_port() -> None:
    service = {"ports": [{"port": 80, "targetPort": 1}, {"port": 90, "targetPort": 2}]}
    assert apply(service, {"ports": [{"port": 90, "targetPort": 3}]})["ports"][1]["targetPort"] == 3
    container = {"ports": [{"containerPort": 80, "name": "http"}]}
    assert apply(container, {"ports": [{"containerPort": 80, "name": "web"}]})["ports"] == [
        {"containerPort": 80, "name": "web"}
    ]
