"""What surrounds the training, measured on a few real trials of next to no training, in a home that is thrown away."""

import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median

from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow
from amnl_tune.measure.plan.pace import Overheads
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.settings import sqlite_url
from amnl_tune.studies.run_settings import OWNED
from amnl_tune.studies.sections import BudgetTable, PromotionTable, PrunerTable, RangeTestTable, TrialTable
from amnl_tune.studies.space import FloatEntry, Space
from amnl_tune.studies.spec import StudySpec

TRIALS, EPOCHS = 3, 3
FAR_APART = 100_000
"""Cycles between training windows: an engine has one."""


def measure_overheads(
    spec: StudySpec, data: PreparedData, source: FleetSource, prepared: Path, *, device: str, threads: int
) -> Overheads:
    """Three trials of three epochs with the study's network and a step or two an epoch, on an SQLite file of their own.

    The first trial loads what later ones find loaded; that counts as the worker's start.

    Args:
        spec: the study's. data: its training engines. source: where they come from.
        prepared: folder with the prepared data.
        device: of the trials. threads: of torch, put back afterwards by whoever cares.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "prepared").symlink_to(prepared.absolute(), target_is_directory=True)
        url = sqlite_url(home / "rehearsal.db")
        ledger = Ledger(url)
        try:
            small = _small(spec, data)
            open_study(Workspace(ledger, source, Artifacts(home)), small, device=device)
            place = open_workplace(url, small.name, source, Artifacts(home), device=device)
            try:
                work(place, threads=threads)
            finally:
                place.storage.remove_session()
                place.storage.engine.dispose()
                place.ledger.close()
            return _of(ledger)
        finally:
            ledger.close()


def _small(spec: StudySpec, data: PreparedData) -> StudySpec:
    """The incumbent's network with a window an engine, pruned at the last epoch but one: no full pass at the end."""
    incumbent = spec.run_config(spec.incumbent_parameters())
    windows = len(data.training_windows(incumbent, FAR_APART))
    batch = min(windows, incumbent.batch_size)
    fixed = {name: value for name, value in incumbent.plain().items() if name not in OWNED and value is not None}
    fixed |= {
        "stride": FAR_APART,
        "batch_size": batch,
        "accumulation_steps": min(incumbent.accumulation_steps, batch),
    }
    return spec.model_copy(
        update={
            "budget": BudgetTable(trials=TRIALS),
            "trial": TrialTable(epochs=EPOCHS + 1, checkpoint_every=spec.trial.checkpoint_every),
            "pruner": PrunerTable.model_validate({"name": "ThresholdPruner", "upper": 0.0, "n_warmup_steps": EPOCHS}),
            "lr_range_test": RangeTestTable(enabled=False),
            "fixed": fixed,
            "incumbent": {},
            "space": Space({"learning_rate": FloatEntry(type="float", low=1e-4, high=1e-2, log=True)}),
            "promotion": PromotionTable(enabled=False),
        }
    )


def _of(ledger: Ledger) -> Overheads:
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow).order_by(RunRow.slot)))
        epochs = list(session.scalars(select(EpochRow).order_by(EpochRow.run, EpochRow.number)))
    between = [
        after.recorded_at - before.recorded_at - after.seconds
        for before, after in pairwise(epochs)
        if before.run == after.run
    ]
    curves = [[row for row in epochs if row.run == run.id] for run in runs]
    around = [
        (curve[0].recorded_at - curve[0].seconds - (run.started_at or 0.0))
        + ((run.finished_at or 0.0) - curve[-1].recorded_at)
        for run, curve in zip(runs, curves, strict=True)
    ]
    later = max(0.0, median(around[1:]))
    return Overheads(start=max(0.0, around[0] - later), run=later, epoch=max(0.0, median(between)))
