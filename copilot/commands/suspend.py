"""``suspend`` and ``resume``: the switch that stops every action in this environment, from any process."""

from typing import Annotated

import typer

from copilot.commands import options

_WHY = "suspended by hand"


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.command(help="Stop every action at once; looking goes on.")(suspend)
    app.command(help="Allow actions again.")(resume)


def suspend(
    why: Annotated[str, typer.Argument(help="Said to everybody who wonders.")] = _WHY,
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Turn the suspend switch on; it survives restarts."""
    from copilot.surfaces.cards import flag

    said = why.strip() or _WHY
    where = flag(options.wait(_switch(environment, said)))
    _say(f"Suspended: {said}. Nothing is executed until 'infra-copilot resume{where}'.", said, as_json)


def resume(environment: options.Environment = None, as_json: options.AsJson = False) -> None:
    """Turn the suspend switch off."""
    options.wait(_switch(environment, ""))
    _say("Resumed.", "", as_json)


def _say(text: str, why: str, as_json: bool) -> None:
    if as_json:
        from copilot.commands.output import emit

        emit({"suspended": bool(why), "why": why})
    else:
        typer.echo(text)


async def _switch(environment: str | None, why: str) -> str:
    """Turn the switch; return the environment."""
    from copilot.app import Depth, open_app
    from copilot.config import user_name

    async with open_app(options.settings(environment), Depth.STORE) as app:
        if why:
            await app.copilot.suspend(why, by=user_name())
        else:
            await app.copilot.resume(by=user_name())
        return app.settings.environment
