"""`amnl-tune export`, `report`, `predict`, `verify`, `compare`: what studies leave behind, used and checked."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from amnl_tune.bounds import MOST_NUMBER, MOST_TOP
from amnl_tune.cli.options import (
    ArtifactUrl,
    DataDir,
    Home,
    Json,
    Storage,
    Study,
    existing_ledger,
    existing_study,
    settings,
)

if TYPE_CHECKING:
    import pandas as pd

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
    from amnl_tune.artifacts import Artifacts
    from amnl_tune.errors import ConfigurationError
    from amnl_tune.files import json_text, write_content
    from amnl_tune.results.export.export import ship, ship_best
    from amnl_tune.results.tables import configurations, in_format
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.opening import Workspace

    if trial is not None and top is not None:
        raise ConfigurationError("An export is of one trial or of the best, but got --trial and --top; leave one out")
    if kind and (trial is not None or top is not None or form):
        raise ConfigurationError(
            f"--kind {kind} names what is exported, but so do --trial, --top and --format; leave one out"
        )
    places = settings(storage, home, data_dir, artifacts)
    known = existing_study(places, study)
    if form:
        text = in_format(configurations(known, trial=trial, top=top), form)
        if out is None:
            typer.echo(text, nl=False)
        else:
            write_content(out, text.encode())
        return
    out = out or Path("exports") / study
    kept = Artifacts(places.home, places.artifacts)
    workspace = Workspace(known.ledger, FleetSource(places.data_dirs), kept)
    if top:
        shipped = ship_best(workspace, known, out, top=top)
    else:
        shipped = {out: ship(workspace, known, out, trial=trial, kind=kind)}
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
    write_report(existing_study(places, study), out)
    typer.echo(str(out))


DIGITS = 10
"""After the point."""


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an export.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Engines in C-MAPSS form, .txt or .txt.gz, any size.")],
    out: Annotated[Path | None, typer.Option(help="CSV file; else standard output.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "tf32", "bf16", "fp16"],
        typer.Option(help="What the network computes in; auto: the quickest here within half a cycle of fp32."),
    ] = "fp32",
    ensemble: Annotated[
        bool,
        typer.Option(
            help="Tell the spread of the export's networks too: rul_mean and rul_std over their seeds (of a mix, too)."
        ),
    ] = True,
    from_cycle: Annotated[
        int,
        typer.Option(
            "--from-cycle",
            min=1,
            max=MOST_NUMBER,
            help="Accept records that begin as late as this cycle, where the model reads an engine's whole history.",
        ),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Predict RUL and health of each engine of a file, as CSV. Needs no database.

    The file is read in parts: it may be larger than memory, and so may a record.
    """
    import torch
    from rich.console import Console

    from amnl_tune.files import write_parts
    from amnl_tune.results.export.bundle import load_bundle
    from amnl_tune.results.export.prediction import EnginePredictor
    from amnl_tune.training.config import Precision
    from amnl_tune.training.execution import keep_freed_memory, resolve_device

    keep_freed_memory()
    predictor = EnginePredictor(
        load_bundle(bundle),
        torch.device(resolve_device(device)),
        Precision(precision),
        ensemble=ensemble,
        from_cycle=from_cycle,
    )
    written = distant = 0
    unknown: Counter[str] = Counter()
    with Console(stderr=True).status("Reading engines") as status:

        def told() -> Iterator[str]:
            nonlocal written, distant
            for part in predictor.stream(file):
                yield _records(part, first=not written) if as_json else _rows(part, first=not written)
                written += len(part)
                distant += int((part["condition_distance"] > predictor.known_distance).sum())
                unknown.update(part["reason"].dropna())
                status.update(f"{written:,} engines, in {predictor.precision}")
            if as_json:
                yield "\n]\n"

        if out is None:
            for text in told():
                typer.echo(text, nl=False)
        else:
            write_parts(out, (text.encode() for text in told()))
    if out is not None:
        typer.echo(f"{out}: {written} engines, in {predictor.precision}", err=True)
    if predictor.late.engines:
        typer.echo(predictor.late.assumed, err=True)
    for reason, engines in unknown.items():
        typer.echo(f"The health of {engines} engines is unknown: {reason}", err=True)
    if distant:
        typer.echo(
            f"{distant} engines ran in operating conditions that the model has not learned: their "
            f"condition_distance is above {predictor.known_distance:.2g}, the farthest of its training engines",
            err=True,
        )


def _rows(part: "pd.DataFrame", *, first: bool) -> str:
    """With the digits of the JSON."""
    floats = [name for name in part if part[name].dtype.kind == "f"]
    return part.astype(dict.fromkeys(floats, "float64")).round(DIGITS).to_csv(index=False, header=first)


def _records(part: "pd.DataFrame", *, first: bool) -> str:
    """Of one JSON array, its end still to come."""
    text = part.to_json(orient="records", indent=2, double_precision=DIGITS).removeprefix("[").removesuffix("\n]")
    return ("[" if first else ",") + text


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an export.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check an export: its files by their checksums, its figures by scoring it again. Needs no database.

    The figures are known already, so that this is no further look at the test engines.
    """
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.errors import BundleError
    from amnl_tune.files import json_text
    from amnl_tune.results.export.verify import verify as verified
    from amnl_tune.rul.sources import FleetSource

    figures = verified(bundle, FleetSource(settings(None, None, data_dir).data_dirs))
    if as_json:
        typer.echo(json_text([vars(figure) | {"equal": figure.equal} for figure in figures]))
    else:
        table = Table("figure", "recorded", "recomputed", "equal")
        for figure in figures:
            shown = (
                "not finite" if value is None else f"{value:.4f}" for value in (figure.recorded, figure.recomputed)
            )
            table.add_row(figure.name, *shown, "yes" if figure.equal else "[red]no[/]")
        Console().print(table)
    wrong = [figure.name for figure in figures if not figure.equal]
    if wrong:
        raise BundleError(
            f"An export's figures must come out again, but {', '.join(wrong)} of {bundle} differ; export it again, or "
            "compare the versions in its config.toml"
        )


SHORT = ("network valid. RMSE", "network test RMSE", "network NASA score", "defaults test RMSE", "boosting test RMSE",
         "choice test RMSE")  # fmt: skip
"""Of the figures, one word a line: the table is to fit 80 columns."""


def compare(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Names of studies.")],
    out: Annotated[Path | None, typer.Option(help="Also write one HTML file that works offline.")] = None,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare studies, or one question on several data sets: trials, epochs, validation and test figures, verdicts."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.files import json_text
    from amnl_tune.results.side_by_side import comparison_frame, shown, write_comparison

    ledger = existing_ledger(settings(storage, home))
    studies = list(dict.fromkeys(studies))
    frame = comparison_frame(ledger, studies)
    if as_json:
        typer.echo(json_text(frame.to_dict("records")))
    else:
        console, table = Console(), Table(box=SIMPLE_HEAD, show_edge=False, padding=0)
        for name in ("study", "data set", "trials, epochs", *SHORT):
            table.add_column(name.replace(" ", "\n"), overflow="fold", min_width=max(map(len, name.split())))
        for study, dataset, trials, epochs, *figures, _ in shown(frame):
            table.add_row(study, dataset, f"{trials}\n{epochs}", *(cell.replace(" ", "\n") for cell in figures))
        console.print(table)
        for study, *_, verdict in shown(frame):
            console.print(f"{study}: {verdict}", highlight=False, markup=False)
    if out is not None:
        write_comparison(ledger, studies, out)
        typer.echo(str(out), err=True)
