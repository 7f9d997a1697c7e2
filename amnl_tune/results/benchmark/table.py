"""The published table from measured arms: ratios, equal losses, early stopping's row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from amnl_tune.results.benchmark.contest import Outcome

__all__ = ["EARLY_STOPPING", "PUBLISHED_RATIOS", "Stopped", "TrainingRow", "published_table"]

EARLY_STOPPING = "+ early stopping"
PUBLISHED_RATIOS = {
    "published recipe": 1.0,
    "+ mixed precision": 90 / 65,
    "+ data loading": 90 / 57,
    EARLY_STOPPING: 90 / 45,
    "+ gradient accumulation x4": 90 / 40,
}
"""Of minutes on an RTX 5000 (amnl: Efficiency as published)."""

NOISE = 0.01
"""Relative difference of losses up to which they are equal, unless other dropout alone makes more."""


class Stopped(NamedTuple):
    """A run that was really trained: `after` how many of its `epochs` early stopping ended it."""

    after: int
    epochs: int


@dataclass(frozen=True)
class TrainingRow:
    """One row.

    Attributes:
        name, family: `published`, `strong` or `ours`. precision: what it computed in.
        seconds_a_step: on one batch. seconds_an_epoch: over full batches. samples_per_second: training windows.
        spread: of the bouts, as a share. ratio: times as quick as the published recipe, for as long a run; None: open.
        published_ratio: the same in the publication; None: not there.
        loss: mean raw RUL term over the last bout, cycles^2. loss_difference: from the published recipe's, as a share.
        equal_loss: that difference is noise; None: another loss is meant, or there is none.
        note: how it is to be read.
    """

    name: str
    family: str
    precision: str | None
    seconds_a_step: float | None
    seconds_an_epoch: float | None
    samples_per_second: float | None
    spread: float | None
    ratio: float | None
    published_ratio: float | None
    loss: float | None
    loss_difference: float | None
    equal_loss: bool | None
    note: str


def published_table(
    outcomes: Sequence[Outcome], batch_size: int, steps_an_epoch: int, stopped: Stopped | None
) -> list[TrainingRow]:
    """Rows in the published order, then the others.

    Args:
        outcomes: the published recipe's first, then its twin with other dropout: their difference is the noise.
        batch_size, steps_an_epoch: of the run.
        stopped: what early stopping did in a real run; None: it was not trained.
    """
    base, twin, *_ = outcomes
    noise = max(NOISE, 2 * abs(twin.loss - base.loss) / base.loss)
    rows: list[TrainingRow] = []
    for outcome in outcomes:
        accumulates = outcome.updates > 1
        if accumulates:
            rows.append(_early_stopping(rows[-1], stopped))
        shortened = stopped.after / stopped.epochs if stopped and accumulates else 1.0
        row = _row(outcome, base, batch_size, steps_an_epoch, shortened)
        rows.append(_accumulated(row, outcome.updates, stopped) if accumulates else _compared(row, noise))
    return rows


def _row(outcome: Outcome, base: Outcome, batch_size: int, steps_an_epoch: int, shortened: float) -> TrainingRow:
    return TrainingRow(
        name=outcome.name,
        family=outcome.family,
        precision=outcome.precision,
        seconds_a_step=outcome.seconds,
        seconds_an_epoch=outcome.seconds * steps_an_epoch,
        samples_per_second=batch_size / outcome.seconds,
        spread=outcome.spread,
        ratio=base.seconds / (outcome.seconds * shortened),
        published_ratio=PUBLISHED_RATIOS.get(outcome.name),
        loss=outcome.loss,
        loss_difference=(outcome.loss - base.loss) / base.loss,
        equal_loss=None,
        note="",
    )


def _compared(row: TrainingRow, noise: float) -> TrainingRow:
    assert row.loss_difference is not None
    equal = abs(row.loss_difference) <= noise
    note = "equal loss" if equal else f"loss differs by {row.loss_difference:+.1%}, noise is {noise:.1%}"
    return replace(row, equal_loss=equal, note=note)


def _accumulated(row: TrainingRow, updates: int, stopped: Stopped | None) -> TrainingRow:
    early = "" if stopped else "; without early stopping"
    return replace(row, note=f"one optimiser step on {updates} batches, so another loss{early}")


def _early_stopping(before: TrainingRow, stopped: Stopped | None) -> TrainingRow:
    """A step costs what it did in the row before; there are fewer epochs."""
    assert before.ratio is not None
    row = replace(
        before, name=EARLY_STOPPING, published_ratio=PUBLISHED_RATIOS[EARLY_STOPPING], loss=None, loss_difference=None,
        equal_loss=None, spread=None,
    )  # fmt: skip
    if stopped:
        note = f"ended after {stopped.after} of {stopped.epochs} epochs of our real run"
        return replace(row, ratio=before.ratio * stopped.epochs / stopped.after, note=note)
    note = "not measured without --full: it changes the number of epochs, not a step"
    return replace(
        row, precision=None, seconds_a_step=None, seconds_an_epoch=None, samples_per_second=None, ratio=None, note=note
    )
