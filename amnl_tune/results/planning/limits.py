"""A plan against the study file's `[budget]`: which limit ends the search first, and what is left of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from amnl_tune.results.planning.estimate import Phase
from amnl_tune.results.planning.interval import Interval
from amnl_tune.search.spec import StudySpec

__all__ = ["Limit", "binding", "limits_of", "share_within"]

HOUR = 3600.0


@dataclass(frozen=True)
class Limit:
    """One resource of the search.

    Attributes:
        resource: the key in `[budget]`. limit: its value; wall_time in seconds.
        needed: by all the trials.
    """

    resource: str
    limit: float
    needed: Interval

    @property
    def share(self) -> float:
        """Of the search, that it admits; at most 1."""
        return _share(self.limit, self.needed.expected)

    def left(self, share: float) -> float:
        """What remains of it, if other limits end the search after a `share` of it."""
        return max(0.0, self.limit - share * self.needed.expected)


def limits_of(spec: StudySpec, search: Phase, price_per_hour: float | None) -> tuple[Limit, ...]:
    """Those that the file sets, `trials` first."""
    budget = spec.budget
    needs = [
        ("trials", float(budget.trials), Interval.sure(budget.trials)),
        ("epochs", budget.epochs, search.epochs),
        ("wall_time", budget.wall_time, search.wall),
        ("accelerator_hours", budget.accelerator_hours, search.busy.times(1 / HOUR)),
    ]
    if price_per_hour is not None:
        needs.append(("cost", budget.cost, search.busy.times(price_per_hour / HOUR)))
    return tuple(Limit(name, float(limit), needed) for name, limit, needed in needs if limit is not None)


def binding(limits: Sequence[Limit]) -> Limit:
    """The one that ends the search: the first of those that admit the smallest share of it."""
    return min(limits, key=lambda limit: limit.share)


def share_within(limits: Sequence[Limit]) -> Interval:
    """Of the search at its least, as expected, and at its most, that all limits together admit."""
    shares = [[_share(limit.limit, limit.needed[end]) for limit in limits] for end in range(3)]
    return Interval(*(min(of_end) for of_end in shares))


def _share(limit: float, needed: float) -> float:
    return min(1.0, limit / needed) if needed > 0 else 1.0
