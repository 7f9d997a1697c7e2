import optuna
import pytest

from amnl_tune.search.optuna_parts import build_pruner, build_sampler
from amnl_tune.search.spec import PrunerTable, SamplerTable, StudySpec
from amnl_tune.search.trials import slot_seed


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
