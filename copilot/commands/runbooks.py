"""``runbooks``: what is known to help, as pages; ``run`` makes a plan like any other."""

from typing import Annotated, Any

import typer

from copilot.commands import options

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a runbook.")]


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(help="Remedies: list, show, run.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list", help="Every runbook and the causes it remedies.")(list_runbooks)
    group.command(help="The page of one runbook.")(show)
    group.command(help="Make a plan with one runbook for what is wrong now. Nothing is done before it is approved.")(
        run
    )
    app.add_typer(group, name="runbooks")


def list_runbooks(as_json: options.AsJson = False) -> None:
    """Print every runbook."""
    from rich.table import Table

    from copilot.commands.output import emit, show

    if as_json:
        emit({"runbooks": [{"name": r.name, "summary": r.summary, "causes": list(r.causes)} for r in _all()]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("RUNBOOK", "CAUSES", "DOES"):
        table.add_column(column)
    for one in _all():
        table.add_row(one.name, str(len(one.causes)), one.summary)
    show(table)
    typer.echo("\nWhat each is for, and what to watch: infra-copilot runbooks show RUNBOOK")


def show(name: Name, as_json: options.AsJson = False) -> None:
    """Print the page of one runbook."""
    from copilot.commands.output import emit

    one = _named(name)
    page = _page(one)
    if as_json:
        emit({"name": one.name, "summary": one.summary, "causes": list(one.causes), "page": page})
    else:
        typer.echo(page)


def run(
    name: Name,
    namespace: options.Namespace = "",
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Open a case for the finding that this runbook remedies, with its plan."""
    _named(name)
    options.wait(
        _run(name, namespace, options.settings(environment, kubeconfig, context, prometheus), as_json), doing="looking"
    )


async def _run(name: str, namespace: str, settings: Any, as_json: bool) -> None:
    from copilot.app import need_namespace, need_sight, open_app
    from copilot.commands.cases import next_step
    from copilot.commands.output import emit, show
    from copilot.errors import NotFound
    from copilot.surfaces import encode
    from copilot.surfaces.cards import case_view

    runbook = _named(name)
    async with open_app(settings) as app:
        need_sight(app)
        await need_namespace(app, namespace)
        _, findings = await app.copilot.check(namespace)
        fitting = [d for d in findings.diagnoses if d.cause in runbook.causes]
        if not fitting:
            known = ", ".join(d.cause for d in encode.faults(findings)) or "nothing is wrong"
            raise NotFound(f"Nothing that {name} remedies was found.", hint=f"Found: {known}.")
        hurt = {s.key for s in (*fitting[0].symptoms, *((fitting[0].object,) if fitting[0].object else ()))}
        # The detectors' look, as 'watch' has it: what a metric shows must hurt in the case, to verify the plan on it.
        anomalies = (await app.patrol.look(namespace=namespace)).anomalies
        own = [a for a in anomalies if a.resource.key in hurt] or list(anomalies)
        if not own:
            raise NotFound(
                "Nothing is out of bounds any more, so nothing would tell whether a change helped.",
                hint="See 'infra-copilot check'.",
            )
        case = await app.copilot.open(own)
        case = await app.copilot.settle(case.id)
    if as_json:
        emit(encode.case(case))
    else:
        show(case_view(case))
        next_step(case)


def _all() -> tuple[Any, ...]:
    from copilot.registry import entries

    return entries("runbooks", "RUNBOOK")


def _named(name: str) -> Any:
    from copilot.errors import NotFound

    found = next((r for r in _all() if r.name == name), None)
    if found is None:
        raise NotFound(f"There is no runbook {name!r}.", hint="See 'infra-copilot runbooks list'.")
    return found


def _page(one: Any) -> str:
    import inspect
    import sys

    from copilot.core.text import in_words

    module = sys.modules[one.propose.__module__]
    causes = ", ".join(in_words(c) for c in one.causes)
    return f"{one.name}: {one.summary}\n\nFor: {causes}\n\n{inspect.getdoc(module) or ''}"
