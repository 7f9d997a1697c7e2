"""LR range tests that have been made, as they are remembered; finding one needs no torch."""

import json
from dataclasses import dataclass

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import RangeTestRow
from amnl_tune.ledger.stored import reading
from amnl_tune.training.config import RangeTestCurve, Suggestion


@dataclass(frozen=True)
class RangeTest:
    """One range test: its curve, what each rule suggests (None: the curve says nothing), how long it took."""

    key: str
    curve: RangeTestCurve
    suggested: dict[Suggestion, float | None]
    seconds: float
    cached: bool


def find_range_test(ledger: Ledger, key: str) -> RangeTest | None:
    """A range test made before."""
    with ledger.read() as session:
        row = session.get(RangeTestRow, key)
    if row is None:
        return None
    with reading(f"range test {key[:12]}"):
        curve = json.loads(row.curve)
        suggested = {Suggestion(name): value for name, value in json.loads(row.suggestions).items()}
        points = RangeTestCurve(tuple(curve["lr"]), tuple(curve["loss"]))
    return RangeTest(key, points, suggested, row.seconds, cached=True)
