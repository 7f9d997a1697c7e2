"""What a choice by the test engines would have claimed: the selection optimism, and the mark that looking at it leaves.

The published figures are of the epoch that is best on the test engines. Whoever wants to see that claim beside the
honest figure looks at the test engines after every epoch; from then on the study is contaminated, and every report
says so.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import PromotionRow, RunRow
from amnl_tune.host import signature
from amnl_tune.ledger.promotions import Candidate, find_promotion
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.scores import CandidateScore
from amnl_tune.promotion.scoring import ensure_scored, require_finished
from amnl_tune.rul.metrics import rmse, worst_if_unknown
from amnl_tune.rul.preparation import PreparedData, engine_rows
from amnl_tune.rul.sources import TestFleet
from amnl_tune.search.opening import Workspace
from amnl_tune.training.evaluation import predict_windows
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import fit


@dataclass(frozen=True)
class _Claim:
    """One run: its best test epoch, and what the epoch that the validation engines chose gives; cycles."""

    trial: int | None
    seed: int
    best_test_rmse: float
    best_test_epoch: int
    honest_test_rmse: float


def select_on_test(
    workspace: Workspace,
    study: Study,
    *,
    number: int,
    execution: Execution,
    epoch_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Trains winner and incumbent of a scored promotion again, scores the test engines after every epoch, marks it.

    The mark is entered before the first look, so that an interrupted look counts.

    Args:
        number: of the promotion. execution: of the training. epoch_done: told epochs done, and of how many.

    Returns:
        One claim a run: trial, seed, best_test_rmse, best_test_epoch, honest_test_rmse.

    Raises:
        StudyError: the promotion has not ended.
    """
    scores = ensure_scored(workspace, study, number=number)
    promotion = find_promotion(study, number)
    if promotion.test_selection:
        return list(json.loads(promotion.test_selection))
    _enter(study.ledger, promotion, contaminated_by=signature())
    data = workspace.data_of(study)
    fleet = workspace.source.test(study.spec.data.dataset)
    honest = {score.trial_number: score for score in (scores.winner, scores.incumbent) if score}
    chosen = [c for c in require_finished(study, number) if c.trial_number in honest]
    total, done, claims = sum(run.epochs for c in chosen for run in c.complete), 0, []
    for run, score in _runs(chosen, honest):
        best, epoch_of_best = float("inf"), 0
        for epoch, found in enumerate(_test_curve(run, data, fleet, execution), start=1):
            done += 1
            epoch_done(done, total)
            best, epoch_of_best = min((best, epoch_of_best), (worst_if_unknown(found), epoch))
        own = score.by_seed[str(run.seed)]["test_rmse"]
        claims.append(vars(_Claim(run.trial_number, run.seed, best, epoch_of_best, own)))
    _enter(study.ledger, promotion, test_selection=json.dumps(claims))
    return claims


def _runs(chosen: list[Candidate], honest: dict[int | None, CandidateScore]) -> list[tuple[RunRow, CandidateScore]]:
    return [(run, honest[candidate.trial_number]) for candidate in chosen for run in candidate.complete]


def _test_curve(run: RunRow, data: PreparedData, fleet: TestFleet, execution: Execution) -> Iterator[float]:
    """Test RMSE in cycles after each epoch of the run, trained again."""
    config = stored_config(run)
    rows = engine_rows(fleet.frame, data.scaling, fleet.rul).seen_by(config)
    ends = rows.ends()
    for epoch in fit(config, data, execution=execution):
        predicted = predict_windows(epoch.state.evaluated, rows, ends, config.window).rul
        yield rmse(predicted.cpu().numpy(), rows.rul[ends].numpy())


def _enter(ledger: Ledger, promotion: PromotionRow, **values: str) -> None:
    with ledger.write() as session:
        entered = values | ({"contaminated_at": database_time(session)} if "contaminated_by" in values else {})
        session.execute(update(PromotionRow).where(PromotionRow.id == promotion.id).values(**entered))
