"""``audit``: is the journal the one that was written?"""

from typing import Annotated

import typer

from copilot.commands import options

Witness = Annotated[str, typer.Option(metavar="ROWS:HASH", help="Head that was noted elsewhere; must still be there.")]


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(help="The journal of decisions and effects.", no_args_is_help=True, rich_markup_mode=None)
    group.command(help="Check the journal's chain and anchor. Exit 1 when one of them, or a witness, does not fit.")(
        verify
    )
    group.command(help="Vouch for the journal as it is now. For after a restore; noted in the journal.")(anchor)
    app.add_typer(group, name="audit")


def verify(witness: Witness = "", environment: options.Environment = None, as_json: options.AsJson = False) -> None:
    """Walk the whole chain, then compare its end with what was kept of it apart."""
    from copilot.commands.output import emit
    from copilot.errors import Corrupt

    try:
        rows, head = options.wait(_verify(environment, _witness(witness)))
    except Corrupt as error:
        if as_json:
            emit({"intact": False, "message": str(error)})
        else:
            typer.echo(f"The journal is broken: {error}")
        raise typer.Exit(1) from error
    if as_json:
        emit({"intact": True, "rows": rows, "head": head})
    else:
        typer.echo(f"The journal is intact: {rows} rows. Head, to be noted elsewhere: {head}")


def anchor(environment: options.Environment = None, as_json: options.AsJson = False) -> None:
    """Write a row that says who vouches, and a new anchor with a new key."""
    from copilot.commands.output import emit

    rows = options.wait(_anchor(environment))
    if as_json:
        emit({"anchored": True, "rows": rows})
    else:
        typer.echo(f"The journal is anchored at {rows} rows.")


async def _verify(environment: str | None, witness: tuple[int, str] | None) -> tuple[int, str]:
    from copilot.app import Depth, open_app

    async with open_app(options.settings(environment), Depth.STORE) as app:
        number, digest = await app.store.head()
        return await app.store.verify_chain(witness=witness), f"{number}:{digest}"


async def _anchor(environment: str | None) -> int:
    from copilot.app import Depth, open_app
    from copilot.config import user_name

    async with open_app(options.settings(environment), Depth.STORE) as app:
        return await app.store.vouch(by=user_name())


def _witness(text: str) -> tuple[int, str] | None:
    from copilot.errors import ConfigError

    rows, _, digest = text.partition(":")
    if text and not (rows.isdecimal() and len(digest) == 64):
        raise ConfigError(f"{text!r} is not ROWS:HASH.", hint="'audit verify' prints it as the head.")
    return (int(rows), digest) if text else None
