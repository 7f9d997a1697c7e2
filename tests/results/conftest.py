"""A study that has been promoted and scored, made once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from amnl_tune.results.shipping import ship
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.opening import open_study
from amnl_tune.search.promotion import open_promotion
from amnl_tune.search.scoring import TestScores, ensure_scored
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_file import parse_study_spec
from amnl_tune.search.worker import open_workplace, work


@dataclass(frozen=True)
class Finished:
    spec: StudySpec
    ledger: Ledger
    source: FleetSource
    artifacts: Artifacts
    scores: TestScores
    bundle: Path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, fleet_dir: Path) -> Iterator[Finished]:
    home = tmp_path_factory.mktemp("finished")
    text = (Path(__file__).parents[1] / "tiny.toml").read_text()
    spec = parse_study_spec(text.replace("Does it work?", "Is <b>this</b> escaped?"), name="tiny")
    ledger, artifacts = Ledger(f"sqlite:///{home / 'a.db'}"), Artifacts(home)
    source = FleetSource((fleet_dir,))
    open_study(ledger, spec, source, artifacts, device="cpu")
    url = ledger.url.render_as_string(hide_password=False)
    place = open_workplace(url, "tiny", source, artifacts, tensorboard=False)
    work(place, threads=1)
    number = open_promotion(ledger, spec, seeds=[42, 123])
    work(place, threads=1)
    scores = ensure_scored(ledger, spec, source, artifacts, number=number)
    ship(ledger, spec, source, artifacts, home / "bundle")
    yield Finished(spec, ledger, source, artifacts, scores, home / "bundle")
    ledger.close()
