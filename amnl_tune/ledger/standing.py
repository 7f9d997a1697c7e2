"""How a trial stands among the others at one epoch, asked at a cost that does not grow with their number.

Pruning rules are rules about ranks. Counting who is ahead would read every competitor; `amnl_tallies` holds how many
there are in each bin of reported values, so that only a trial's own bin is counted one by one. Tallies are only ever
added to, so that concurrent reports need no lock beyond the row's.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BINS_PER_OCTAVE = 256
"""A bin is 0.27% wide: 10,000 trials between 12 and 20 cycles are about 50 a bin."""
LOWEST_BIN = -(2**30)

AMONG = "study = :study and bracket = :bracket and number = :number"

AHEAD = f"""
coalesce(sum(case when bin < :bin then trials end), 0) + (
  select count(*) from amnl_epochs e
  where {AMONG} and bin = :bin and reported < :reported and run <> :run and ({{competes}}))"""

HALVING = f"""
select n + 1 <= :bootstrap_count
  or ahead > case when (n + 1) / :reduction_factor > 0 then (n + 1) / :reduction_factor - 1 else 0 end
from (
  select coalesce(sum(trials), 0) as n, {AHEAD.format(competes="true")} as ahead from amnl_tallies where {AMONG}
) standing"""

COMPLETE = "exists (select 1 from amnl_runs r where r.id = e.run and r.status = 'complete')"

NEIGHBOUR = f"""(
  select reported from amnl_epochs e where {AMONG} and (bin, reported) {{side}} (:bin, :reported) and {COMPLETE}
  order by bin {{order}}, reported {{order}} limit 1)"""
BELOW, ABOVE = NEIGHBOUR.format(side="<", order="desc"), NEIGHBOUR.format(side=">=", order="asc")

PERCENTILE = f"""
select case
  when n < :n_min_trials or n < 1 or finished < :n_startup_trials or ahead <= place then false
  when ahead - 1 > place or ahead = n then true
  else :reported > {BELOW} + ({ABOVE} - {BELOW}) * (place - (ahead - 1))
end
from (
  select n, ahead, (n - 1) * :quantile as place,
    (select sum(trials) from amnl_tallies where study = :study and bracket = :bracket and number = 1) as finished
  from (
    select coalesce(sum(trials), 0) as n, {AHEAD.format(competes=COMPLETE)} as ahead from amnl_tallies where {AMONG}
  ) counted
) standing"""
"""Linear interpolation between the neighbours of `place`; only a trial between them needs their values."""

TALLIED = """
insert into amnl_tallies (study, bracket, number, bin, trials)
select study, bracket, number, bin, 1 from {source}
on conflict (study, bracket, number, bin) do update set trials = amnl_tallies.trials + 1"""
"""Adds reports to their bins; `source`: where they come from, with a condition."""

TALLIED_WHEN_COMPLETE = TALLIED.format(source="amnl_epochs where run = :run")


def bin_of(reported: float) -> int:
    """The bin of a value: a larger value is never in a lower one."""
    return math.floor(BINS_PER_OCTAVE * math.log2(reported)) if reported > 0 else LOWEST_BIN


@dataclass(frozen=True)
class Competition:
    """What the database is asked for a pruning decision.

    Attributes:
        query: a scalar subquery, true if the trial is to be pruned; one of this module's.
        parameters: of the query, beside those that every report has.
        tallied: whoever reports competes from then on.
    """

    query: str = "select false"
    parameters: Mapping[str, Any] | None = None
    tallied: bool = False

    @classmethod
    def halving(cls, *, reduction_factor: int, bootstrap_count: int) -> "Competition":
        """Asynchronous successive halving (Li et al. 2020) at a rung: among the best 1/reduction_factor so far."""
        return cls(HALVING, {"reduction_factor": reduction_factor, "bootstrap_count": bootstrap_count}, tallied=True)

    @classmethod
    def percentile(cls, *, percentile: float, n_startup_trials: int, n_min_trials: int) -> "Competition":
        """Not worse than the percentile (linear interpolation) of the complete trials at the same epoch."""
        return cls(
            PERCENTILE,
            {
                "quantile": percentile / 100.0,
                "n_startup_trials": max(1, n_startup_trials),
                "n_min_trials": n_min_trials,
            },
        )

    @classmethod
    def settled(cls, pruned: bool) -> "Competition":
        """A decision that needs no other trial."""
        return cls(f"select {str(pruned).lower()}")
