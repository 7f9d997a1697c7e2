"""`amnl-tune export`, `report`: what a study leaves behind."""

import json
from pathlib import Path
from typing import Annotated

import typer

from amnl_tune.cli.options import DataDir, Home, Json, Storage, Study, existing_ledger, settings

__all__ = ["app"]

app = typer.Typer()


@app.command(epilog="Example: amnl-tune export quickstart --out exports/quickstart")
def export(
    study: Study,
    out: Annotated[Path | None, typer.Option(help="Folder of the export; else exports/STUDY.")] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write the winner of a scored promotion: config.toml, model.safetensors, preprocessing.json, metrics.json."""
    from amnl_tune.results.shipping import ship
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.ledger.studies import find_study
    from amnl_tune.search.spec import StudySpec

    places = settings(storage, home, data_dir)
    ledger = existing_ledger(places)
    spec = StudySpec.from_json(find_study(ledger, study).spec)
    out = out or Path("exports") / study
    scores = ship(ledger, spec, FleetSource(places.data_dirs), Artifacts(places.home, places.artifacts), out)
    if as_json:
        facts = {"export": str(out), "trial": scores.winner.trial_number, "test_rmse": scores.winner.test_rmse}
        typer.echo(json.dumps(facts, indent=2))
    else:
        typer.echo(f"{out}: trial {scores.winner.trial_number}, test RMSE {scores.winner.test_rmse:.2f} cycles")


@app.command(epilog="Example: amnl-tune report quickstart --out quickstart.html")
def report(
    study: Study,
    out: Annotated[Path | None, typer.Option(help="HTML file; else in the home folder's reports.")] = None,
    storage: Storage = None,
    home: Home = None,
) -> None:
    """Write a study's report: one HTML file that works offline."""
    from amnl_tune.results.report import write_report

    places = settings(storage, home)
    out = out or places.home / "reports" / f"{study}.html"
    write_report(existing_ledger(places), study, out)
    typer.echo(str(out))
