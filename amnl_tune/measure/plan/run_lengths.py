"""How many epochs runs will use: as those of recorded studies, or as the study's pruner would have it.

Without a record an interval runs from all trials pruned at their first rung to none pruned. What is expected inside it
then follows from the rule alone: how often a trial whose rank is as good as drawn passes it.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import optuna
from sqlalchemy import select

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow, RunStatus, StudyRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.standing import HALVING, PERCENTILE, Competition
from amnl_tune.ledger.stored import stored_config, told_apart
from amnl_tune.search.policy import competition
from amnl_tune.search.trials import bracket_of
from amnl_tune.studies.optuna_parts import build_pruner, experiments_intended
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.state import epochs_until_stopped

Z = 1.645
"""Standard deviations: a share of 5% lies beyond each end of an interval."""


@dataclass(frozen=True)
class Lengths:
    """Epochs of each run, in the order of their start.

    Attributes:
        fewest: what pruning and early stopping leave at least, of the runs that there are at least.
        expected, most: of all runs. source: how the interval is known, for people; empty: there is no doubt.
    """

    fewest: tuple[float, ...]
    expected: tuple[float, ...]
    most: tuple[float, ...]
    source: str = ""

    def as_recorded(self, lengths: Sequence[int], source: str) -> "Lengths":
        """With the mean of recorded runs, and ends that their scatter allows; unchanged where there are not two."""
        if len(lengths) < 2:
            return self
        mean = min(statistics.fmean(lengths), self.most[0])
        doubt = Z * statistics.stdev(lengths) * math.sqrt(1 / len(self.most) + 1 / len(lengths))
        return Lengths(
            fewest=tuple(max(least, mean - doubt) for least in self.fewest),
            expected=(mean,) * len(self.expected),
            most=tuple(min(most, mean + doubt) for most in self.most),
            source=source,
        )


@dataclass(frozen=True)
class Records:
    """Of one study, or of several.

    Attributes:
        trials: epochs of trials that have ended under the same rules. promoted: of full runs, or what early stopping
            would have left of them. studies: whose they are.
    """

    trials: tuple[int, ...] = ()
    promoted: tuple[int, ...] = ()
    studies: tuple[str, ...] = ()


def recorded(ledger: Ledger, spec: StudySpec) -> Records:
    """The study's own runs, or those of the storage's others on the same data set, of the same length and pruner."""

    def rules(one: StudySpec) -> tuple[object, ...]:
        return one.data.dataset, one.trial.epochs, one.pruner, one.fixed.get("patience")

    with ledger.read() as session:
        specs, _ = told_apart(session.scalars(select(StudyRow).where(StudyRow.dataset == spec.data.dataset)))
        alike = [name for name, other in specs.items() if rules(other) == rules(spec)]
        ended = RunRow.status.in_((RunStatus.COMPLETE, RunStatus.PRUNED))
        query = select(RunRow).where(RunRow.study.in_(alike), RunRow.promotion == 0, ended)
        trials = list(session.scalars(query))
    if any(run.study == spec.name for run in trials):
        trials = [run for run in trials if run.study == spec.name]
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), spec.promotion.seeds[0])
    promoted = []
    for config, curve in full_curves(ledger, list(specs)) if full.patience else ():
        if full.patience and config.epochs == full.epochs and config.patience in (None, full.patience):
            promoted.append(epochs_until_stopped(curve, patience=full.patience, min_delta=full.min_delta))
    return Records(
        trials=tuple(run.epochs_done for run in trials),
        promoted=tuple(promoted),
        studies=tuple(dict.fromkeys(run.study for run in trials)),
    )


def full_curves(ledger: Ledger, studies: Sequence[str]) -> list[tuple[RunConfig, list[float]]]:
    """Configurations and validation RMSEs (cycles, by epoch) of the studies' complete full runs that can be read."""
    with ledger.read() as session:
        query = select(RunRow).where(
            RunRow.study.in_(studies), RunRow.promotion > 0, RunRow.status == RunStatus.COMPLETE
        )
        runs = {run.id: run for run in session.scalars(query)}
        curves: dict[int, list[float]] = {}
        of_runs = (
            select(EpochRow.run, EpochRow.validation_rmse)
            .join(RunRow, RunRow.id == EpochRow.run)
            .where(RunRow.study.in_(studies), RunRow.promotion > 0, RunRow.status == RunStatus.COMPLETE)
            .where(EpochRow.validation_rmse.is_not(None))
        )
        for run, rmse in session.execute(of_runs.order_by(EpochRow.number)):
            curves.setdefault(run, []).append(rmse or 0.0)
    found = []
    for run, curve in curves.items():
        with suppress(StudyError):  # another version's: it spoils nobody's plan
            found.append((stored_config(runs[run]), curve))
    return found


def trial_lengths(spec: StudySpec, records: Records) -> Lengths:
    """Of the search's trials."""
    epochs, count = spec.trial.epochs, spec.budget.trials
    patience = spec.run_config(spec.incumbent_parameters()).patience
    stop = min(epochs, patience + 1) if patience else epochs
    arrived: dict[tuple[int, int], float] = defaultdict(float)
    passed: dict[tuple[int, int], float] = defaultdict(float)
    due: dict[int, list[tuple[int, Competition]]] = {}
    fewest, expected = [], []
    for bracket in _brackets(spec):
        alive, length, before, least = 1.0, 0.0, 0, stop
        for number, question in due.setdefault(bracket, _decisions(spec, bracket)):
            arrived[bracket, number] += alive
            passes = _passing(question, max(1, round(arrived[bracket, number])), passed[bracket, number])
            passed[bracket, number] += alive * passes
            length += alive * (number - before)
            least = min(least, number) if alive == 1.0 and passes < 1.0 else least
            alive, before = alive * passes, number
        fewest.append(float(least))
        expected.append(length + alive * (epochs - before))
    pruned = "all pruned at the first rung ... none pruned" if any(due.values()) else ""
    source = pruned or ("all stopped early ... none stopped early" if stop < epochs else "")
    lengths = Lengths(tuple(fewest), tuple(expected), (float(epochs),) * count, source)
    named = "this study" if records.studies == (spec.name,) else f"earlier studies ({', '.join(records.studies)})"
    return lengths.as_recorded(records.trials, f"as {len(records.trials)} trials of {named}")


def promoted_lengths(spec: StudySpec, config: RunConfig, records: Records, *, least: int, runs: int) -> Lengths:
    """Of promoted runs, which nothing but early stopping ends; one that goes on from its trial has that behind it.

    Args:
        spec: of the study. config: of a full run. records: of earlier ones.
        least, runs: how many there are at least, and at most.
    """
    behind = spec.trial.epochs if spec.trial.horizon else 0
    most = float(max(0, config.epochs - behind))
    fewest = most if config.patience is None else float(max(0, min(config.epochs, config.patience + 1) - behind))
    source = "all stopped early ... none stopped early" if fewest < most else ""
    lengths = Lengths((fewest,) * least, (most,) * runs, (most,) * runs, source)
    if not runs or not source:
        return replace(lengths, source="")
    known = [max(0, epochs - behind) for epochs in records.promoted]
    return lengths.as_recorded(known, f"as {len(known)} recorded full runs")


def _brackets(spec: StudySpec) -> list[int]:
    """Of every trial: under Hyperband Optuna draws them from the study's name."""
    if spec.pruner.name != "HyperbandPruner":
        return [0] * spec.budget.trials
    with experiments_intended():
        study = optuna.create_study(study_name=spec.name, pruner=build_pruner(spec))
        return [bracket_of(study.ask()) for _ in range(spec.budget.trials)]


def _decisions(spec: StudySpec, bracket: int) -> list[tuple[int, Competition]]:
    """Epochs after which a trial may be pruned, with the question that decides, by the worst of curves.

    Every rung of halving; elsewhere the first, since who passes it tends to pass the next ones.
    """
    curve = [float(number) for number in range(1, spec.trial.epochs + 1)]
    found = []
    for number in range(1, spec.trial.epochs):
        questions = (competition(spec, bracket, curve[:number], reported) for reported in (-math.inf, math.inf))
        asked = [question for question in questions if question not in (Competition(), Competition.settled(False))]
        found += [(number, question) for question in asked[:1]]
    return found if found and found[0][1].query == HALVING else found[:1]


def _passing(question: Competition, place: int, passed: float) -> float:
    """How likely the `place`-th trial at a decision is to pass it, if its rank is as good as drawn.

    A percentile is that of the complete trials: `passed` of those before, as good as the best.
    """
    values = question.parameters or {}
    if question.query == HALVING:
        return 0.0 if place <= values["bootstrap_count"] else max(1, place // int(values["reduction_factor"])) / place
    if question.query == PERCENTILE:
        startup = max(1, int(values["n_startup_trials"]))
        return 1.0 if place <= startup else float(values["quantile"]) * passed / (place - 1)
    return 0.5  # a threshold, or patience: only curves could tell
