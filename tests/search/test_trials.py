"""A trial that several workers have asked for is the trial that one of them would have had."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna.storages import RDBStorage

from amnl_tune.search.ledger.models import Origin, RunRow
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.spec_tables import SamplerTable
from amnl_tune.search.trials import attach_trial, frozen
from amnl_tune.search.workplace import Workplace

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


class DiedError(Exception):
    """A worker is gone."""


def parameters(place: Workplace, slot: int) -> dict[str, Any]:
    run = RunRow(study=place.spec.name, slot=slot, origin=Origin.SAMPLER)
    trial, sampled = attach_trial(place.storage, place.spec, place.prior, run)
    assert frozen(trial).params == sampled
    return sampled


@pytest.mark.parametrize("sampler", ["RandomSampler", "TPESampler"])
@pytest.mark.parametrize("written", [1, 2])
def test_whoever_goes_on_in_the_middle_of_an_ask_gets_the_same_parameters(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch, sampler: str, written: int
) -> None:
    spec = spec.model_copy(update={"sampler": SamplerTable(name=sampler)})
    _, place = open_tiny(spec)
    undisturbed = parameters(place, slot=7)
    assert len(undisturbed) == 3

    whole, passages = RDBStorage._set_trial_param, 0

    def struck(*args: Any, **kwargs: Any) -> None:
        nonlocal passages
        whole(*args, **kwargs)
        passages += 1
        if passages == written:
            raise DiedError

    trial = next(t for t in place.storage.get_all_trials(1) if t.user_attrs["slot"] == 7)
    assert trial.params == undisturbed
    place.storage.set_trial_user_attr(trial._trial_id, "slot", 99)  # so that the slot is asked for once more

    with monkeypatch.context() as patched:
        patched.setattr(RDBStorage, "_set_trial_param", struck)
        with pytest.raises(DiedError):
            parameters(place, slot=7)
    assert parameters(place, slot=7) == undisturbed
