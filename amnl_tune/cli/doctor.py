"""`amnl-tune doctor`: what is wrong with the service, and what to do about it."""

import json
from typing import Annotated

import typer

from amnl_tune.cli.options import ArtifactUrl, Home, Json, Storage, settings, study_name

__all__ = ["doctor"]

UNWELL = 1
STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Look at this study only.", callback=study_name)
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Do what is safe to do, and say what was done.")] = False,
    storage: Storage = None,
    home: Home = None,
    artifacts: ArtifactUrl = None,
    as_json: Json = False,
) -> None:
    """Look for trouble: schema, leases, workers, versions, clocks, connections, SQLite's limits, disks, checkpoints,
    files that the workers of a study must share.

    Exit code 0: no error (there may be warnings); 1: errors that --fix did not mend; 2: the storage or the study cannot
    be looked at. --fix hands abandoned runs back, signs this host's dead workers out and deletes checkpoints of runs
    that have ended; a STUDY that it is asked about, and nobody works on, keeps its files at this host's --artifacts
    from then on. It stops no process and never deletes weights.
    """
    from rich.console import Console

    from amnl_tune.installation import as_typed_here
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.doctor import examine

    places = settings(storage, home, artifacts=artifacts)
    treated = examine(places.storage, Artifacts(places.home, places.artifacts), study, fix=fix)
    if as_json:
        typer.echo(json.dumps([one.plain() for one in treated], indent=2))
    else:
        console = Console()
        for one in treated:
            found = one.finding
            console.print(f"[{STYLES[found.severity]}]{found.severity:<8}[/]", end="")
            console.print(f"{found.check}: {found.what}", highlight=False, markup=False, soft_wrap=True)
            if one.done or found.remedy:
                after = f"fixed: {one.done}" if one.done else as_typed_here(found.remedy)
                console.print(f"        -> {after}", highlight=False, markup=False, soft_wrap=True)
    if any(one.is_error for one in treated):
        raise typer.Exit(UNWELL)
