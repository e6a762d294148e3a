"""``cases``: list, show, decide, undo, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copilot.commands import options

if TYPE_CHECKING:
    from copilot.core.case import Case

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Case id, or its beginning.")]
Reason = Annotated[str, typer.Option("--reason", help="Kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Put the command group on the command line."""
    group = typer.Typer(
        help="Incidents: list, show, decide, undo, export.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("list", help="Newest first.")(list_cases)
    group.command(help="One case: evidence, timeline, plan.")(show)
    group.command(help="Approve a plan by its digest, and have it executed.")(approve)
    group.command(help="Reject a plan.")(reject)
    group.command(help="Take an executed plan back, through the same gate.")(undo)
    group.command(help="Write a case as Markdown.")(export)
    app.add_typer(group, name="cases")


def list_cases(
    open_only: Annotated[bool, typer.Option("--open", help="Open cases alone.")] = False,
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Print cases, newest first; exit 1 when one is open."""
    options.wait(_list(environment, open_only, as_json))


async def _list(environment: str | None, open_only: bool, as_json: bool) -> None:
    from copilot.app import Depth, open_app
    from copilot.commands.output import emit, show
    from copilot.surfaces import encode
    from copilot.surfaces.listing import CaseList

    async with open_app(options.settings(environment), Depth.STORE) as app:
        cases = await app.copilot.cases(open_only=open_only)
    if as_json:
        emit({"cases": [encode.case(c) for c in cases]})
    elif cases:
        show(CaseList(cases))
    else:
        typer.echo("No cases. 'infra-copilot check' looks now; 'infra-copilot watch' keeps looking.")
    if any(c.status.open for c in cases):
        raise typer.Exit(1)


def show(
    case: CaseId,
    explain: Annotated[bool, typer.Option("--explain", help="Also what was refuted, and by what.")] = False,
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Print one case."""
    options.wait(_show(case, environment, explain, as_json))


async def _show(case_id: str, environment: str | None, explain: bool, as_json: bool) -> None:
    from datetime import UTC, datetime

    from copilot.app import Depth, open_app
    from copilot.commands.output import emit, show
    from copilot.surfaces import encode
    from copilot.surfaces.cards import case_view

    async with open_app(options.settings(environment), Depth.STORE) as app:
        case = await app.copilot.case(case_id)
    if as_json:
        emit(encode.case(case))
    else:
        show(case_view(case, explain=explain, now=datetime.now(UTC)))
        next_step(case)


def next_step(case: "Case") -> None:
    """Say what a person can type about a plan that waits."""
    from copilot.surfaces.cards import flag

    if case.status.value == "waiting" and case.plan:
        where = flag(case.environment)
        typer.echo(f"\nApprove it: infra-copilot cases approve {case.id} --digest {case.plan.digest[:12]}{where}")
        typer.echo(f"Reject it:  infra-copilot cases reject {case.id} --reason WHY{where}")


def approve(
    case: CaseId,
    digest: Annotated[str, typer.Option("--digest", help="Beginning of the plan digest you have read (8+ digits).")],
    reason: Reason = "",
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Approve exactly the plan with this digest; exit 1 when its outcome failed."""
    options.wait(_decide(case, "approve", digest, reason, environment, as_json), doing="executing and verifying")


def reject(
    case: CaseId,
    reason: Reason = "",
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Reject the plan of a case."""
    options.wait(_decide(case, "reject", "", reason, environment, as_json))


async def _decide(
    case_id: str, decision: str, digest: str, reason: str, environment: str | None, as_json: bool
) -> None:
    from copilot.app import open_app
    from copilot.commands.output import emit, show
    from copilot.config import user_name
    from copilot.core.plan import Decision
    from copilot.errors import NotApproved
    from copilot.surfaces import encode
    from copilot.surfaces.cards import case_view, flag

    async with open_app(options.settings(environment)) as app:
        case = await app.copilot.case(case_id)
        if case.plan is None:
            hint = f"See 'infra-copilot cases show {case.id}{flag(case.environment)}'."
            raise NotApproved(f"Case {case.id} has no plan to decide on.", hint=hint)
        if decision == "approve" and len(digest) < 8:
            raise NotApproved(f"{digest!r} is too short to name a plan.", hint="Give 8 digits of its digest or more.")
        if decision == "approve" and not case.plan.digest.startswith(digest):
            raise NotApproved(
                f"The plan of {case.id} now has digest {case.plan.digest[:12]}, not {digest!r}.",
                hint="Read it again, then approve that digest.",
            )
        case = await app.copilot.decide(
            case.id, case.plan.digest, Decision(decision), by=user_name(), role="operator", reason=reason
        )
    if as_json:
        emit(encode.case(case))
    else:
        show(case_view(case))
    _exit_for(case.status.value)


def _exit_for(status: str) -> None:
    if status in ("undone", "failed", "needs_person"):
        raise typer.Exit(1)


def undo(
    case: CaseId,
    yes: Annotated[bool, typer.Option("--yes", help="Take it back without asking.")] = False,
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Show and run the inverse of what was executed; exit 1 when it was not taken back (somebody changed it since)."""
    from copilot.surfaces.undoing import inverses

    known = options.wait(_known(case, environment))
    commands = inverses(known)
    if commands is not None:
        _agreed(known, commands, yes=yes, as_json=as_json)
    digest = known.plan.digest if known.plan else ""
    if options.wait(_undo(known.id, digest, environment, as_json), doing="taking it back") != "undone":
        raise typer.Exit(1)


async def _known(case_id: str, environment: str | None) -> "Case":
    from copilot.app import Depth, open_app

    async with open_app(options.settings(environment), Depth.STORE) as app:
        return await app.copilot.case(case_id)


def _agreed(case: "Case", commands: list[str], *, yes: bool, as_json: bool) -> None:
    """Show what an undo runs and ask for a yes; raises ``NotApproved`` where nobody can be asked or it was a no."""
    from copilot.core.text import inert
    from copilot.errors import NotApproved
    from copilot.surfaces.cards import flag

    if not as_json:
        typer.echo(f"To take back what case {case.id} changed:")
        for command in commands or ["(no command: none of its steps has an inverse, so the case goes to a person)"]:
            typer.echo(f"    {inert(command)}")
    if yes:
        return
    if as_json or not options.on_terminal():
        hint = f"Say so with: infra-copilot cases undo {case.id} --yes{flag(case.environment)}"
        raise NotApproved("Nothing was taken back: nobody can be asked here.", hint=hint)
    typer.echo("Take it back? [y/N] ", nl=False)
    if input().strip().lower() not in ("y", "yes"):
        raise NotApproved(f"Nothing was taken back: case {case.id} stays as it is.")


async def _undo(case_id: str, digest: str, environment: str | None, as_json: bool) -> str:
    from copilot.app import open_app
    from copilot.commands.output import emit, show
    from copilot.config import user_name
    from copilot.errors import WorldChanged
    from copilot.surfaces import encode
    from copilot.surfaces.cards import case_view

    async with open_app(options.settings(environment)) as app:
        now = await app.copilot.case(case_id)
        if digest != (now.plan.digest if now.plan else ""):
            raise WorldChanged(f"Case {case_id} has another plan now.", hint="Look at it again, then undo that.")
        case = await app.copilot.undo(case_id, by=user_name())
    if as_json:
        emit(encode.case(case))
    else:
        show(case_view(case))
    return case.status.value


def export(
    case: CaseId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Standard output when absent.")
    ] = None,
    environment: options.Environment = None,
    as_json: options.AsJson = False,
) -> None:
    """Write a case as Markdown: timeline, evidence queries, decisions."""
    name, text = options.wait(_export(case, environment))
    if output is not None:
        _written(output, text)
    if as_json:
        from copilot.commands.output import emit

        emit({"case": name, "file": str(output) if output else None, "markdown": text})
    else:
        typer.echo(f"Wrote {output}." if output else text.removesuffix("\n"))


def _written(output: Path, text: str) -> None:
    from copilot.errors import ConfigError

    try:
        output.write_text(text)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.", hint="Give another --output.") from error


async def _export(case_id: str, environment: str | None) -> tuple[str, str]:
    from copilot.app import Depth, open_app
    from copilot.surfaces.export import markdown

    async with open_app(options.settings(environment), Depth.STORE) as app:
        case = await app.copilot.case(case_id)
        return case.id, markdown(case)
