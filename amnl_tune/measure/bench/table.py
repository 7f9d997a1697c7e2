"""The published table from measured arms: ratios, equal losses, early stopping's row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from amnl_tune.measure.bench.arms import PURE_FP16, Outcome

EARLY_STOPPING = "+ early stopping"
PUBLISHED_RATIOS = {
    "published recipe": 1.0,
    "+ mixed precision": 90 / 65,
    PURE_FP16: 90 / 58,
    "+ data loading": 90 / 57,
    EARLY_STOPPING: 90 / 45,
    "+ one optimiser step on 4 batches": 90 / 40,
}
"""Of minutes on an RTX 5000 (amnl: Efficiency as published)."""

UNSTABLE = "without a GradScaler small gradients vanish and large ones overflow, and the publication calls it unstable"

NOISE = 0.01
"""Relative difference of losses up to which they are equal, unless other dropout alone makes more."""


class Stopped(NamedTuple):
    """After how many of its `epochs` early stopping ends a run.

    Attributes:
        after: epochs; the mean over the runs. epochs: without it.
        runs: recorded ones of a study that the rule was applied to; 0: one run that was trained for this.
        same_best: how many of them had their best epoch by then.
    """

    after: float
    epochs: float
    runs: int = 0
    same_best: int = 0

    @property
    def words(self) -> str:
        """How the figure came about."""
        if not self.runs:
            return f"ended after {self.after:g} of {self.epochs:g} epochs of our real run"
        return (
            f"would have ended {self.runs} recorded full runs of this study after {self.after:.0f} of "
            f"{self.epochs:.0f} epochs in the mean, {self.same_best} of them with the same best epoch"
        )


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
    precision: str | None = None
    seconds_a_step: float | None = None
    seconds_an_epoch: float | None = None
    samples_per_second: float | None = None
    spread: float | None = None
    ratio: float | None = None
    published_ratio: float | None = None
    loss: float | None = None
    loss_difference: float | None = None
    equal_loss: bool | None = None
    note: str = ""


def published_table(
    outcomes: Sequence[Outcome],
    batch_size: int,
    steps_an_epoch: int,
    stopped: Stopped | None,
    *,
    fp16_obstacle: str | None = None,
) -> list[TrainingRow]:
    """Rows in the published order, then the others.

    Args:
        outcomes: the published recipe's first, then its twin with other dropout: their difference is the noise.
        batch_size, steps_an_epoch: of the run.
        stopped: what early stopping does to a run; None: not measured.
        fp16_obstacle: why there is no outcome of pure float16; its row stays open.
    """
    base, twin, *_ = outcomes
    noise = max(NOISE, 2 * abs(twin.loss - base.loss) / base.loss)
    rows: list[TrainingRow] = []
    for outcome in outcomes:
        accumulates = outcome.updates > 1
        if fp16_obstacle and outcome.name == "+ data loading":
            rows.append(_open(PURE_FP16, f"{fp16_obstacle}; {UNSTABLE}"))
        if accumulates:
            rows.append(_early_stopping(rows[-1], stopped))
        shortened = stopped.after / stopped.epochs if stopped and accumulates else 1.0
        row = _row(outcome, base, batch_size, steps_an_epoch, shortened)
        early = "" if stopped else "; without early stopping"
        told = f"one optimiser step on {outcome.updates} batches, so another loss{early}"
        rows.append(replace(row, note=told) if accumulates else _compared(row, noise))
    return rows


def _open(name: str, note: str) -> TrainingRow:
    """A row without figures."""
    return TrainingRow(name, "published", published_ratio=PUBLISHED_RATIOS[name], note=note)


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
        loss=None if outcome.diverged_within else outcome.loss,
        loss_difference=None if outcome.diverged_within else (outcome.loss - base.loss) / base.loss,
        note=f"diverged within {outcome.diverged_within} steps" if outcome.diverged_within else "",
    )


def _compared(row: TrainingRow, noise: float) -> TrainingRow:
    if row.loss_difference is None:
        because = f": {UNSTABLE}" if row.name == PURE_FP16 else ""
        return replace(row, equal_loss=False, note=f"{row.note}{because}")
    equal = abs(row.loss_difference) <= noise
    note = "equal loss" if equal else f"loss differs by {row.loss_difference:+.1%}, noise is {noise:.1%}"
    if row.name == PURE_FP16:
        note = f"{note} so far; {UNSTABLE}"
    return replace(row, equal_loss=equal, note=note)


def _early_stopping(before: TrainingRow, stopped: Stopped | None) -> TrainingRow:
    """A step costs what it did in the row before; there are fewer epochs."""
    assert before.ratio is not None
    if stopped is None:
        note = "not measured without --full or a promoted study: it changes the number of epochs, not a step"
        return _open(EARLY_STOPPING, note)
    return replace(
        before, name=EARLY_STOPPING, published_ratio=PUBLISHED_RATIOS[EARLY_STOPPING], loss=None, loss_difference=None,
        equal_loss=None, spread=None, ratio=before.ratio * stopped.epochs / stopped.after, note=stopped.words,
    )  # fmt: skip
