"""`amnl-tune lr-find`: the LR range test alone."""

import json
from pathlib import Path
from typing import Annotated

import typer

from amnl_tune.cli.options import DataDir, Device, Home, Json, Storage, StudyFile, settings

__all__ = ["lr_find"]


def lr_find(
    file: StudyFile,
    out: Annotated[Path | None, typer.Option(help="HTML file of the curve; else in the home folder's reports.")] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Run a study file's LR range test, suggest learning rates and draw the curve; the study uses the same result."""
    from rich.console import Console

    from amnl_tune.cli.pipeline import on_available_data
    from amnl_tune.cli.quiet import quiet_libraries
    from amnl_tune.files import require_place
    from amnl_tune.results.figures import write_range_test
    from amnl_tune.rul.cache import cached_prepare
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.ledger.engine import Ledger
    from amnl_tune.search.ledger.schema import upgrade
    from amnl_tune.search.ledger.studies import as_begun
    from amnl_tune.search.opening import range_test
    from amnl_tune.search.range_test import prior_from
    from amnl_tune.search.study_file import load_study_spec

    quiet_libraries()
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir)
    source = FleetSource(places.data_dirs)
    spec = on_available_data(load_study_spec(file), source, console)
    out = out or places.home / "reports" / f"{spec.name}-lr-range-test.html"
    require_place(out)
    upgrade(places.storage)
    ledger = Ledger(places.storage)
    spec = as_begun(ledger, spec)
    config = spec.run_config(spec.incumbent_parameters())
    data = cached_prepare(source.training(spec.data.dataset), config, Artifacts(places.home).prepared)
    with console.status("Learning rate range test"):
        test = range_test(ledger, spec, data, device=device or spec.hardware.device)
    write_range_test(test, out)
    prior = prior_from(test, spec)
    facts = {
        "suggested": test.suggested,
        "rule": spec.lr_range_test.suggestion,
        "used": prior.suggested,
        "prior": prior.interval,
        "iterations": len(test.curve.lr),
        "figure": str(out),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for rule, rate in test.suggested.items():
        mark = "  <- the study file's rule" if rule == spec.lr_range_test.suggestion else ""
        console.print(f"{rule:<12}{'no fall in the curve' if rate is None else f'{rate:.3g}'}{mark}", highlight=False)
    if prior.interval:
        console.print(f"A study would search {prior.interval[0]:.3g} to {prior.interval[1]:.3g}", highlight=False)
    console.print(f"Curve ({len(test.curve.lr)} iterations): {out}", highlight=False, soft_wrap=True)
