"""What stands outside, opened as the settings say: cluster, metrics, model, cloud, what changes go to, who leads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from copilot.config import LAB, Settings, in_cluster
from copilot.errors import ConfigError

if TYPE_CHECKING:
    from copilot.adapters.chat_langchain import LangChainModel
    from copilot.adapters.chat_model import OpenAIModel
    from copilot.agent.model.consult import Consultant
    from copilot.ports.read import Cluster, Metrics
    from copilot.ports.store import Store
    from copilot.ports.write import Writer
    from copilot.watch import Election


def cluster(settings: Settings, stack: AsyncExitStack) -> Cluster | None:
    """Return the cluster with the reader's credential, closed with ``stack``; None where there is none."""
    if settings.kubeconfig is None and (settings.environment == LAB or not in_cluster()):
        return None
    from copilot.adapters.kubernetes_config import KubernetesOptions
    from copilot.adapters.kubernetes_read import KubernetesCluster

    found = KubernetesCluster(KubernetesOptions(kubeconfig=settings.kubeconfig, context=settings.context))
    stack.push_async_callback(found.close)
    return found


def metrics(settings: Settings, stack: AsyncExitStack) -> Metrics | None:
    """Return the metrics source, closed with ``stack``; None where none is configured."""
    if not settings.prometheus:
        return None
    from copilot.adapters.prometheus import PrometheusMetrics, PrometheusOptions

    found = PrometheusMetrics(
        PrometheusOptions(url=settings.prometheus, token_file=settings.prometheus_token_file, threads=4)
    )
    stack.push_async_callback(found.close)
    return found


def consultant(settings: Settings, stack: AsyncExitStack) -> Consultant | None:
    """Return the model within its bounds, closed with ``stack``; None where none is configured."""
    if not settings.model:
        return None
    from copilot.agent.model.budget import Budget
    from copilot.agent.model.consult import Consultant

    key = settings.model_key.get_secret_value() if settings.model_key else ""
    model = open_model(settings.model, url=settings.model_url or "", key=key)
    stack.push_async_callback(model.close)
    budget = Budget(
        steps=settings.model_steps,
        tokens=settings.model_tokens,
        seconds=timedelta(seconds=settings.model_seconds),
        first=timedelta(seconds=settings.model_first_seconds),
        dollars=settings.model_dollars,
        price=settings.model_price,
    )
    return Consultant(model, budget=budget)


def open_model(spec: str, *, url: str = "", key: str = "") -> OpenAIModel | LangChainModel:
    """Return the model that ``provider:model`` names; raises ``ConfigError``, also when an extra is not installed."""
    from copilot.adapters.chat_langchain import LangChainModel
    from copilot.adapters.chat_model import BASES, ChatOptions, OpenAIModel

    provider, _, model = spec.partition(":")
    if not provider or not model:
        raise ConfigError(f"{spec!r} names no model.", hint="Write provider:model, such as openai:llama3.")
    options = ChatOptions(provider, model, url, key)
    return OpenAIModel(options) if url or provider in BASES else LangChainModel(options)


def writers(settings: Settings) -> Sequence[Writer]:
    """Return what sends changes, with the executor's credentials; imports the clients it needs."""
    from copilot.adapters.kubernetes_config import KubernetesOptions, api_client
    from copilot.adapters.kubernetes_write import KubernetesWriter

    executor = KubernetesOptions(
        kubeconfig=settings.executor_kubeconfig or settings.kubeconfig,
        context=settings.executor_context or (None if settings.executor_kubeconfig else settings.context),
        token_file=settings.executor_token_file,
    )
    found: list[Any] = [KubernetesWriter(api_client(executor)), cloud(settings), infrastructure(settings)]
    return [one for one in found if one is not None]


def cloud(settings: Settings) -> Any:
    """Return the AWS adapter, or None where no region is configured."""
    if not settings.aws_region:
        return None
    from copilot.adapters.aws import Aws

    return Aws(endpoint=settings.aws_endpoint, client=_aws_client(settings))


def _aws_client(settings: Settings) -> Any:
    if settings.aws_access_key is None or settings.aws_secret_key is None:
        return None

    def client(*given: Any, **options: Any) -> Any:
        import boto3

        key, secret = settings.aws_access_key, settings.aws_secret_key
        return boto3.client(
            *given,
            aws_access_key_id=key.get_secret_value() if key else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            **options,
        )

    return client


def infrastructure(settings: Settings) -> Any:
    """Return the Terraform adapter, or None where no directory is configured."""
    if settings.terraform_directory is None:
        return None
    from copilot.adapters.terraform import Terraform
    from copilot.config import terraform_environment

    return Terraform(
        settings.terraform_directory,
        plans=settings.state_dir / "plans",
        binary=settings.terraform_binary,
        environment=terraform_environment(),
    )


@asynccontextmanager
async def election(settings: Settings, store: Store) -> AsyncIterator[Election]:
    """Yield what elects the leader: the Lease that the settings name, else the store's own leases."""
    namespace, _, name = settings.leader_lease.partition("/")
    if not name:
        yield store
        return
    from copilot.adapters.kubernetes_config import KubernetesOptions
    from copilot.adapters.kubernetes_lease import KubernetesLease

    options = KubernetesOptions(kubeconfig=settings.kubeconfig, context=settings.context)
    lease = KubernetesLease(options, namespace=namespace, name=name)
    try:
        yield lease
    finally:
        await lease.close()
