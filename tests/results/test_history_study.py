"""A study whose space has history channels, lists among them, through everything that a study goes through."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import RunRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.studies import find_study
from amnl_tune.measure.plan.demand import demand_of, shape_of
from amnl_tune.measure.work import forward_work
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.promotion.scores import TestScores
from amnl_tune.promotion.scoring import ensure_scored
from amnl_tune.results.export.bundle import load_bundle
from amnl_tune.results.export.export import ship
from amnl_tune.results.export.prediction import predict
from amnl_tune.results.export.verify import verify
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import importance_frame, trials_frame
from amnl_tune.results.gallery import pictures
from amnl_tune.results.tables import TableName, study_table, write_table
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study, warm_starts
from amnl_tune.search.replay import recorded_run, replay
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig

pytestmark = pytest.mark.slow

SPACE = """
[space.ewma]
type = "categorical"
choices = [[], [0.1], [0.3, 0.05]]

[space.age]
type = "categorical"
choices = [false, true]

[space.deviation]
type = "int"
low = 0
high = 10
step = 5

[space.pool]
type = "int"
low = 1
high = 2

[space.drop_settings]
type = "categorical"
choices = [false, true]
"""


def study_text() -> str:
    text = (Path(__file__).parents[1] / "tiny.toml").read_text().replace("trials = 4", "trials = 6")
    return text.replace("stride = 8", "stride = 8\npad_short = true") + SPACE


@dataclass(frozen=True)
class Done:
    spec: StudySpec
    ledger: Ledger
    source: FleetSource
    artifacts: Artifacts
    scores: TestScores


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, fleet_dir: Path) -> Iterator[Done]:
    home = tmp_path_factory.mktemp("history")
    spec = parse_study_spec(study_text(), name="history")
    ledger, artifacts, source = Ledger(f"sqlite:///{home / 'a.db'}"), Artifacts(home), FleetSource((fleet_dir,))
    open_study(Workspace(ledger, source, artifacts), spec, device="cpu")
    place = open_workplace(
        ledger.url.render_as_string(hide_password=False), spec.name, source, artifacts, tensorboard=False
    )
    work(place, threads=1)
    number = open_promotion(find_study(ledger, spec.name), top_k=2, seeds=[42, 123, 456])
    work(place, threads=1)
    yield Done(
        spec,
        ledger,
        source,
        artifacts,
        ensure_scored(Workspace(ledger, source, artifacts), find_study(ledger, spec.name), number=number),
    )
    ledger.close()


def configs(done: Done) -> dict[int, RunConfig]:
    """By trial."""
    with done.ledger.read() as session:
        rows = session.scalars(select(RunRow).where(RunRow.promotion == 0, RunRow.study == "history")).all()
    return {
        row.trial_number: RunConfig.model_validate_json(row.config or "")
        for row in rows
        if row.trial_number is not None
    }


def test_optuna_keeps_lists_as_their_text(done: Done) -> None:
    page = optuna.load_study(study_name="history", storage=done.ledger.url.render_as_string(hide_password=False))
    known = configs(done)
    assert len(known) == len(page.trials) == 6
    for trial in page.trials:
        config = known[trial.number].plain()
        assert trial.params["ewma"] == json.dumps(config["ewma"])
        assert {name: config[name] for name in ("age", "deviation", "pool")} == {
            name: trial.params[name] for name in ("age", "deviation", "pool")
        }
    assert known[0].plain()["ewma"] == []  # the published defaults
    assert not known[0].needs_whole_record
    assert len({str(config.ewma) for config in known.values()}) > 1


def test_tables_and_figures_bear_lists(done: Done, tmp_path: Path) -> None:
    frame = trials_frame(find_study(done.ledger, "history"))
    assert set(frame["ewma"]) <= {"[]", "[0.1]", "[0.3, 0.05]"}
    for ending in ("csv", "parquet"):
        write_table(study_table(find_study(done.ledger, "history"), TableName.TRIALS), tmp_path / f"trials.{ending}")
    assert {picture.key for picture in pictures(find_study(done.ledger, "history"))} >= {
        "amnl-slices",
        "amnl-promotion",
    }
    importance_frame(find_study(done.ledger, "history"))
    assert json.dumps(summarize(find_study(done.ledger, "history"))["best_trials"])


def test_a_trial_is_replayed_bit_for_bit(done: Done) -> None:
    data = Workspace(done.ledger, done.source, done.artifacts).data_of(find_study(done.ledger, "history"))
    with_history = [number for number, config in configs(done).items() if config.needs_whole_record]
    assert with_history
    for number in with_history[:2]:
        assert replay(recorded_run(find_study(done.ledger, "history"), number), data, device=torch.device("cpu")).equal


def test_its_best_configurations_start_another_study(done: Done) -> None:
    other = parse_study_spec(study_text() + '\n[warm_start]\nfrom = ["history"]\ntop = 3\n', name="next")
    found = warm_starts(done.ledger, other, find_study(done.ledger, "history").prior)
    assert found
    assert all(isinstance(start["parameters"]["ewma"], list) for start in found)


def test_a_plan_counts_the_channels(done: Done) -> None:
    data = Workspace(done.ledger, done.source, done.artifacts).data_of(find_study(done.ledger, "history"))
    demand = demand_of(done.spec, data)
    plain = done.spec.run_config(done.spec.incumbent_parameters())
    more = plain.replaced(age=True, ewma=[0.3, 0.05])
    assert forward_work(more) > forward_work(plain)
    assert shape_of(more) != shape_of(plain)
    assert {config.pool for config in demand.configs.values()} == {1, 2}


@pytest.mark.parametrize("kind", ["network", "boosting", "mix"])
def test_every_candidate_can_be_shipped_verified_and_asked(done: Done, kind: str, tmp_path: Path) -> None:
    score = ship(
        Workspace(done.ledger, done.source, done.artifacts),
        find_study(done.ledger, done.spec.name),
        tmp_path / kind,
        kind=kind,
    )
    assert score.kind == kind
    assert all(figure.equal for figure in verify(tmp_path / kind, done.source))
    bundle = load_bundle(tmp_path / kind)
    assert bundle.metrics["kind"] == kind
    card = (tmp_path / kind / "README.md").read_text()
    assert ("first cycle" in card) == bundle.needs_whole_record
    predicted = predict(bundle, done.source.test("SIM1").frame)["rul"].to_numpy()
    expected = np.array(score.predicted)
    if kind == "network":
        best = min(score.by_seed, key=lambda seed: score.by_seed[seed]["validation_rmse"])
        expected = np.array(score.predicted_by_seed[best])
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-3)


def test_the_choice_is_what_is_shipped_unless_told(done: Done, tmp_path: Path) -> None:
    assert (
        ship(
            Workspace(done.ledger, done.source, done.artifacts), find_study(done.ledger, done.spec.name), tmp_path / "a"
        ).kind
        == done.scores.choice
    )
    trial = done.scores.winner.trial_number
    assert (
        ship(
            Workspace(done.ledger, done.source, done.artifacts),
            find_study(done.ledger, done.spec.name),
            tmp_path / "b",
            trial=trial,
        ).kind
        == "network"
    )
    with pytest.raises(StudyError, match="must be of one of network, boosting, mix, but got 'age alone'"):
        ship(
            Workspace(done.ledger, done.source, done.artifacts),
            find_study(done.ledger, done.spec.name),
            tmp_path / "c",
            kind="age alone",
        )
