"""What one look at the test engines has shown, as it is kept in the ledger: values that need no database."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from amnl_tune.promotion.bootstrap import Estimate
from amnl_tune.promotion.verdict import Comparison, Margin


class CandidateKind(StrEnum):
    """What predicts. `AGE_ALONE` is a reference and never chosen."""

    NETWORK = "network"
    BOOSTING = "boosting"
    MIX = "mix"
    AGE_ALONE = "age alone"


@dataclass(frozen=True)
class CandidateScore:
    """One candidate on the test engines, each with its last window. Of networks: means over the seeds.

    Attributes:
        trial_number, origin: where a network comes from; None and the kind for the others.
        validation_rmse: that chose, in cycles.
        test_rmse: in cycles, labels capped at 125. nasa_score: sum over the engines; infinite for hopeless errors.
        by_seed: the same three for each seed of a network; empty for the others.
        predicted: (engines,) in cycles; of networks the mean prediction over the seeds.
        predicted_by_seed: (engines,) of each seed; empty for the others, and in records of schema 0002.
        health: (engines,) an index of `HEALTH_CLASSES`: likeliest by the mean probability of the seeds, else read off.
        kind: what it is.
        fit_seconds: on the accelerators, all seeds; predict_seconds: of the test engines' last windows, a network's
            mean over the seeds, the mix's all of its seeds and boosting. None: unknown.
        rmse_interval, nasa_interval: the two figures with their 95% intervals; None in old records.
        against_choice: by how much the promotion's choice is better; None: it is the choice, or the record is old.
    """

    trial_number: int | None
    origin: str
    validation_rmse: float
    test_rmse: float
    nasa_score: float
    by_seed: dict[str, dict[str, float]]
    predicted: list[float]
    predicted_by_seed: dict[str, list[float]] = field(default_factory=dict)
    health: list[int] | None = None
    kind: CandidateKind = CandidateKind.NETWORK
    fit_seconds: float | None = field(default=None, compare=False)  # another look takes another time
    predict_seconds: float | None = field(default=None, compare=False)
    rmse_interval: Estimate | None = None
    nasa_interval: Estimate | None = None
    against_choice: Margin | None = None

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """What `asdict` gave, or an older version did."""
        values = dict(values)
        for name in ("rmse_interval", "nasa_interval"):
            values[name] = Estimate(**values[name]) if values.get(name) else None
        margin = values.get("against_choice")
        values["against_choice"] = Margin.from_plain(margin) if margin else None
        return cls(**values | {"kind": CandidateKind(values.get("kind", CandidateKind.NETWORK))})


@dataclass(frozen=True)
class TestScores:
    """One look.

    Attributes:
        promotion, look: which. forced: it was not the first, and somebody insisted.
        dataset, data_sha256: of the test engines. scored_at: seconds since 1970. scored_by: user@host.
        winner, incumbent: the network that the validation engines like best and the published defaults (may be one).
        mean_rmse, mean_nasa_score: of the best constant, the mean of the test engines' own capped labels.
        true: (engines,) capped RUL in cycles. units: their numbers.
        comparison: of winner and incumbent, with intervals; None in records of schema 0002.
        lives: of the engines that the choice is worst at: unit, and lists cycle, true, predicted (cycles).
        rivals: boosting, mix and age alone; empty without boosting.
        choice: what the validation engines chose of network, boosting and mix.
        against_boosting: by how much the winner is better than boosting; None: there is no boosting.
        mean_validation_rmse: of the best constant on the validation engines, cycles; None in old records.
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
    rivals: list[CandidateScore] = field(default_factory=list)
    choice: CandidateKind = CandidateKind.NETWORK
    against_boosting: Margin | None = None
    mean_validation_rmse: float | None = None

    @property
    def chosen(self) -> CandidateScore:
        """The choice's own score."""
        return next((score for score in self.rivals if score.kind is self.choice), self.winner)

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Inverts `plain`; what an older record lacks has its default."""
        values = dict(values)
        for name in ("winner", "incumbent"):
            values[name] = CandidateScore.from_plain(values[name]) if values[name] else None
        compared, margin = values.get("comparison"), values.get("against_boosting")
        return cls(
            **values
            | {
                "comparison": Comparison.from_plain(compared) if compared else None,
                "rivals": [CandidateScore.from_plain(score) for score in values.get("rivals", [])],
                "choice": CandidateKind(values.get("choice", CandidateKind.NETWORK)),
                "against_boosting": Margin.from_plain(margin) if margin else None,
            }
        )
