"""``ask``: a question in plain words, answered with evidence."""

from typing import Annotated, Any

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command(help="Ask in plain words, such as: what is wrong?")(ask)


def ask(
    words: Annotated[list[str], typer.Argument(metavar="QUESTION", help="The question.")],
    environment: options.Environment = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    prometheus: options.Prometheus = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer one question; exit 2 when it is not understood, or what it is about cannot be looked at."""
    settings = options.settings(environment, kubeconfig, context, prometheus)
    if settings.model and not as_json:
        options.wait(_stream(settings, " ".join(words)))
        return
    answer = options.wait(_ask(settings, " ".join(words)), doing="looking")
    if as_json:
        from copilot.commands.output import emit

        emit(answer.as_json())
    else:
        _show(answer)
    if answer.failed:
        raise typer.Exit(2)


async def _ask(settings: Any, text: str) -> Any:
    from copilot.app import Depth, need_sight, open_app

    async with open_app(settings, Depth.LOOK) as app:
        answer = await app.desk.ask(text)
        if answer.failed:
            need_sight(app)
        return answer


async def _stream(settings: Any, text: str) -> None:
    """Print what rules say at once, then what a model adds as it comes."""
    from copilot.app import Depth, open_app
    from copilot.surfaces.charts import chart

    async with open_app(settings, Depth.LOOK) as app:
        async for piece in app.desk.converse(text):
            if piece.kind == "plot":
                typer.echo(f"\n{piece.text}\n{chart(piece.values, unit=piece.detail)}")
            elif piece.kind == "tool":
                typer.echo(f"\n(asks {piece.text})", nl=False)
            elif piece.kind == "cite":
                typer.echo(f"\n{piece.text}\n    {piece.detail}", nl=False)
            elif piece.kind == "text":
                typer.echo(piece.text, nl=False)
    typer.echo()


def _show(answer: Any) -> None:
    from rich.markdown import Markdown

    from copilot.commands.output import console
    from copilot.surfaces.charts import chart, titled

    out = console()
    out.print(Markdown(answer.markdown()) if out.is_terminal else answer.markdown())
    for plot in answer.plots:
        for name, series in plot.lines:
            drawn = chart(series.values.tolist(), unit=plot.unit)
            out.print(f"\n{titled(plot.title, name, plot.unit)}\n{drawn}")
