"""``ask``: a question in plain words, answered with evidence."""

from typing import Annotated, Any

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Ask in plain words: what is wrong? who uses the GPUs? why did latency of cart spike?")(ask)


def ask(
    words: Annotated[list[str], typer.Argument(metavar="QUESTION", help="The question.")],
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer one question."""
    settings = options.settings(environment, kubeconfig, context, prometheus)
    answer = options.wait(_ask(settings, " ".join(words)))
    if as_json:
        from copilot.commands.output import emit

        emit(answer.as_json())
    else:
        _show(answer)


async def _ask(settings: Any, text: str) -> Any:
    from copilot.app import Depth, open_app

    async with open_app(settings, Depth.LOOK) as app:
        return await app.desk.ask(text)


def _show(answer: Any) -> None:
    from rich.markdown import Markdown

    from copilot.commands.output import console
    from copilot.surfaces.charts import chart

    out = console()
    out.print(Markdown(answer.markdown()) if out.is_terminal else answer.markdown())
    for plot in answer.plots:
        for name, series in plot.lines:
            out.print(f"\n{plot.title} {name} [{plot.unit}]\n{chart(series.values.tolist())}")
