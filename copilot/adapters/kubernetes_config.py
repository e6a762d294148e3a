"""Where a cluster is and with which credential: kubeconfig and context, a token file, or the pod's own account.

The official client reads all of them, including exec plug-ins; nothing here touches its process-wide default.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from copilot.core.text import one_line
from copilot.errors import ConfigError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

MOST_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Which cluster, as whom.

    ``token_file`` replaces the credential of what the other settings name (in-cluster without a kubeconfig) and is
    read anew whenever the token is refused or a minute old. Without ``kubeconfig`` and ``server`` the pod's own
    service account is used.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    token_file: Path | None = None
    server: str = ""
    ca_file: Path | None = None
    insecure: bool = False


def api_client(options: KubernetesOptions) -> "ApiClient":
    """Return a client of the official package, configured; raises ``ConfigError`` when that is not possible.

    The package's own retries are off: a write is never repeated, and reads are retried where it is known what they are.
    """
    from kubernetes.client import ApiClient

    configuration = _configuration(options)
    configuration.retries = False
    configuration.connection_pool_maxsize = MOST_CONNECTIONS
    if options.insecure:
        configuration.verify_ssl = False
    if options.token_file:
        refresh = _token_reader(options.token_file)
        # Once now: the package asks the hook only when it already knows of a token.
        refresh(configuration)
        configuration.refresh_api_key_hook = cast(Any, refresh)
    return ApiClient(configuration)


def _configuration(options: KubernetesOptions) -> "Configuration":
    from kubernetes import config
    from kubernetes.client import Configuration

    load_kube_config, load_in_cluster = cast(Any, config.load_kube_config), cast(Any, config.load_incluster_config)
    configuration: Configuration = type.__call__(Configuration)
    if options.kubeconfig and not options.kubeconfig.exists():
        hint = "Give --kubeconfig FILE, or set KUBECONFIG to one that is there."
        raise ConfigError(f"There is no kubeconfig at {options.kubeconfig}.", hint=hint)
    try:
        if options.server:
            configuration.host = options.server
            configuration.ssl_ca_cert = str(options.ca_file) if options.ca_file else None
        elif options.kubeconfig or options.context:
            file = str(options.kubeconfig) if options.kubeconfig else None
            load_kube_config(file, options.context, configuration, persist_config=False)
        else:
            load_in_cluster(configuration)
    except (AttributeError, KeyError, TypeError, yaml.YAMLError) as problem:
        raise ConfigError(f"{options.kubeconfig} is not a kubeconfig.", hint="Give --kubeconfig FILE.") from problem
    except (config.ConfigException, OSError, ValueError) as problem:
        hint = "Give --kubeconfig and --context, or run inside a cluster; 'infra-copilot doctor' says what is there."
        raise ConfigError(
            f"No usable access to a cluster: {one_line(str(problem), 200).rstrip('.')}.", hint=hint
        ) from problem
    return configuration


def _token_reader(file: Path) -> "Callable[[Configuration], None]":
    def refresh(configuration: "Configuration") -> None:
        try:
            token = file.read_text().strip()
        except OSError as problem:
            raise ConfigError(f"Cannot read the token file {file}: {problem.strerror}.") from problem
        configuration.api_key["authorization"] = token
        configuration.api_key["BearerToken"] = token
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.api_key_prefix["BearerToken"] = "Bearer"

    return refresh
