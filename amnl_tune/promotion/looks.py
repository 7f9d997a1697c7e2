"""What is remembered of looks at the test engines; reading it needs neither data nor torch."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import PromotionRow, TestScoreRow
from amnl_tune.ledger.promotions import latest_promotion
from amnl_tune.ledger.stored import reading
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.scores import TestScores


@dataclass(frozen=True)
class TestLooks:
    """Looks at the same test engines, by the hash of their data, over the whole storage.

    Attributes:
        number: which of them the study's last one is, from 1. total: how many there are.
        by_study: how many each study has taken.
        after_every_epoch: other studies whose `--test-selection` has looked at them after every epoch.
    """

    __test__ = False

    number: int
    total: int
    by_study: dict[str, int]
    after_every_epoch: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)


def looks_of(study: Study) -> TestLooks | None:
    """Every look at the test engines that the study was scored on last, by all studies; None if it never was."""
    with study.ledger.read() as session:
        every = select(TestScoreRow, PromotionRow.study).join(
            PromotionRow, PromotionRow.id == TestScoreRow.promotion_id
        )
        own = every.where(PromotionRow.study == study.name).order_by(
            PromotionRow.number.desc(), TestScoreRow.look.desc()
        )
        found = session.execute(own).first()
        if found is None:
            return None
        last: TestScoreRow = found[0]
        same = every.where(TestScoreRow.data_sha256 == last.data_sha256)
        looks = session.execute(same.order_by(TestScoreRow.scored_at, TestScoreRow.id)).all()
        seen = every.where(TestScoreRow.data_sha256 == last.data_sha256, PromotionRow.contaminated_at.is_not(None))
        others = {name for _, name in session.execute(seen.where(PromotionRow.study != study.name))}
    number = 1 + [row.id for row, _ in looks].index(last.id)
    return TestLooks(number, len(looks), dict(Counter(name for _, name in looks)), sorted(others))


def find_scores(ledger: Ledger, promotion_id: int) -> TestScores | None:
    """The latest look of a promotion; None if there was none. A forced one says so."""
    with ledger.read() as session:
        query = select(TestScoreRow).where(TestScoreRow.promotion_id == promotion_id).order_by(TestScoreRow.look.desc())
        row = session.scalars(query).first()
    if row is None:
        return None
    entered = {"look": row.look, "forced": row.forced, "scored_at": row.scored_at, "scored_by": row.scored_by}
    with reading(f"scores of promotion {promotion_id}"):
        return TestScores.from_plain(json.loads(row.scores) | entered)


def latest_scores(study: Study) -> TestScores | None:
    """Of a study's newest promotion; None if it is not scored."""
    promotion = latest_promotion(study)
    return find_scores(study.ledger, promotion.id) if promotion else None


def contamination(promotion: PromotionRow) -> dict[str, Any] | None:
    """Who looked, when, and the claims (none while the look is under way, or was interrupted); None: nobody has."""
    if promotion.contaminated_at is None:
        return None
    claims = json.loads(promotion.test_selection) if promotion.test_selection else []
    return {"by": promotion.contaminated_by, "at": promotion.contaminated_at, "claims": claims}
