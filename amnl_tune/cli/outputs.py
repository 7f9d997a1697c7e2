"""`amnl-tune export`, `report`: what a study leaves behind."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from amnl_tune.bounds import MOST_NUMBER, MOST_TOP
from amnl_tune.cli.options import ArtifactUrl, DataDir, Home, Json, Storage, Study, existing_ledger, settings

__all__ = ["app"]

app = typer.Typer()


@app.command(epilog="Example: amnl-tune export quickstart --out exports/quickstart")
def export(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the export, else exports/STUDY; a file with --format.")
    ] = None,
    trial: Annotated[
        int | None, typer.Option(min=0, max=MOST_NUMBER, help="The network of this trial instead of the choice.")
    ] = None,
    kind: Annotated[
        Literal["network", "boosting", "mix"] | None,
        typer.Option("--kind", help="This candidate instead of the validation engines' choice."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, max=MOST_TOP, help="The best K, each in a folder of its own.")
    ] = None,
    form: Annotated[
        Literal["toml", "json", "yaml"] | None,
        typer.Option("--format", help="The configuration alone, to standard output or --out; of any complete trial."),
    ] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    artifacts: ArtifactUrl = None,
    as_json: Json = False,
) -> None:
    """Write what a scored promotion has chosen, network, boosting or the mix of both: weights, model.onnx,
    preprocessing, metrics, model card, checksums.

    `--top` ranks promoted configurations by the validation engines. An export never looks at the test engines.
    """
    from amnl_tune.errors import ConfigurationError
    from amnl_tune.files import json_text, write_content
    from amnl_tune.results.configurations import configurations, in_format
    from amnl_tune.results.shipping import ship, ship_best
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.ledger.stored import stored_spec
    from amnl_tune.search.ledger.studies import find_study

    if trial is not None and top is not None:
        raise ConfigurationError("An export is of one trial or of the best, but got --trial and --top; leave one out")
    if kind and (trial is not None or top is not None or form):
        raise ConfigurationError(
            f"--kind {kind} names what is exported, but so do --trial, --top and --format; leave one out"
        )
    places = settings(storage, home, data_dir, artifacts)
    ledger = existing_ledger(places)
    spec = stored_spec(find_study(ledger, study))
    if form:
        text = in_format(configurations(ledger, study, trial=trial, top=top), form)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_content(out, text.encode())
        return
    out = out or Path("exports") / study
    where = (ledger, spec, FleetSource(places.data_dirs), Artifacts(places.home, places.artifacts), out)
    shipped = ship_best(*where, top=top) if top else {out: ship(*where, trial=trial, kind=kind)}
    facts = [
        {
            "export": str(folder),
            "kind": str(score.kind),
            "trial": score.trial_number,
            "validation_rmse": score.validation_rmse,
        }
        | ({} if math.isnan(score.test_rmse) else {"test_rmse": score.test_rmse})
        for folder, score in shipped.items()
    ]
    if as_json:
        typer.echo(json_text(facts if top else facts[0]))
        return
    for fact in facts:
        scored = f", test RMSE {fact['test_rmse']:.2f}" if "test_rmse" in fact else ""
        typer.echo(f"{fact['export']}: {_what(fact)}, validation RMSE {fact['validation_rmse']:.2f}{scored} cycles")


def _what(fact: dict[str, Any]) -> str:
    return f"trial {fact['trial']}" if fact["kind"] == "network" else str(fact["kind"])


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
