"""Every sentence about a promotion, once: pure functions of its facts, for terminal, report, card and dashboard.

`promotion` is what `summary.summarize` tells under that key; an export's metrics have the same keys.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from amnl_tune.promotion.scores import CandidateKind
from amnl_tune.promotion.verdict import FEW_SEEDS, FEWEST_SEEDS, Margin, signed
from amnl_tune.results.training_sentences import stopped_early, trained_too_long
from amnl_tune.studies.names import numbered

SHORT_NAMES: Mapping[str, str] = {
    CandidateKind.NETWORK: "tuned network",
    CandidateKind.BOOSTING: "gradient boosting",
    CandidateKind.MIX: "mix with boosting",
    CandidateKind.AGE_ALONE: "age alone",
}
"""Of the kinds, in tables."""

SIMULATED = "Simulated data. These figures say nothing about real engines."
BOOSTING = "gradient boosting on history statistics"
MEAN_OVER_SEEDS = (
    "A network's figure is the mean over its seeds of each seed's RMSE; the mix averages its seeds' predictions first, "
    "which alone lowers the RMSE."
)
PUBLISHED = (
    "Published defaults: the published recipe with this study's fixed settings (network size, input) and incumbent "
    "values."
)
Facts = Mapping[str, Any]


def foreign(trials: list[int]) -> str:
    """Of trials that are in Optuna's study and not ours."""
    return (
        f"Not made by amnl-tune, kept from the sampler, and in none of these figures: trials {numbered(trials)} of "
        "Optuna's study."
    )


def answer(facts: Facts) -> str:
    """What was found; where there is boosting, first of all whether the tuned network beats it."""
    promotion, best = facts["promotion"], facts["best_trials"]
    if promotion and promotion["scored"]:
        return " ".join(_found(promotion))
    if best:
        return (
            f"Trial {best[0]['trial']} is the best so far, with a validation RMSE of {best[0]['validation_rmse']:.2f} "
            "cycles; it has not been promoted, so no test engine has been looked at."
        )
    return "No trial has completed yet."


def _found(promotion: Facts) -> list[str]:
    mean = promotion["mean_predictor"]
    return [
        *verdicts(promotion),
        f"Always predicting the mean: RMSE {mean['test_rmse']:.2f} cycles, NASA score "
        f"{figure(mean['nasa_score'], digits=0)}.",
    ]


def verdicts(promotion: Facts) -> list[str]:
    """The network against boosting, the validation engines' choice, the network against the published defaults."""
    against, chosen = promotion.get("against_boosting"), promotion.get("choice")
    said = (against["words"] if against else "", choice(promotion) if chosen else "", _against_published(promotion))
    return [text for text in said if text]


def _against_published(promotion: Facts) -> str:
    defaults, compared = promotion.get("published_defaults"), promotion.get("comparison") or {}
    winner = promotion.get("winner") or {}
    if not defaults and not compared:
        return ""
    if (defaults or {}).get("trial", -1) == winner.get("trial") or _is_one(compared):
        return "The best network is the published defaults: the search found nothing better."
    figure_of = defaults and defaults.get("test_rmse")
    if not compared:
        return "" if figure_of is None else f"The published defaults have a test RMSE of {figure_of:.2f} cycles."
    figures = "" if figure_of is None else f" ({figure_of:.2f} cycles)"
    return f"The network against the published defaults{figures}: {compared['words']}."


def _is_one(compared: Facts) -> bool:
    """Whether a comparison is of the published defaults with themselves: the difference is none, the figures are."""
    incumbent = compared.get("incumbent_rmse")
    return incumbent is not None and compared["rmse_difference"] is None and incumbent == compared["winner_rmse"]


def network(trial: int | None, *, published: bool) -> str:
    """The promotion's best network, at the beginning of a sentence."""
    return (
        f"The best network (trial {trial}, the published defaults)"
        if published
        else f"The tuned network (trial {trial})"
    )


def network_against_boosting(who: str, network_rmse: float, boosting_rmse: float, margin: Margin) -> str:
    """A whole sentence: better, worse or not established, with both figures (cycles) and the interval.

    The difference is network less boosting, as in a table: plus errs more.
    """
    both = f"{figure(network_rmse, digits=2)} against {figure(boosting_rmse, digits=2)} cycles"
    more, doubts = margin.more_error, ""
    if margin.includes_zero or more is None:
        verdict, doubts = "is not established better than", f", {' and '.join(margin.doubts)}"
    elif margin.few_seeds:
        verdict, doubts = f"errs {'more' if more.value > 0 else 'less'} than", f"; {FEW_SEEDS}: not established"
    else:
        verdict = f"is {'better' if margin.better else 'worse'} than"
    difference = f"{signed(more)}{doubts}".removeprefix(", ")
    return f"{who} {verdict} {BOOSTING}: {both} ({difference})."


def against_choice(margin: Margin) -> str:
    """For a table's cell: by how many cycles more a candidate errs than the choice, and whether that is established."""
    if margin.difference is None:
        return "not told apart"
    doubt = ", not told apart" if margin.includes_zero else f", {FEW_SEEDS}" if margin.few_seeds else ""
    return f"{signed(margin.difference)}{doubt}"


def choice(promotion: Facts) -> str:
    """What the validation engines chose, and its figures on the test engines."""
    chosen = promotion["choice"]
    return (
        f"The validation engines chose {chosen_name(chosen)} (validation RMSE "
        f"{chosen['validation_rmse']:.2f} cycles): on {promotion['test_engines']} unseen test engines its RMSE is "
        f"{interval(chosen, 'test_rmse', 2)} cycles and its NASA score {interval(chosen, 'nasa_score', 0)}."
    )


def chosen_name(chosen: Facts) -> str:
    """The choice, or another row of a leaderboard, inside a sentence."""
    names = {CandidateKind.BOOSTING: BOOSTING, CandidateKind.MIX: "the mix of network and gradient boosting"}
    return names.get(chosen["kind"], f"the {chosen['name']} (trial {chosen['trial']})")


def looks(promotion: Facts, *, study: str | None) -> str:
    """How often the test engines have been looked at: "scored once" only if nobody else in the storage has."""
    total, known = promotion.get("looks_at_test") or 0, promotion.get("looks")
    if not total:
        return "never scored for this configuration"
    epoch_by_epoch = (known or {}).get("after_every_epoch") or []
    beside = f", and after every epoch by {', '.join(epoch_by_epoch)}" if epoch_by_epoch else ""
    if total == 1:
        return f"scored once{beside}"
    if not known:
        return f"{total} looks at these test engines in this storage"
    counts = known["by_study"]
    others = {name: count for name, count in counts.items() if name != study}
    named = ", ".join(name if count == 1 else f"{name} ({count})" for name, count in sorted(others.items()))
    also = f" (also by {'study' if len(others) == 1 else 'studies'} {named})" if others else " (all by this study)"
    return f"look {known['number']} of {total} at these test engines in this storage{also}{beside}"


def notes(promotion: Facts) -> list[str]:
    """What a leaderboard's figures mean, one line each: to stand under every leaderboard."""
    rows = promotion.get("leaderboard") or ()
    several = any(row["kind"] == CandidateKind.MIX and (row["seeds"] or 0) > 1 for row in rows)
    published = any(row["name"] == "published defaults" for row in rows)
    averaged, defaults = MEAN_OVER_SEEDS if several else "", PUBLISHED if published else ""
    said = (how_judged(promotion), averaged, defaults, stopped_early(promotion.get("full_runs") or ()))
    return [text for text in said if text]


def how_judged(promotion: Facts) -> str:
    """How intervals and verdicts were made; empty where there are none."""
    compared = promotion.get("comparison") or {}
    if not compared and not promotion.get("against_boosting"):
        return ""
    several = compared.get("candidates", 1) > 1 or promotion.get("against_boosting")
    of_k = "; those of differences are wider, corrected for having picked the best of several" if several else ""
    return (
        f"95% intervals by bootstrap over engines and seeds{of_k}. In a difference plus means a larger error. It is "
        f"established if its interval excludes zero and every side that has seeds has at least {FEWEST_SEEDS}."
    )


def range_test_rule(rule: str, suggested: float | None, used: float | None) -> str:
    """Which rule the rate that is tried comes from, and that it lay outside of the space."""
    return rule if suggested is None or suggested == used else f"{rule}, moved into the space"


def proxy(check: Facts | None) -> str:
    """Short trials against full runs; empty where that was not asked."""
    if not check or check.get("spearman") is None:
        return ""
    return (
        f"Short trials and full runs rank alike with a correlation of {check['spearman']:.2f} over "
        f"{len(check['configurations'])} configurations; regret {check['regret']:.2f} cycles."
    )


def stopped(facts: Facts) -> str | None:
    """That nobody works on a study, since when (UTC), and what lets it go on; None: it is not stopped."""
    if not facts.get("stopped_at"):
        return None
    since = datetime.fromtimestamp(facts["stopped_at"], UTC)
    return (
        f"Stopped. Nobody works on the study since {since:%Y-%m-%d %H:%M} UTC; `amnl-tune study resume "
        f"{facts['study']}` lets it go on."
    )


def warnings(facts: Facts) -> list[str]:
    """What takes from the figures' worth; each begins with a headline and ". "."""
    promotion = facts["promotion"] or {}
    said = [text] if (text := stopped(facts)) else []
    if facts["dataset"].startswith("SIM"):
        said.append(SIMULATED)
    if (promotion.get("looks_at_test") or 0) > 1 or (promotion.get("looks") or {}).get("after_every_epoch"):
        words = looks(promotion, study=facts.get("study"))
        forced = "; the later looks of this promotion were forced" if promotion.get("forced") else ""
        said.append(f"Looked at again. {words[0].upper()}{words[1:]}{forced}.")
    contaminated = promotion.get("contaminated")
    if contaminated:
        said.append(f"Contaminated. {_contamination(contaminated)}")
    winner = (promotion.get("winner") or {}).get("trial")
    long = trained_too_long(promotion.get("full_runs") or (), winner=winner)
    said += [long] if long else []
    check = promotion.get("proxy_check") or {}
    if check.get("warning"):
        said.append(f"Short trials. In this study {check['warning']}.")
    return said


def _contamination(contaminated: Facts) -> str:
    claims = "; ".join(
        f"{claim['best_test_rmse']:.2f} instead of {claim['honest_test_rmse']:.2f} (trial {claim['trial']}, seed "
        f"{claim['seed']}, epoch {claim['best_test_epoch']})"
        for claim in contaminated["claims"]
    )
    claimed = f"would have claimed a test RMSE of {claims}." if claims else "claims more; the look was interrupted."
    return f"{contaminated['by']} looked at the test engines after every epoch. A choice by them {claimed}"


def figure(value: float | None, *, digits: int) -> str:
    """A number; JSON has no word for an infinite one."""
    return "infinite" if value is None or value == float("inf") else f"{value:.{digits}f}"


def interval(row: Facts, name: str, digits: int, *, ends: int | None = None) -> str:
    """A leaderboard's figure with its interval, if it has one; a dash where it was not measured, or is not finite.

    Args:
        digits: after the point. ends: those of the interval's ends; None: as many.
    """
    value, low, high = (row.get(name + end) for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    if low is None and high is None:
        return figure(value, digits=digits)
    around = ", ".join(figure(end, digits=digits if ends is None else ends) for end in (low, high))
    return f"{figure(value, digits=digits)} [{around}]"


def duration(seconds: float | None) -> str:
    """A time as short as a table's cell; empty if unknown."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
