"""The outside that changes go to, and that leads: the part of the composition root that needs write credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.config import Settings
    from copilot.ports.write import Writer
    from copilot.watch import Election


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
async def election(app: App) -> AsyncIterator[Election]:
    """Yield what elects the leader: the Lease that the settings name, else the store's own leases."""
    namespace, _, name = app.settings.leader_lease.partition("/")
    if not name:
        yield app.store
        return
    from copilot.adapters.kubernetes_config import KubernetesOptions
    from copilot.adapters.kubernetes_lease import KubernetesLease

    options = KubernetesOptions(kubeconfig=app.settings.kubeconfig, context=app.settings.context)
    lease = KubernetesLease(options, namespace=namespace, name=name)
    try:
        yield lease
    finally:
        await lease.close()
