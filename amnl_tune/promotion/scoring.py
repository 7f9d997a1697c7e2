"""The one look at the test engines, after the validation engines have chosen.

Every look is a row of the ledger. The first is the promotion's result; a further one is refused unless forced, and
stays marked. Whoever asks the same question under another name looks at the same engines: looks are counted by the test
data's hash over the whole storage.
"""

import json
import logging
from contextlib import suppress
from dataclasses import replace
from math import isclose

import sqlalchemy.exc
from sqlalchemy import update

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import PromotionRow, TestScoreRow
from amnl_tune.errors import DataError, StorageError, StudyError
from amnl_tune.host import signature
from amnl_tune.ledger.leases import open_runs
from amnl_tune.ledger.promotions import Candidate, find_promotion, promoted_candidates
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.choosing import Choice, choose
from amnl_tune.promotion.on_test import score_candidates
from amnl_tune.promotion.scores import TestScores, find_scores
from amnl_tune.rul.configuration import Normalization
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import study_data
from amnl_tune.studies.sections import Incumbent
from amnl_tune.studies.spec import StudySpec

logger = logging.getLogger(__name__)


def ensure_scored(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, number: int
) -> TestScores:
    """A finished promotion's scores: those there are, else the one look is taken now.

    What a record of schema 0002 lacks is computed from the weights that it was made with: no new look.

    Raises:
        StudyError: runs are unfinished, or all failed.
    """
    promotion = find_promotion(ledger, spec.name, number)
    known = find_scores(ledger, promotion.id)
    if known is None:
        return _look(ledger, spec, source, artifacts, promotion, look=1)
    return known if known.comparison else _complete(ledger, spec, source, artifacts, promotion, known=known)


def score_again(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, number: int, force: bool
) -> TestScores:
    """A look that somebody asks for: refused when there was one, unless forced; and marked when forced.

    Raises:
        StudyError: the engines have been looked at and `force` is not set; runs are unfinished, or all failed.
    """
    promotion = find_promotion(ledger, spec.name, number)
    known = find_scores(ledger, promotion.id)
    if known and not force:
        raise _scored_already(spec.name, number)
    return _look(ledger, spec, source, artifacts, promotion, look=known.look + 1 if known else 1)


def require_unscored(ledger: Ledger, study: str, number: int) -> None:
    """Raises StudyError if the promotion has its score: `score_again` would refuse a further look."""
    if find_scores(ledger, find_promotion(ledger, study, number).id):
        raise _scored_already(study, number)


def _scored_already(study: str, number: int) -> StudyError:
    return StudyError(
        f"The test engines are scored once, but promotion {number} of study {study!r} has its score; see "
        f"`amnl-tune study show {study}`, or insist with --force, which every report will say"
    )


def _look(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, promotion: PromotionRow, *, look: int
) -> TestScores:
    boosting = Incumbent.BOOSTING in spec.promotion.incumbents
    if boosting and spec.data.normalization is not Normalization.CONDITION:
        logger.warning(
            "gradient boosting is left out: it needs sensors scaled by operating condition, and those of study %r are "
            "scaled over all rows (`data.normalization`)",
            spec.name,
        )
        boosting = False
    scores = _computed(ledger, spec, source, artifacts, promotion, boosting=boosting)
    return _record(ledger, promotion, replace(scores, look=look, forced=look > 1))


def _computed(
    ledger: Ledger,
    spec: StudySpec,
    source: FleetSource,
    artifacts: Artifacts,
    promotion: PromotionRow,
    *,
    boosting: bool,
) -> TestScores:
    """The validation engines choose; only then are the files with test engines opened."""
    candidates, choice, data = _chosen(ledger, spec, source, artifacts, promotion.number, boosting=boosting)
    fleet = source.test(spec.data.dataset)
    logger.info("scoring %d test engines of %s", fleet.frame["unit"].nunique(), fleet.name)
    return score_candidates(candidates, choice, data, fleet, artifacts, number=promotion.number)


def choice_of(ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, number: int) -> Choice:
    """What the validation engines choose of a finished promotion; needs no test engine, and is no look.

    Raises:
        StudyError: runs are unfinished, or all failed.
    """
    boosting = Incumbent.BOOSTING in spec.promotion.incumbents
    return _chosen(ledger, spec, source, artifacts, number, boosting=boosting)[1]


def _chosen(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, number: int, *, boosting: bool
) -> tuple[list[Candidate], Choice, PreparedData]:
    candidates = require_finished(ledger, spec.name, number)
    data = study_data(find_study(ledger, spec.name), spec, source, artifacts)
    return candidates, choose(candidates, data, artifacts, spec.name, number, boosting=boosting), data


def _complete(
    ledger: Ledger,
    spec: StudySpec,
    source: FleetSource,
    artifacts: Artifacts,
    promotion: PromotionRow,
    *,
    known: TestScores,
) -> TestScores:
    """The known look with what its record lacks, kept; as it is where its weights or its data have gone or changed.

    A record without boosting stays without: it was no candidate when the choice was made.
    """
    with suppress(StorageError, StudyError, DataError):
        now = _computed(ledger, spec, source, artifacts, promotion, boosting=False)
        same = now.data_sha256 == known.data_sha256 and now.winner.trial_number == known.winner.trial_number
        if same and isclose(now.winner.test_rmse, known.winner.test_rmse, rel_tol=1e-4):
            whole = replace(now, look=known.look, forced=known.forced)
            with ledger.write() as session:
                session.execute(
                    update(TestScoreRow)
                    .where(TestScoreRow.promotion_id == promotion.id, TestScoreRow.look == known.look)
                    .values(scores=json.dumps(whole.plain()))
                )
            return find_scores(ledger, promotion.id) or whole
    return known


def require_finished(ledger: Ledger, study: str, number: int) -> list[Candidate]:
    """A promotion's candidates, the choice first. Raises StudyError while runs are open, or if all failed."""
    candidates = promoted_candidates(ledger, study, number)
    waiting = [run for candidate in candidates for run in candidate.runs if run.finished_at is None]
    if waiting:
        raise StudyError(
            f"A promotion is scored when all its runs have ended, but {len(waiting)} of study {study!r} have not "
            f"({open_runs(ledger, study)} open); run `amnl-tune promote {study}`"
        )
    if not candidates[0].complete:
        reasons = "; ".join(sorted({run.reason or "unknown" for candidate in candidates for run in candidate.runs}))
        raise StudyError(f"A promotion needs one complete run, but all of study {study!r} failed: {reasons}")
    return candidates


def _record(ledger: Ledger, promotion: PromotionRow, scores: TestScores) -> TestScores:
    """Enters a look. Two processes that take the same look at once enter it once: their scores are equal."""
    with suppress(sqlalchemy.exc.IntegrityError), ledger.write() as session:
        session.add(
            TestScoreRow(
                promotion_id=promotion.id,
                look=scores.look,
                forced=scores.forced,
                scored_by=signature(),
                scored_at=database_time(session),
                data_sha256=scores.data_sha256,
                scores=json.dumps(scores.plain()),
            )
        )
    recorded = find_scores(ledger, promotion.id)
    assert recorded is not None
    return recorded
