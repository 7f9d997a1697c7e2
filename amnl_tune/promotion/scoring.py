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

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import PromotionRow, TestScoreRow
from amnl_tune.errors import DataError, StorageError, StudyError
from amnl_tune.host import signature
from amnl_tune.ledger.leases import open_runs
from amnl_tune.ledger.promotions import Candidate, find_promotion, promoted_candidates
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.choosing import Choice, choose
from amnl_tune.promotion.looks import find_scores
from amnl_tune.promotion.on_test import score_candidates
from amnl_tune.promotion.scores import TestScores
from amnl_tune.rul.configuration import Normalization
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.search.opening import Workspace
from amnl_tune.studies.sections import Incumbent

logger = logging.getLogger(__name__)


def ensure_scored(workspace: Workspace, study: Study, *, number: int) -> TestScores:
    """A finished promotion's scores: those there are, else the one look is taken now.

    What a record of schema 0002 lacks is computed from the weights that it was made with: no new look.

    Raises:
        StudyError: runs are unfinished, or all failed.
    """
    promotion = find_promotion(study, number)
    known = find_scores(study.ledger, promotion.id)
    if known is None:
        return _look(workspace, study, promotion, look=1)
    return known if known.comparison else _complete(workspace, study, promotion, known=known)


def score_again(workspace: Workspace, study: Study, *, number: int, force: bool) -> TestScores:
    """A look that somebody asks for: refused when there was one, unless forced; and marked when forced.

    Raises:
        StudyError: the engines have been looked at and `force` is not set; runs are unfinished, or all failed.
    """
    promotion = find_promotion(study, number)
    known = find_scores(study.ledger, promotion.id)
    if known and not force:
        raise _scored_already(study.name, number)
    return _look(workspace, study, promotion, look=known.look + 1 if known else 1)


def require_unscored(study: Study, number: int) -> None:
    """Raises StudyError if the promotion has its score: `score_again` would refuse a further look."""
    if find_scores(study.ledger, find_promotion(study, number).id):
        raise _scored_already(study.name, number)


def _scored_already(study: str, number: int) -> StudyError:
    return StudyError(
        f"The test engines are scored once, but promotion {number} of study {study!r} has its score; see "
        f"`amnl-tune study show {study}`, or insist with --force, which every report will say"
    )


def _look(workspace: Workspace, study: Study, promotion: PromotionRow, *, look: int) -> TestScores:
    boosting = Incumbent.BOOSTING in study.spec.promotion.incumbents
    if boosting and study.spec.data.normalization is not Normalization.CONDITION:
        logger.warning(
            "gradient boosting is left out: it needs sensors scaled by operating condition, and those of study %r are "
            "scaled over all rows (`data.normalization`)",
            study.name,
        )
        boosting = False
    scores = _computed(workspace, study, promotion, boosting=boosting)
    return _record(study.ledger, promotion, replace(scores, look=look, forced=look > 1))


def _computed(
    workspace: Workspace,
    study: Study,
    promotion: PromotionRow,
    *,
    boosting: bool,
) -> TestScores:
    """The validation engines choose; only then are the files with test engines opened."""
    candidates, choice, data = _chosen(workspace, study, promotion.number, boosting=boosting)
    fleet = workspace.source.test(study.spec.data.dataset)
    logger.info("scoring %d test engines of %s", fleet.frame["unit"].nunique(), fleet.name)
    return score_candidates(candidates, choice, data, fleet, workspace.artifacts, number=promotion.number)


def choice_of(workspace: Workspace, study: Study, *, number: int) -> Choice:
    """What the validation engines choose of a finished promotion; needs no test engine, and is no look.

    Raises:
        StudyError: runs are unfinished, or all failed.
    """
    boosting = Incumbent.BOOSTING in study.spec.promotion.incumbents
    return _chosen(workspace, study, number, boosting=boosting)[1]


def _chosen(
    workspace: Workspace, study: Study, number: int, *, boosting: bool
) -> tuple[list[Candidate], Choice, PreparedData]:
    candidates = require_finished(study, number)
    data = workspace.data_of(study)
    return candidates, choose(candidates, data, workspace.artifacts, study.name, number, boosting=boosting), data


def _complete(
    workspace: Workspace,
    study: Study,
    promotion: PromotionRow,
    *,
    known: TestScores,
) -> TestScores:
    """The known look with what its record lacks, kept; as it is where its weights or its data have gone or changed.

    A record without boosting stays without: it was no candidate when the choice was made.
    """
    with suppress(StorageError, StudyError, DataError):
        now = _computed(workspace, study, promotion, boosting=False)
        same = now.data_sha256 == known.data_sha256 and now.winner.trial_number == known.winner.trial_number
        if same and isclose(now.winner.test_rmse, known.winner.test_rmse, rel_tol=1e-4):
            whole = replace(now, look=known.look, forced=known.forced)
            with study.ledger.write() as session:
                session.execute(
                    update(TestScoreRow)
                    .where(TestScoreRow.promotion_id == promotion.id, TestScoreRow.look == known.look)
                    .values(scores=json.dumps(whole.plain()))
                )
            return find_scores(study.ledger, promotion.id) or whole
    return known


def require_finished(study: Study, number: int) -> list[Candidate]:
    """A promotion's candidates, the choice first. Raises StudyError while runs are open, or if all failed."""
    candidates = promoted_candidates(study, number)
    waiting = [run for candidate in candidates for run in candidate.runs if run.finished_at is None]
    if waiting:
        raise StudyError(
            f"A promotion is scored when all its runs have ended, but {len(waiting)} of study {study.name!r} have not "
            f"({open_runs(study)} open); run `amnl-tune promote {study.name}`"
        )
    if not candidates[0].complete:
        reasons = "; ".join(sorted({run.reason or "unknown" for candidate in candidates for run in candidate.runs}))
        raise StudyError(f"A promotion needs one complete run, but all of study {study.name!r} failed: {reasons}")
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
