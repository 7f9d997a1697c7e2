"""What one look at the test engines has shown, as it is kept in the ledger."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from amnl_tune.search.comparison import Comparison

__all__ = ["CandidateScore", "TestScores"]


@dataclass(frozen=True)
class CandidateScore:
    """One configuration on the test engines, each with its last window; means over the seeds.

    Attributes:
        trial_number, origin: where it comes from.
        validation_rmse: that chose, in cycles.
        test_rmse: in cycles, labels capped at 125. nasa_score: sum over the engines; infinite for hopeless errors.
        by_seed: the same two for each seed.
        predicted: (engines,) mean prediction over the seeds, in cycles.
        predicted_by_seed: (engines,) of each seed; empty in records of schema 0002.
        health: (engines,) likeliest class by the mean probability of the seeds, an index of `HEALTH_CLASSES`.
    """

    trial_number: int
    origin: str
    validation_rmse: float
    test_rmse: float
    nasa_score: float
    by_seed: dict[str, dict[str, float]]
    predicted: list[float]
    predicted_by_seed: dict[str, list[float]] = field(default_factory=dict)
    health: list[int] | None = None


@dataclass(frozen=True)
class TestScores:
    """One look.

    Attributes:
        promotion, look: which. forced: it was not the first, and somebody insisted.
        dataset, data_sha256: of the test engines. scored_at: seconds since 1970. scored_by: user@host.
        winner, incumbent: the validation engines' choice and the published defaults (may be one and the same).
        mean_rmse, mean_nasa_score: of the best constant, the mean of the test engines' own capped labels.
        true: (engines,) capped RUL in cycles. units: their numbers.
        comparison: of winner and incumbent, with intervals; None in records of schema 0002.
        lives: of the engines that the winner is worst at: unit, and lists cycle, true, predicted (cycles).
    """

    __test__ = False

    promotion: int
    look: int
    forced: bool
    dataset: str
    data_sha256: str
    scored_at: float
    winner: CandidateScore
    incumbent: CandidateScore | None
    mean_rmse: float
    mean_nasa_score: float
    true: list[float]
    units: list[int]
    scored_by: str = ""
    comparison: Comparison | None = None
    lives: list[dict[str, Any]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Inverts `plain`; what an older record lacks has its default."""
        values = dict(values)
        for name in ("winner", "incumbent"):
            values[name] = CandidateScore(**values[name]) if values[name] else None
        compared = values.get("comparison")
        values["comparison"] = Comparison.from_plain(compared) if compared else None
        return cls(**values)
