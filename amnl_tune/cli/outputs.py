"""`amnl-tune export`, `predict`, `report`, `dashboard`: what a study leaves behind."""

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


@app.command(epilog="Example: amnl-tune predict exports/quickstart test_FD001.txt --out rul.csv")
def predict(
    bundle: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an export.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Engines in C-MAPSS form, .txt or .txt.gz.")],
    out: Annotated[Path | None, typer.Option(help="CSV file; else standard output.")] = None,
    as_json: Json = False,
) -> None:
    """Predict RUL and health of each engine of a file, as CSV. Needs no database."""
    from amnl_tune.files import write_content
    from amnl_tune.results.bundle import load_bundle
    from amnl_tune.results.prediction import predict as predict_engines
    from amnl_tune.results.prediction import read_engines

    frame = predict_engines(load_bundle(bundle), read_engines(file))
    text = frame.to_json(orient="records", indent=2) if as_json else frame.to_csv(index=False, float_format="%.4g")
    if out is None:
        typer.echo(text, nl=as_json)
    else:
        write_content(out, text.encode())
        typer.echo(f"{out}: {len(frame)} engines", err=True)


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


@app.command(epilog="Example: amnl-tune dashboard --port 8080")
def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on localhost; 0: a free one.")] = 8080,
    storage: Storage = None,
    home: Home = None,
) -> None:
    """Browse the studies in the Optuna dashboard, on this machine only. Ctrl-C ends it."""
    from amnl_tune.cli.quiet import quiet_libraries
    from amnl_tune.errors import AmnlTuneError
    from amnl_tune.results.dashboard import annotate, dashboard_app, serve
    from amnl_tune.search.ledger.studies import study_names

    quiet_libraries()
    ledger = existing_ledger(settings(storage, home))
    for name in study_names(ledger):
        try:
            annotate(ledger, name)
        except AmnlTuneError as error:  # a page without its note is still worth seeing
            typer.echo(f"No note on study {name!r}: {error}", err=True)
    serve(dashboard_app(ledger), port, ready=lambda url: typer.echo(f"Optuna dashboard: {url}  (Ctrl-C ends it)"))
