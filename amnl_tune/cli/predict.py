"""`amnl-tune predict`: an export at work on a file of engines."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from amnl_tune.bounds import MOST_NUMBER
from amnl_tune.cli.options import Json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["predict"]

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
    from amnl_tune.results.bundle import load_bundle
    from amnl_tune.results.prediction import EnginePredictor
    from amnl_tune.search.devices import resolve_device
    from amnl_tune.training.heap import keep_freed_memory
    from amnl_tune.training.precision import Precision

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
