"""A trial that several workers have asked for is the trial that one of them would have had."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna.storages import RDBStorage

from amnl_tune.search import trials
from amnl_tune.search.ledger.models import Origin, RunRow
from amnl_tune.search.ledger.runs import Lease, LeaseLostError, claim, release
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.spec_tables import SamplerTable
from amnl_tune.search.trials import attach_trial, borrowed_storage, fenced, frozen
from amnl_tune.search.worker import budget_of
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


def claimed(place: Workplace, owner: str) -> tuple[Lease, RunRow]:
    found = claim(place.ledger, place.spec.name, owner, budget_of(place.spec, place.prior), ttl=60.0)
    assert found is not None
    return found


def test_who_has_lost_the_lease_between_looking_for_the_trial_and_making_it_makes_none(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)
    lease, run = claimed(place, "sleeper")
    whole = trials.create_trial

    def overslept(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(trials, "create_trial", whole)
        release(place.ledger, lease)
        again, same = claimed(place, "successor")
        assert same.id == run.id
        with borrowed_storage(place.ledger) as other, fenced(other, again):
            attach_trial(other, place.spec, place.prior, same)
        return whole(*args, **kwargs)

    monkeypatch.setattr(trials, "create_trial", overslept)
    with pytest.raises(LeaseLostError, match=r"run \d+ is no longer sleeper's"), fenced(place.storage, lease):
        attach_trial(place.storage, place.spec, place.prior, run)
    assert [trial.user_attrs["slot"] for trial in place.storage.get_all_trials(1)] == [run.slot]
