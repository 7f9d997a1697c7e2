"""Is one candidate better than another, or was it luck?

Nothing is established unless the interval of the difference excludes zero and every side that has seeds has at least
three: with fewer, the spread over seeds is unknown. The rest is `bootstrap`.

Whoever is compared is the best of K on the validation engines. The test engines had no part in that, yet the interval
that decides is that of K comparisons, 1 - 0.05/K (Bonferroni), as if the best of K had been picked on them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from amnl_tune.promotion.bootstrap import LEVEL, Array, Bootstrap, Estimate, Sampled

FEWEST_SEEDS = 3
"""That a side must have, if it has any, for a difference to be established."""

FEW_SEEDS = f"fewer than {FEWEST_SEEDS} seeds"


@dataclass(frozen=True)
class Margin:
    """By how much one candidate errs less than another on the same test engines.

    Attributes:
        difference: test RMSE of the other less that of the one, cycles: positive is better; None: both are infinite.
        level: of its interval.
        seeds: of the one and of the other; None: it has no seed noise.
    """

    difference: Estimate | None
    level: float
    seeds: tuple[int | None, int | None]

    @property
    def few_seeds(self) -> bool:
        """Whether a side that has seeds has too few of them."""
        return any(count is not None and count < FEWEST_SEEDS for count in self.seeds)

    @property
    def more_error(self) -> Estimate | None:
        """By how much the one errs more than the other: what sentences and tables tell, plus being worse."""
        one = self.difference
        return one and Estimate(-one.value, -one.high, -one.low)

    @property
    def includes_zero(self) -> bool:
        """Whether the interval leaves open which of the two is better."""
        apart = self.difference is not None and (self.difference.low > 0 or self.difference.high < 0)
        return not apart  # also where the interval is not finite

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why nothing is established; empty if the difference is."""
        if self.difference is None:
            return ("both errors are infinite",)
        zero = ("the interval includes zero",) if self.includes_zero else ()
        return zero + ((FEW_SEEDS,) if self.few_seeds else ())

    @property
    def established(self) -> bool:
        """Beyond engines' and seeds' noise."""
        return not self.doubts

    @property
    def better(self) -> bool:
        """Established, and in favour of the one."""
        return self.established and self.difference is not None and self.difference.value > 0

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Inverts `dataclasses.asdict`."""
        difference = Estimate(**values["difference"]) if values["difference"] else None
        one, other = values["seeds"]
        return cls(difference, values["level"], (one, other))


@dataclass(frozen=True)
class Comparison:
    """The network that the validation engines like best and the published defaults, on the test engines.

    Attributes:
        level: of the four figures' intervals. corrected_level: of the differences', for the best of `candidates`.
        candidates: configurations that the winner was picked from, the incumbent apart.
        seeds: of the winner, and of the incumbent.
        winner_rmse, incumbent_rmse: cycles. winner_nasa, incumbent_nasa: NASA scores. None: there is no incumbent.
        rmse_difference, nasa_difference: incumbent less winner, so that positive is better; None where they
            are one, or both infinite.
        better: established beyond engines' and seeds' noise. words: the verdict, its difference winner less
            incumbent: plus errs more.
    """

    level: float
    corrected_level: float
    candidates: int
    seeds: tuple[int, int]
    winner_rmse: Estimate
    winner_nasa: Estimate
    incumbent_rmse: Estimate | None
    incumbent_nasa: Estimate | None
    rmse_difference: Estimate | None
    nasa_difference: Estimate | None
    better: bool = False
    words: str = ""

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Inverts `plain`. The verdict follows from the figures, so that old records are told by today's rule."""
        built = {name: Estimate(**value) if isinstance(value, Mapping) else value for name, value in values.items()}
        return cls(**built | {"seeds": tuple(values["seeds"])}).judged()

    def judged(self) -> Self:
        """With the verdict on its figures."""
        margin = Margin(self.rmse_difference, self.corrected_level, self.seeds)
        return replace(self, better=margin.better, words=_verdict(margin, promoted=self.incumbent_rmse is not None))


def compare(true: Array, winner: Array, incumbent: Array | None, *, candidates: int, same: bool = False) -> Comparison:
    """The winner against the incumbent.

    Args:
        true: (E,) capped labels in cycles.
        winner: (S, E) predictions in cycles. incumbent: likewise, of its own seeds; None: it was not promoted.
        candidates: that the winner was picked from, the incumbent apart.
        same: winner and incumbent are one configuration.
    """
    bootstrap = Bootstrap(true)
    one = bootstrap.networks(bootstrap.seeds(winner))
    if same or incumbent is None:
        return compare_sampled(one, one if same else None, candidates=candidates)
    return compare_sampled(one, bootstrap.networks(bootstrap.seeds(incumbent)), candidates=candidates)


def compare_sampled(winner: Sampled, incumbent: Sampled | None, *, candidates: int) -> Comparison:
    """`compare` of what has been resampled; an incumbent that is the winner itself is compared with nothing."""
    apart = incumbent is not None and incumbent is not winner
    level = _corrected(candidates)
    rmse, nasa = (incumbent.less(winner, name, level) if apart and incumbent else None for name in ("rmse", "nasa"))
    return Comparison(
        level=LEVEL,
        corrected_level=level,
        candidates=candidates,
        seeds=(winner.seeds or 0, (incumbent.seeds or 0) if incumbent else 0),
        winner_rmse=winner.estimate("rmse"),
        winner_nasa=winner.estimate("nasa"),
        incumbent_rmse=incumbent.estimate("rmse") if incumbent else None,
        incumbent_nasa=incumbent.estimate("nasa") if incumbent else None,
        rmse_difference=rmse,
        nasa_difference=nasa,
    ).judged()


def margin(one: Sampled, other: Sampled, *, candidates: int) -> Margin:
    """By how much `one` is better, that was picked from so many candidates, `other` apart."""
    level = _corrected(candidates)
    return Margin(other.less(one, "rmse", level), level, (one.seeds, other.seeds))


def _corrected(candidates: int) -> float:
    return 1 - (1 - LEVEL) / max(1, candidates)


def _verdict(margin: Margin, *, promoted: bool) -> str:
    if not promoted:
        return "the published defaults were not promoted: there is nothing to compare with"
    if margin.difference is None:
        return "the published defaults are the validation engines' choice of network"
    verdict = "better" if margin.better else "worse" if margin.established else "not established"
    doubts = f", {' and '.join(margin.doubts)}" if margin.doubts else ""
    return f"{verdict}: {signed(margin.more_error, ' cycles')}{doubts}"


def signed(difference: Estimate | None, unit: str = "") -> str:
    """`+0.68 [-0.50, 1.90]`, the unit before the interval; empty where there is no difference.

    Two decimals, never -0.00; more only where an end would look like the zero that its interval excludes.
    """
    if difference is None:
        return ""
    excludes_zero = difference.low * difference.high > 0
    low, high = (
        f"{end:.1g}" if excludes_zero and abs(end) < 0.005 else f"{round(end, 2) + 0.0:.2f}"
        for end in (difference.low, difference.high)
    )
    return f"{round(difference.value, 2) + 0.0:+.2f}{unit} [{low}, {high}]"
