"""``audit verify``: is the journal the one that was written?"""

import typer

from copilot.commands import options


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(help="The journal of decisions and effects.", no_args_is_help=True, rich_markup_mode=None)
    group.command(help="Check the hash chain of the journal; exit 1 when it is broken.")(verify)
    app.add_typer(group, name="audit")


def verify(environment: options.Environment = None, as_json: options.AsJson = False) -> None:
    """Walk the whole chain."""
    from copilot.commands.output import emit
    from copilot.errors import Corrupt

    try:
        rows = options.wait(_verify(environment))
    except Corrupt as error:
        if as_json:
            emit({"intact": False, "message": str(error)})
        else:
            typer.echo(f"The journal is broken: {error}")
        raise typer.Exit(1) from error
    if as_json:
        emit({"intact": True, "rows": rows})
    else:
        typer.echo(f"The journal is intact: {rows} rows.")


async def _verify(environment: str | None) -> int:
    from copilot.app import Depth, open_app

    async with open_app(options.settings(environment), Depth.STORE) as app:
        return await app.store.verify_chain()
