"""Settings that tests of commands do not reach."""

import json
import os
import pwd
from pathlib import Path

import pytest

from copilot.config import load, user_name
from copilot.errors import ConfigError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: no settings anywhere."""
    for name in [n for n in os.environ if n.startswith(("INFRA_COPILOT_", "KUBE"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "infra-copilot" / "lab").mkdir(parents=True)
    return tmp_path


def test_precedence_is_as_the_table_says(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().prometheus is None, "6: the default"
    (places / ".kube").mkdir()
    (places / ".kube" / "config").touch()
    assert load().kubeconfig == places / ".kube" / "config", "5: the usual places"
    (places / "infra-copilot" / "config.toml").write_text('prometheus = "http://file"\nkubeconfig = "/file"\n')
    assert (load().prometheus, load().kubeconfig) == ("http://file", Path("/file")), "4: the file"
    monkeypatch.setenv("INFRA_COPILOT_PROMETHEUS", "http://variable")
    assert load().prometheus == "http://variable", "3: the variable"
    announced = {"prometheus": "http://lab", "kubeconfig": "/lab"}
    (places / "infra-copilot" / "lab" / "endpoints.json").write_text(json.dumps(announced))
    lab = load(environment="lab")
    assert (lab.prometheus, lab.kubeconfig) == ("http://lab", Path("/lab")), "2: the lab, in its environment"
    assert load().prometheus == "http://variable", "and in no other"
    assert load(environment="lab", prometheus="http://flag").prometheus == "http://flag", "1: the flag"


def test_without_a_lab_the_lab_is_nowhere_and_never_another_cluster(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / ".kube").mkdir()
    (places / ".kube" / "config").touch()
    for name in ("EXECUTOR_CONTEXT", "EXECUTOR_TOKEN_FILE", "PROMETHEUS", "PROMETHEUS_TOKEN_FILE", "AWS_REGION"):
        monkeypatch.setenv(f"INFRA_COPILOT_{name}", "/production")
    lab = load(environment="lab")
    assert (lab.kubeconfig, lab.prometheus, lab.prometheus_token_file, lab.aws_region) == (None, None, None, None)
    assert load().can_write and not lab.can_write
    assert load(environment="lab", kubeconfig="/named").kubeconfig == Path("/named")


def test_a_lab_within_this_process_gets_no_credential_of_another_cluster(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from copilot.lab.server import Addresses

    for name in ("EXECUTOR_TOKEN_FILE", "PROMETHEUS_TOKEN_FILE", "NAMESPACE"):
        monkeypatch.setenv(f"INFRA_COPILOT_{name}", "production")
    where = Addresses("https://k", "http://p", "http://c", places / "kubeconfig", places / "terraform" / "main.tf")
    found = load(environment="lab", state_home=places, **where.settings())
    assert (found.executor_token_file, found.prometheus_token_file, found.namespace) == (None, None, "")
    assert (found.prometheus, found.executor_context, found.can_write) == ("http://p", "executor", True)


def test_a_person_is_who_owns_the_process_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = pwd.getpwuid(os.getuid()).pw_name
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert user_name() == owner
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert user_name() != "ann", "only root was started by sudo"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"environment = ", "not valid TOML"),
        (b"\xf4\x00\xff", "not valid TOML"),
        (b'promethus = "x"', "'promethus' cannot be used: there is no such setting"),
        (b'environment = "../x"', "cannot be used: must be letters"),
        (b'timezone = "Mars/Phobos"', "'Mars/Phobos' is no time zone"),
        (b"gpu_prices = {gpu = -1}", "'gpu_prices.gpu' cannot be used: Input should be greater"),
        (b"gpu_prices = {gpu = 1e9}", "'gpu_prices.gpu' cannot be used: Input should be less"),
        (b"gpu_prices = {gpu = nan}", "'gpu_prices.gpu' cannot be used"),
        (b"gpu_prices = {gpu = inf}", "'gpu_prices.gpu' cannot be used"),
        (b"carbon_intensity = -1", "'carbon_intensity' cannot be used"),
    ],
)
def test_a_wrong_settings_file_is_said_in_plain_words(
    text: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    monkeypatch.setenv("INFRA_COPILOT_CONFIG", str(file))
    with pytest.raises(ConfigError, match=said):
        load()


def test_a_wrong_key_of_a_table_names_the_variable_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRA_COPILOT_GPU_PRICES", '{"gpu/H100": -1}')
    with pytest.raises(ConfigError, match=r"'gpu_prices\.gpu/H100'") as caught:
        load()
    assert "INFRA_COPILOT_GPU_PRICES or" in caught.value.hint


def test_an_empty_name_of_a_settings_file_names_none(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRA_COPILOT_CONFIG", "")
    assert load().environment == "default"


def test_a_settings_file_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRA_COPILOT_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        load()


def test_a_kubeconfig_that_was_named_is_never_replaced_by_another_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert load().kubeconfig == tmp_path / ".kube" / "config"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/typo:{tmp_path}/other")
    assert load().kubeconfig == tmp_path / "typo"
