"""Every setting, where it comes from, and the only place that reads the environment.

Precedence, highest first: command-line flag, what ``lab up`` announced (in the environment ``lab`` alone), variable
``INFRA_COPILOT_*``, the TOML file, the usual places (``KUBECONFIG``, ``~/.kube/config``, in-cluster service account),
the default written here.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from copilot.errors import ConfigError

PREFIX = "INFRA_COPILOT_"
LAB = "lab"
"""The environment that ``lab up`` fills and that needs no further settings."""
_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: str = "default"
    """Name of the environment; each has its own state directory."""
    state_home: Path = Field(default_factory=lambda: state_home())
    """Where state directories live; ``$XDG_STATE_HOME/infra-copilot``."""

    kubeconfig: Path | None = None
    """Kubeconfig of the reader; ``KUBECONFIG`` or ``~/.kube/config`` when absent, in-cluster when there is neither."""
    context: str | None = None
    """Context of the reader; the current one when absent."""
    executor_kubeconfig: Path | None = None
    """Kubeconfig of the executor; the reader's file when only ``executor_context`` is given."""
    executor_context: str | None = None
    """Context of the executor. With neither executor setting, nothing can be written."""
    executor_token_file: Path | None = None
    """Token of the executor's service account, for in-cluster use; re-read when it rotates."""
    namespace: str = ""
    """Look at this namespace alone; all when empty."""

    prometheus: str | None = None
    """Base URL of a Prometheus API (also Thanos, Mimir, VictoriaMetrics)."""
    prometheus_token_file: Path | None = None
    """File with a bearer token for the metrics source."""

    gpu_prices: dict[str, Annotated[float, Field(ge=0, le=10_000)]] = {}
    """Your own US dollars an hour instead of list prices: by instance type (``p5.48xlarge``), by GPU (``gpu/H100``), or
    of bare resources (``cpu``, ``memory`` per GiB, ``gpu``)."""
    carbon_intensity: float | None = Field(default=None, ge=0, lt=10_000)
    """Grams of CO2 per kWh of your electricity; the world's mean when absent."""

    policy_file: Path | None = None
    """Policy document (TOML or YAML); without one every change asks."""
    timezone: str = "UTC"
    """Zone in which people's words such as ``last night`` are understood, and times are shown."""

    terraform_binary: str = "terraform"
    """``terraform`` or ``tofu``."""
    terraform_directory: Path | None = None
    """Directory whose variables the node-pool action may change."""
    aws_region: str | None = None
    """Region of the AWS actions."""
    aws_access_key: SecretStr | None = None
    """Key id for AWS; the usual chain of boto3 when absent."""
    aws_secret_key: SecretStr | None = None
    """Secret key for AWS, with ``aws_access_key``."""
    aws_endpoint: str | None = None
    """Other endpoint for AWS, such as a local stand-in."""

    model: str | None = None
    """``provider:model``, such as ``openai:llama3`` with ``model_url``; works without."""
    model_url: str | None = None
    """Base URL of an OpenAI-compatible endpoint (vLLM, Ollama)."""
    model_key: SecretStr | None = None
    """Key of the model's endpoint."""
    model_steps: int = Field(default=8, ge=1, le=50)
    """Most questions that a model may ask for one answer."""
    model_tokens: int = Field(default=60_000, ge=0)
    """Most tokens for one answer."""
    model_seconds: float = Field(default=30.0, gt=0)
    """Most seconds for one answer."""
    model_first_seconds: float = Field(default=5.0, gt=0)
    """Longest wait for a model's first word; the answer without it is shown meanwhile."""
    model_dollars: float = Field(default=0.25, ge=0)
    """Most dollars for one answer."""
    model_price: float = Field(default=0.0, ge=0)
    """Dollars for a million tokens (the dearer of input and output); 0 for a model of one's own."""

    slack_bot_token: SecretStr | None = None
    """``xoxb-`` token of the Slack app."""
    slack_app_token: SecretStr | None = None
    """``xapp-`` token for Socket Mode."""
    slack_signing_secret: SecretStr | None = None
    """Signing secret for HTTP mode."""
    slack_channel: str = ""
    """Channel in which cases get their threads."""
    slack_roles: dict[str, str] = {}
    """``TEAM/USER`` to role: who may ask (``viewer``) and decide (the policy's roles) from Slack."""
    slack_others: Literal["", "viewer"] = ""
    """Role of the workspace's members who are not listed: none, or ``viewer``; never of guests and bots."""
    slack_api: str = ""
    """Other base URL for Slack's Web API, such as a local stand-in."""

    http_listen: str = "127.0.0.1:9095"
    """Where ``watch --http`` listens."""
    http_token: SecretStr | None = None
    """Bearer token that alert senders must show."""
    scale_targets: tuple[str, ...] = ()
    """Workloads (``NAMESPACE/NAME``) whose load ``watch`` forecasts and whose capacity it proposes ahead of it."""
    scale_every: str = "15m"
    """Schedule of those forecasts."""
    keep_days: int = Field(default=90, ge=2)
    """Days for which ``watch`` keeps cases that ended, and events; the journal of decisions and effects stays whole."""
    leader_lease: str = ""
    """``NAMESPACE/NAME`` of the Kubernetes Lease that elects the leader, in a cluster; the store's own when empty."""
    report_webhook: str = ""
    """Where reports are posted as JSON."""

    @field_validator("environment")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not value.replace("-", "").replace("_", "").isalnum():
            raise ValueError("must be letters, digits, '-' and '_'")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone, such as Europe/Berlin") from error
        return value

    @property
    def state_dir(self) -> Path:
        """The state directory of this environment."""
        return self.state_home / self.environment

    @property
    def can_write(self) -> bool:
        """Whether an executor credential is configured."""
        return bool(self.executor_kubeconfig or self.executor_context or self.executor_token_file)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then variables, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def load(**flags: Any) -> Settings:
    """Return the settings, flags that are None left out; raises ``ConfigError`` naming the setting that is wrong.

    In the environment ``lab``, what ``lab up`` wrote about its endpoints comes right after the flags, and where it
    wrote nothing there is nothing: a variable or a file that names another cluster must not be mixed with a lab.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    _readable(config_file())
    try:
        settings = Settings(**given)
        if settings.environment == LAB:
            return Settings(**{**_NOWHERE, **_lab_endpoints(settings.state_dir), **given})
        return settings if settings.kubeconfig else settings.model_copy(update={"kubeconfig": _usual_kubeconfig()})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        unknown = first["type"] == "extra_forbidden"
        why = "there is no such setting" if unknown else first["msg"].removeprefix("Value error, ")
        source = "" if unknown else f"a flag, {PREFIX}{str(first['loc'][0]).upper()} or " if first["loc"] else ""
        hint = f"It comes from {source}{config_file()}."
        raise ConfigError(f"Setting {name!r} cannot be used: {why}.", hint=hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config_file()} is not valid TOML: {error}.") from error


def _readable(file: Path) -> None:
    """Raise ``ConfigError`` for a settings file that cannot be read, or that was named and is not there."""
    named = bool(os.environ.get(f"{PREFIX}CONFIG"))
    if not named and not file.exists():
        return
    try:
        file.open("rb").close()
    except OSError as error:
        hint = f"Check {PREFIX}CONFIG." if named else "Let its owner read it, or move it away."
        raise ConfigError(f"The settings file {file} cannot be read: {error.strerror}.", hint=hint) from error


def config_file() -> Path:
    """Return the TOML file: ``INFRA_COPILOT_CONFIG`` or ``$XDG_CONFIG_HOME/infra-copilot/config.toml``."""
    explicit = os.environ.get(f"{PREFIX}CONFIG")
    if explicit:
        return Path(explicit)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "infra-copilot" / "config.toml"


def state_home() -> Path:
    """Return ``$XDG_STATE_HOME/infra-copilot``."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "infra-copilot"


def in_cluster() -> bool:
    """Return whether this process runs in a pod with a service account."""
    return _IN_CLUSTER.exists() and "KUBERNETES_SERVICE_HOST" in os.environ


def user_name() -> str:
    """Return who sits at this terminal, for the record of decisions: the owner of the process, whatever USER says.

    Only root may name somebody else, as sudo does.
    """
    import pwd

    if os.getuid() == 0 and os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def terraform_environment() -> dict[str, str]:
    """Return the variables that Terraform may see: what it and its providers need, no secrets of ours."""
    allowed = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")
    prefixes = ("TF_", "AWS_", "ARM_", "GOOGLE_")
    return {k: v for k, v in os.environ.items() if k in allowed or k.startswith(prefixes)}


def debugging() -> bool:
    """Return whether tracebacks are wanted (``INFRA_COPILOT_DEBUG``)."""
    return bool(os.environ.get(f"{PREFIX}DEBUG"))


def no_color() -> bool:
    """Return whether colour is unwanted (``NO_COLOR``, or a dumb terminal)."""
    return bool(os.environ.get("NO_COLOR")) or dumb()


def dumb() -> bool:
    """Return whether the terminal only takes lines of text: it can move no cursor."""
    return os.environ.get("TERM") == "dumb"


_NOWHERE: dict[str, Any] = {
    **dict.fromkeys(("kubeconfig", "context", "executor_kubeconfig", "executor_context", "executor_token_file")),
    **dict.fromkeys(("prometheus", "prometheus_token_file", "terraform_directory")),
    **dict.fromkeys(("aws_region", "aws_endpoint", "aws_access_key", "aws_secret_key")),
    "namespace": "",
    "leader_lease": "",
}
"""What a lab takes from no variable and no file: where things are, and the credentials for them."""


def _usual_kubeconfig() -> Path | None:
    listed = [Path(p) for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    usual = Path.home() / ".kube" / "config"
    # As kubectl does: with KUBECONFIG given, the usual file is another cluster's.
    return next((p for p in listed if p.is_file()), listed[0]) if listed else usual if usual.is_file() else None


def _lab_endpoints(state_dir: Path) -> dict[str, Any]:
    file = state_dir / "endpoints.json"
    try:
        data = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {name: value for name, value in data.items() if name in Settings.model_fields}
