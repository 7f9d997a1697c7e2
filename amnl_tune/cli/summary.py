"""A study's facts as tables."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from amnl_tune.installation import as_typed_here
from amnl_tune.results import sentences


def print_summary(console: Console, facts: dict[str, Any]) -> None:
    """What `results.facts.summarize` found, for reading."""
    trials = facts["trials"]
    console.print(
        f"[bold]{facts['study']}[/] on {facts['dataset']} (SHA-256 {facts['data_sha256'][:12]}): "
        f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['fail']} failed of {trials['budget']} "
        f"trials, {facts['epochs']} epochs",
        highlight=False,
    )
    if text := sentences.stopped(facts):
        console.print(as_typed_here(text), style="bold yellow", highlight=False, markup=False)
    if facts["dataset"].startswith("SIM"):
        console.print(sentences.SIMULATED, style="bold yellow")
    if facts["best_trials"]:
        console.print(_best_trials(facts["best_trials"]))
    if facts["foreign_trials"]:
        console.print(sentences.foreign(facts["foreign_trials"]), style="yellow", highlight=False, markup=False)
    _print_range_test(console, facts["lr_range_test"])
    for failure in facts["failures"]:
        console.print(f"Trial {failure['trial']} failed: {failure['reason']}", highlight=False, markup=False)
    _print_promotion(console, facts)


def _best_trials(trials: list[dict[str, Any]]) -> Table:
    table = Table(title="Best trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column("validation RMSE\n(cycles)", justify="right")
    table.add_column("from")
    table.add_column("parameters")
    for trial in trials:
        values = ", ".join(f"{name}\u00a0{_short(value)}" for name, value in trial["parameters"].items())
        table.add_row(str(trial["trial"]), f"{trial['validation_rmse']:.2f}", trial["origin"], values)
    return table


def _print_range_test(console: Console, test: dict[str, Any] | None) -> None:
    if test is None:
        console.print("LR range test: off")
        return
    rule = sentences.range_test_rule(test["rule"], test["suggested"].get(test["rule"]), test["used"])
    rules = ", ".join(f"{name} {_short(rate)}" for name, rate in test["suggested"].items())
    prior = test["prior"]
    searched = f"; searched {_short(prior[0])} to {_short(prior[1])}" if prior else ""
    console.print(f"LR range test: {_short(test['used'])} by {rule} ({rules}){searched}", highlight=False)


def _print_promotion(console: Console, facts: dict[str, Any]) -> None:
    promotion = facts["promotion"]
    if promotion is None or not promotion["scored"]:
        console.print(as_typed_here(_unpromoted(facts)))
        return
    looks = sentences.looks(promotion, study=facts["study"])
    console.print(_candidates(promotion["leaderboard"], f"Promoted candidates, {looks}"))
    said = (sentences.answer(facts), *sentences.notes(promotion), sentences.proxy(promotion["proxy_check"]))
    for text in filter(None, said):
        console.print(text, highlight=False, markup=False)
    for warning in sentences.warnings(facts):
        if warning not in {sentences.SIMULATED, sentences.stopped(facts)}:  # these stand at the top
            console.print(warning, style="bold yellow", highlight=False, markup=False)


def _unpromoted(facts: dict[str, Any]) -> str:
    """How far a promotion is, and what begins or ends it."""
    promotion, trials, command = facts["promotion"], facts["trials"], f"`amnl-tune promote {facts['study']}`"
    if promotion is not None:
        return f"{promotion['finished']} of {promotion['runs']} promoted runs done; run {command}"
    left = trials["budget"] - sum(trials[state] for state in ("complete", "pruned", "fail"))
    if left > 0:
        return f"not promoted yet: {left} of {trials['budget']} trials are left; when the search is over, run {command}"
    return f"not promoted yet; run {command}"


def _candidates(rows: list[dict[str, Any]], title: str) -> Table:
    """At most 80 columns wide: intervals stand below their figures."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=0)
    for name, width in (("", 18), ("valid.\nRMSE", 6), ("test RMSE\n(cycles)", 12), ("NASA\nscore", 12), ("seeds", 5),
                        ("fit,\npredict\n(all)", 7), ("against\nthe choice", 14)):  # fmt: skip
        left = name == "" or name.startswith("against")
        table.add_column(name, justify="left" if left else "right", overflow="fold", max_width=width)
    for row in rows:
        against = "the choice" if row["chosen"] else (row["against_choice"] or {}).get("words", "")
        table.add_row(
            f"{row['name']}\ntrial {row['trial']}" if row["trial"] is not None else row["name"],
            sentences.interval(row, "validation_rmse", 2) if row["validation_rmse"] is not None else "",
            sentences.interval(row, "test_rmse", 2, ends=1).replace(" [", "\n["),
            sentences.interval(row, "nasa_score", 0).replace(" [", "\n["),
            str(row["seeds"] or ""),
            "\n".join(sentences.duration(row[f"{name}_seconds"]) for name in ("fit", "predict")).strip(),
            against.replace(" [", "\n[").replace("], ", "]\n").replace("than 3", "than\n3"),
        )
    return table


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)
