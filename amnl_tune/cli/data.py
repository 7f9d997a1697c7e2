"""`amnl-tune data`: get the C-MAPSS files, verify them, say what is in a data set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amnl_tune.cli.options import DataDir, Home, Json, settings
from amnl_tune.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from amnl_tune.rul.sources import FleetSource

app = typer.Typer(no_args_is_help=True, help="Get the C-MAPSS files, verify them, say what is in a data set.")


@app.command(epilog="Example: amnl-tune data fetch")
def fetch(
    data_dir: Annotated[Path | None, typer.Option(help="Folder to put the files into; else the local store.")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="URL of the archive, instead of NASA's two; repeat it for more.")
    ] = None,
    home: Home = None,
) -> None:
    """Download NASA's C-MAPSS archive and put its twelve verified files into place.

    Files already there and right are kept; an interrupted download goes on where it stopped.
    """
    from amnl_tune.cli.display import download_progress
    from amnl_tune.rul import fetch as archive

    directories = settings(None, home, data_dir).data_dirs
    target = data_dir or directories[-1]
    checks = archive.verify([target] if data_dir else directories)
    if all(check.state is archive.FileState.OK for check in checks):
        typer.echo(f"All {len(checks)} files are already in place and right: {_folders(checks)}")
        return
    with download_progress() as progress:
        put = archive.fetch(target, urls=source or archive.SOURCES, progress=progress)
    typer.echo(f"Put {len(put)} files into {target}, each with the right SHA-256")


@app.command(epilog="Example: amnl-tune data verify --data-dir ~/cmapss")
def verify(data_dir: DataDir = None, home: Home = None, as_json: Json = False) -> None:
    """Compare the twelve files with NASA's SHA-256, as a study would find them."""
    from amnl_tune.rul import fetch as archive

    checks = archive.verify(settings(None, home, data_dir).data_dirs)
    if as_json:
        rows = [{"file": check.file_name, "path": _text(check.path), "state": check.state} for check in checks]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for check in checks:
            typer.echo(f"{check.state:<14}  {check.file_name:<15}  {check.path or ''}".rstrip())
    wrong = [check for check in checks if check.state is not archive.FileState.OK]
    if wrong:
        named = ", ".join(f"{check.file_name} ({check.state})" for check in wrong)
        absent = all(check.state is archive.FileState.MISSING for check in wrong)
        remedy = "" if absent else "delete the wrong ones and "
        raise (DataNotFoundError if absent else DataError)(
            f"All {len(checks)} files must be there with the right SHA-256, but got {named}; {remedy}run "
            "`amnl-tune data fetch`"
        )


@app.command(epilog="Example: amnl-tune data info FD001 SIM6")
def info(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets; else all found.")] = None,
    data_dir: DataDir = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say what is in data sets: engines, cycles, conditions, what predicting the mean would score, SHA-256.

    A broken one is named, the others are told.
    """
    from amnl_tune.rul.layouts import SUBSETS
    from amnl_tune.rul.sources import FleetSource

    source = FleetSource(settings(None, home, data_dir).data_dirs)
    facts, broken = list[dict[str, Any]](), dict[str, DataError]()
    for name in names or source.names() or SUBSETS:
        try:
            facts.append(_facts(source, name))
        except DataError as error:
            broken[name] = error
    if as_json:
        problems = [{"name": name, "problem": str(error)} for name, error in broken.items()]
        typer.echo(json.dumps([*facts, *problems], indent=2))
    elif facts:
        _print_facts(facts)
    if len(broken) == 1:
        raise next(iter(broken.values()))
    if broken:
        told = "; ".join(f"{name}: {error}" for name, error in broken.items())
        absent = all(isinstance(error, DataNotFoundError) for error in broken.values())
        raise (DataNotFoundError if absent else DataError)(f"Of {len(facts) + len(broken)} data sets {told}")


def _facts(source: "FleetSource", name: str) -> dict[str, Any]:
    """What is known of one data set; None where a fleet of the user's own has no test engines."""
    from amnl_tune.rul.layouts import CONDITIONS, file_names
    from amnl_tune.rul.metrics import mean_predictor_rmse

    fleet = source.training(name)
    test = None if source.missing(name) else source.test(name)
    cycles = fleet.frame.groupby("unit")["cycle"].max()
    return {
        "name": name,
        "rows": len(fleet.frame),
        "engines": len(cycles),
        "cycles": {"min": int(cycles.min()), "median": float(cycles.median()), "max": int(cycles.max())},
        "conditions": CONDITIONS.get(name),
        "test_rows": len(test.frame) if test else None,
        "test_engines": len(test.rul) if test else None,
        "mean_predictor_rmse": mean_predictor_rmse(test.rul) if test else None,
        "sha256": fleet.sha256,
        "test_sha256": test.sha256 if test else None,
        "path": _text(source.find(file_names(name)[0])),
    }


def _print_facts(facts: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("data set", "rows", "engines", "cycles", "conditions", "test engines", "mean RMSE"):
        table.add_column(heading, justify="left" if heading == "data set" else "right", no_wrap=True)
    for fact in facts:
        cycles, score = fact["cycles"], fact["mean_predictor_rmse"]
        table.add_row(
            fact["name"],
            f"{fact['rows']:,}",
            str(fact["engines"]),
            f"{cycles['min']}/{cycles['median']:g}/{cycles['max']}",
            str(fact["conditions"] or "unknown"),
            str(fact["test_engines"] or "none"),
            "none" if score is None else f"{score:.1f}",
        )
    Console().print(table)
    typer.echo("cycles: min/median/max of training engines; mean RMSE: predicting the mean capped test label")
    for fact in facts:
        typer.echo(f"{fact['name']}  {fact['sha256']}  {fact['path']}")


def _folders(checks: "list[Any]") -> str:
    return ", ".join(dict.fromkeys(str(check.path.parent) for check in checks))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
