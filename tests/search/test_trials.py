"""A trial that several workers have asked for is the trial that one of them would have had."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text

from amnl_tune.database.optuna_storage import joined
from amnl_tune.errors import StorageError
from amnl_tune.ledger.leases import Lease, LeaseLostError, budget_of, claim, release
from amnl_tune.ledger.studies import find_study
from amnl_tune.search import runner
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.sections import SamplerTable
from amnl_tune.studies.spec import StudySpec

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


class DiedError(Exception):
    """A worker is gone."""


def trials(place: Workplace) -> list[FrozenTrial]:
    return place.storage.get_all_trials(1)


def claimed(place: Workplace, owner: str) -> Lease:
    found = claim(find_study(place.ledger, place.spec.name), owner, budget_of(place.study), ttl=60.0)
    assert found is not None
    return found[0]


def interrupted(monkeypatch: pytest.MonkeyPatch, error: Exception, *, after: int) -> Callable[[], int]:
    """Lets Optuna write `after` parameters, then fail; gives how many it wrote."""
    whole, passages = RDBStorage._set_trial_param, 0

    def struck(*args: Any, **kwargs: Any) -> None:
        nonlocal passages
        if passages == after:
            raise error
        whole(*args, **kwargs)
        passages += 1

    monkeypatch.setattr(RDBStorage, "_set_trial_param", struck)
    return lambda: passages


@pytest.mark.parametrize("sampler", ["RandomSampler", "TPESampler"])
@pytest.mark.parametrize("written", [1, 2])
def test_whoever_goes_on_in_the_middle_of_an_ask_gets_the_same_parameters(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch, sampler: str, written: int
) -> None:
    spec = spec.model_copy(update={"sampler": SamplerTable(name=sampler)})
    _, undisturbed = open_tiny(spec.model_copy(update={"name": "undisturbed"}))
    _, place = open_tiny(spec)
    for number in range(3):  # the third is the sampler's
        runner._begin(undisturbed, claimed(undisturbed, f"w{number}"))
    for number in range(2):
        runner._begin(place, claimed(place, f"w{number}"))
    lease = claimed(place, "w2")
    with monkeypatch.context() as patched:
        passages = interrupted(patched, DiedError(), after=written)
        with pytest.raises(DiedError):
            runner._begin(place, lease)
        assert passages() == written
    study = place.storage.get_study_id_from_name(spec.name)
    assert len(place.storage.get_all_trials(study)) == 2, "nothing half asked"
    runner._begin(place, lease)
    asked = place.storage.get_all_trials(study)[2]
    assert len(asked.params) == 3
    assert asked.params == undisturbed.storage.get_all_trials(1)[2].params


def test_a_trial_that_has_begun_is_begun_with(spec: StudySpec, open_tiny: OpenTiny) -> None:
    """The acknowledgement of a commit may be lost; then the step is taken again."""
    _, place = open_tiny(spec)
    lease = claimed(place, "w1")
    (first, config), (again, same) = runner._begin(place, lease), runner._begin(place, lease)
    assert (first.trial_number, first.trial_id, config) == (again.trial_number, again.trial_id, same)
    assert len(trials(place)) == 1


def test_who_has_lost_the_lease_makes_no_trial(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    lease = claimed(place, "sleeper")
    release(place.ledger, lease)
    run, _ = runner._begin(place, claimed(place, "successor"))
    assert run.id == lease.run
    with pytest.raises(LeaseLostError, match=r"run \d+ is no longer sleeper's"):
        runner._begin(place, lease)
    assert [trial.user_attrs["slot"] for trial in trials(place)] == [run.slot]


def test_what_the_database_refuses_first_is_what_is_said(spec: StudySpec, open_tiny: OpenTiny) -> None:
    """Optuna tries to make a trial again, in a transaction that has been rolled back."""
    _, place = open_tiny(spec)
    large = create_trial(state=TrialState.RUNNING, user_attrs={"large": "x" * 100_000})
    with (
        pytest.raises(StorageError, match="disk is full; free space"),
        place.ledger.write() as session,
        joined(place.storage, session),
    ):
        session.execute(text("pragma max_page_count = 1"))  # as many as there are
        place.storage.create_new_trial(1, large)
    assert trials(place) == []
    place.storage.create_new_trial(1, large)
    assert len(trials(place)) == 1
