"""What a study asks of a machine: its runs in steps and windows, before any of them has a duration."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import optuna

from amnl_tune.measure.plan.run_lengths import Lengths, Records, promoted_lengths, trial_lengths
from amnl_tune.measure.work import BALANCED, BALANCED_PASSES, PASSES, forward_work, step_work
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.probe import step_settings

DRAWN = 64
"""Configurations that stand for the search space."""


@dataclass(frozen=True)
class Job:
    """One configuration's training.

    Attributes:
        shape: equal for configurations whose steps take equally long.
        steps, windows: an epoch. validated: windows scored after each; at_end: after the last one, in addition.
        step_work: multiply-adds of a step. forward_work: of a window's forward pass.
    """

    shape: str
    steps: int
    windows: int
    validated: int
    at_end: int
    step_work: float
    forward_work: float


@dataclass(frozen=True)
class Demand:
    """Of a whole study.

    Attributes:
        study: its name. dataset: of it.
        trials: `[budget]`'s. incumbent: the published defaults' job, the first trial.
        drawn: jobs of trials, drawn from the space. promoted: the same at full length.
        range_test: the LR range test's iterations, on the incumbent; 0: none.
        promotions: configurations that are promoted, and how many of them at least: the published defaults may be
            among the best. seeds: runs of each.
        configs: a configuration of each shape.
        trial_lengths, full_lengths: epochs of the trials and of the promoted runs.
    """

    study: str
    dataset: str
    trials: int
    incumbent: Job
    drawn: tuple[Job, ...]
    promoted: tuple[Job, ...]
    promoted_incumbent: Job
    range_test: int
    promotions: tuple[int, int]
    seeds: int
    configs: Mapping[str, RunConfig]
    trial_lengths: Lengths
    full_lengths: Lengths

    @property
    def jobs(self) -> dict[str, Job]:
        """One of each shape."""
        return {job.shape: job for job in (*self.drawn, *self.promoted, self.promoted_incumbent, self.incumbent)}


def demand_of(spec: StudySpec, data: PreparedData, records: Records | None = None) -> Demand:
    """The study's runs on its data; what the sampler will choose is drawn uniformly, with the study's seed."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=spec.seed))
    settled, records = spec.settled(), records or Records()
    sampled = [spec.run_config(spec.space.ask(study.ask(), settled)) for _ in range(DRAWN)]
    incumbent = spec.run_config(spec.incumbent_parameters())
    seed = spec.promotion.seeds[0]
    full = [spec.promotion_config(config, seed) for config in (*sampled, incumbent)]
    counted: dict[tuple[int, bool, int], int] = {}
    jobs = {config: job_of(config, data, counted) for config in (*sampled, incumbent, *full)}
    top = min(spec.promotion.top_k, spec.budget.trials)
    both = min(top + spec.promotion.incumbent, spec.budget.trials)
    promotions, seeds = (top, both) if spec.promotion.enabled else (0, 0), len(spec.promotion.seeds)
    least, runs = (configurations * seeds for configurations in promotions)
    return Demand(
        study=spec.name,
        dataset=data.dataset,
        trials=spec.budget.trials,
        incumbent=jobs[incumbent],
        drawn=tuple(jobs[config] for config in sampled),
        promoted=tuple(jobs[config] for config in full[:-1]),
        promoted_incumbent=jobs[full[-1]],
        range_test=spec.lr_range_test.iterations(incumbent.batch_size) if spec.lr_range_test.enabled else 0,
        promotions=promotions,
        seeds=seeds,
        configs={job.shape: config for config, job in jobs.items()},
        trial_lengths=trial_lengths(spec, records),
        full_lengths=promoted_lengths(spec, full[-1], records, least=least, runs=runs),
    )


def job_of(config: RunConfig, data: PreparedData, counted: dict[tuple[int, bool, int], int]) -> Job:
    """A configuration's job; `counted` remembers windows by (span, padded, stride).

    Raises:
        ConfigurationError: windows longer than every engine.
    """
    place = config.span, config.pad_short, config.stride
    if place not in counted:
        counted[place] = len(data.training_windows(config, config.stride))
    windows = counted[place]
    cut = len(data.validation_windows())
    return Job(
        shape=shape_of(config),
        steps=math.ceil(windows / config.batch_size),
        windows=windows,
        validated=len(data.validation_windows(config.validation_subset)),
        at_end=cut + len(data.all_validation_windows(config)),
        step_work=step_work(config),
        forward_work=forward_work(config),
    )


def shape_of(config: RunConfig) -> str:
    """Of a configuration's step."""
    passes = BALANCED_PASSES if config.loss in BALANCED else PASSES
    return json.dumps(step_settings(config) | {"loss": passes, "ema_decay": config.ema_decay > 0}, sort_keys=True)


def representative(demand: Demand, most: int) -> list[RunConfig]:
    """Configurations to time, one a shape, of work from the least to the most: the ends and the incumbent first."""
    jobs = sorted(demand.jobs.values(), key=lambda job: job.step_work)
    places = [0, len(jobs) - 1, len(jobs) // 2, len(jobs) // 4, 3 * len(jobs) // 4]
    ordered = [demand.incumbent, *(jobs[place] for place in places), *jobs]
    return [demand.configs[shape] for shape in dict.fromkeys(job.shape for job in ordered)][:most]
