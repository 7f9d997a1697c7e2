"""Do the short trials predict the long runs? Asked of every configuration that was promoted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from amnl_tune.database.models import RunRow, RunStatus
from amnl_tune.ledger.promotions import promoted_candidates
from amnl_tune.ledger.studies import Study

FEWEST = 3
"""Configurations, below which a rank correlation is 1 or -1 by construction."""

PREDICTIVE = 0.5
"""Rank correlation below which the short trials are said not to predict the long runs."""


@dataclass(frozen=True)
class ProxyCheck:
    """Short and long results of the promoted configurations.

    Attributes:
        configurations: trial, origin, `short` (its trial's validation RMSE, cycles; None if pruned: it was never short
            for so long), `full` (mean over the seeds at full length).
        spearman: rank correlation of `short` and `full`; None for fewer than three configurations that have both.
        regret: `full` of what the short trials rank first, less the best `full`, cycles.
        warning: in words, if the short trials do not predict the long runs.
    """

    configurations: list[dict[str, Any]]
    spearman: float | None
    regret: float | None
    warning: str | None

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)


def proxy_check(study: Study, number: int) -> ProxyCheck:
    """Of a promotion whose runs have ended. Diverged configurations are left out."""
    candidates = promoted_candidates(study, number)
    with study.ledger.read() as session:
        trials = select(RunRow.trial_number, RunRow.value).where(RunRow.study == study.name, RunRow.promotion == 0)
        complete = session.execute(trials.where(RunRow.status == RunStatus.COMPLETE))
        short = {row.trial_number: row.value for row in complete}
    told = [
        {
            "trial": candidate.trial_number,
            "origin": str(candidate.origin),
            "short": short.get(candidate.trial_number),
            "full": candidate.validation_rmse,
        }
        for candidate in candidates
        if isfinite(candidate.validation_rmse)
    ]
    return _checked(told)


def _checked(configurations: list[dict[str, Any]]) -> ProxyCheck:
    pairs = [(told["short"], told["full"]) for told in configurations if told["short"] is not None]
    if not pairs:
        return ProxyCheck(configurations, None, None, None)
    regret = min(pairs)[1] - min(full for _, full in pairs)
    spearman = None
    if len(pairs) >= FEWEST:
        spearman = rank_correlation(*(tuple(side) for side in zip(*pairs, strict=True)))
    warning = None
    if spearman is not None and spearman < PREDICTIVE:
        warning = (
            f"the short trials do not predict the long runs: rank correlation {spearman:.2f} over {len(pairs)} "
            f"configurations, regret {regret:.2f} cycles; promote more (`--top`), or lengthen the trials"
        )
    return ProxyCheck(configurations, spearman, regret, warning)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's, equal values sharing the mean of their ranks; None where all values of a side are equal.

    Up to rounding scipy.stats.spearmanr's, which takes seconds to import.
    """
    ranks = [_ranks(np.asarray(side)) for side in (first, second)]
    if any(np.ptp(side) == 0 for side in ranks):
        return None
    return float(np.corrcoef(ranks).reshape(2, 2)[0, 1])


def _ranks(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
