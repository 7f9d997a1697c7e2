import math

import optuna
import pytest

from amnl_tune.search.trials import slot_seed
from amnl_tune.studies.optuna_parts import build_pruner, build_sampler
from amnl_tune.studies.sections import PrunerTable, SamplerTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec


@pytest.mark.parametrize("name", ["TPESampler", "RandomSampler", "QMCSampler", "GPSampler"])
def test_samplers_by_optuna_s_names(name: str, spec: StudySpec) -> None:
    named = spec.model_copy(update={"sampler": SamplerTable(name=name)})
    assert type(build_sampler(named, 3)).__name__ == name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SuccessiveHalvingPruner", {}),
        ("HyperbandPruner", {"min_resource": 2, "max_resource": 20}),
        ("MedianPruner", {"n_warmup_steps": 5}),
        ("PercentilePruner", {"percentile": 25.0}),
        ("ThresholdPruner", {"upper": 50.0}),
        ("PatientPruner", {"patience": 3}),
        ("NopPruner", {}),
    ],
)
def test_pruners_by_optuna_s_names(name: str, options: dict[str, object], spec: StudySpec) -> None:
    named = spec.model_copy(update={"pruner": PrunerTable.model_validate({"name": name} | options)})
    assert type(build_pruner(named)).__name__ == name


def test_the_default_pruner_first_cuts_after_three_epochs(spec: StudySpec) -> None:
    pruner = build_pruner(spec.model_copy(update={"pruner": PrunerTable()}))
    assert isinstance(pruner, optuna.pruners.SuccessiveHalvingPruner)
    assert (pruner._min_resource, pruner._reduction_factor) == (3, 4)


def test_slots_draw_differently_and_repeatably(spec: StudySpec) -> None:
    assert len({slot_seed(spec.seed, slot) for slot in range(1000)}) == 1000

    def draw(slot: int) -> dict[str, object]:
        study = optuna.create_study(sampler=build_sampler(spec, slot_seed(spec.seed, slot)))
        return spec.space.ask(study.ask(), {})

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_only_a_conditional_space_is_sampled_in_groups(tiny_study: str) -> None:
    when = "[space.dropout]\ntype = 'float'\nlow = 0.1\nhigh = 0.5\nwhen = {batch_size = [32]}\n"
    plain = tiny_study.replace("RandomSampler", "TPESampler")
    for text, group in ((plain, False), (f"{plain}\n{when}", True)):
        sampler = build_sampler(parse_study_spec(text), 1)
        assert isinstance(sampler, optuna.samplers.TPESampler)
        assert sampler._group is group


def test_a_file_s_options_reach_optuna(spec: StudySpec) -> None:
    tuned = spec.model_copy(
        update={"sampler": SamplerTable.model_validate({"name": "TPESampler", "n_startup_trials": 3})}
    )
    sampler = build_sampler(tuned, 1)
    assert isinstance(sampler, optuna.samplers.TPESampler)
    assert sampler._n_startup_trials == 3


@pytest.mark.parametrize("scramble", [False, True])
def test_slots_share_one_quasi_random_sequence(scramble: bool, spec: StudySpec) -> None:
    table = SamplerTable.model_validate({"name": "QMCSampler", "scramble": scramble})
    named = spec.model_copy(update={"sampler": table})
    study = optuna.create_study()
    drawn = []
    for slot in range(9):
        study.sampler = build_sampler(named, slot_seed(spec.seed, slot))
        trial = study.ask()
        drawn.append(spec.space.ask(trial, {})["learning_rate"])
        study.tell(trial, 1.0)
    assert len(set(drawn)) == 9
    eighths = sorted(int(8 * (math.log10(rate) + 4) / 3) for rate in drawn[1:])  # Sobol: one in each eighth
    assert eighths == list(range(8))


@pytest.mark.parametrize("name", ["MedianPruner", "PercentilePruner"])
def test_no_pruner_cuts_within_the_first_epochs_by_default(name: str, spec: StudySpec) -> None:
    table = PrunerTable.model_validate({"name": name} | ({"percentile": 25.0} if name == "PercentilePruner" else {}))
    pruner = build_pruner(spec.model_copy(update={"pruner": table}))
    assert isinstance(pruner, optuna.pruners.PercentilePruner)
    assert pruner._n_warmup_steps == 5
