"""A study's facts as tables."""

from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_summary"]


def print_summary(console: Console, facts: dict[str, Any]) -> None:
    """What `results.summary.summarize` found, for reading."""
    trials = facts["trials"]
    console.print(
        f"[bold]{facts['study']}[/] on {facts['dataset']} (SHA-256 {facts['data_sha256'][:12]}): "
        f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['fail']} failed of {trials['budget']} "
        f"trials, {facts['epochs']} epochs",
        highlight=False,
    )
    if facts["dataset"].startswith("SIM"):
        console.print("[bold yellow]Simulated data: these figures say nothing about real engines.[/]")
    if facts["best_trials"]:
        console.print(_best_trials(facts["best_trials"]))
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
    rules = ", ".join(f"{rule} {_short(rate)}" for rule, rate in test["suggested"].items())
    prior = test["prior"]
    searched = f"; searched {_short(prior[0])} to {_short(prior[1])}" if prior else ""
    console.print(f"LR range test: {_short(test['used'])} by {test['rule']} ({rules}){searched}", highlight=False)


def _print_promotion(console: Console, facts: dict[str, Any]) -> None:
    promotion = facts["promotion"]
    if promotion is None or not promotion["scored"]:
        state = (
            "not promoted yet"
            if promotion is None
            else f"{promotion['finished']} of {promotion['runs']} promoted runs done"
        )
        console.print(f"{state}; run `amnl-tune promote {facts['study']}`")
        return
    looks, compared = promotion["looks_at_test"], promotion["comparison"] or {}
    times = "once" if looks == 1 else f"{looks} times"
    title = f"Promoted, and scored {times} on {promotion['test_engines']} test engines"
    table = Table(title=title, title_justify="left")
    for name in ("", "trial", "validation RMSE\n(cycles)", "test RMSE\n(cycles)", "NASA score"):
        table.add_column(name, justify="left" if not name else "right")
    winner, defaults, mean = promotion["winner"], promotion["published_defaults"], promotion["mean_predictor"]
    table.add_row("[bold]promoted[/]", *_scores(winner, compared, "winner"))
    if defaults and defaults["trial"] != winner["trial"]:
        table.add_row("published defaults", *_scores(defaults, compared, "incumbent"))
    table.add_row("mean predictor", "", "", f"{mean['test_rmse']:.2f}", f"{mean['nasa_score']:.0f}")
    console.print(table)
    _print_verdict(console, promotion)


def _print_verdict(console: Console, promotion: dict[str, Any]) -> None:
    """In words: the comparison, the proxy check, and what takes from the figures' worth."""
    compared, looks, contaminated = promotion["comparison"], promotion["looks_at_test"], promotion["contaminated"]
    if compared:
        best_of = f", corrected for the best of {compared['candidates']}" if compared["candidates"] > 1 else ""
        console.print(
            f"Against the published defaults: {compared['words']} (RMSE of the test engines; 95% by bootstrap over "
            f"engines and seeds{best_of})",
            highlight=False,
            markup=False,
        )
    check = promotion["proxy_check"]
    if check["spearman"] is not None:
        console.print(
            f"Short against full runs: rank correlation {check['spearman']:.2f} over {len(check['configurations'])} "
            f"configurations, regret {check['regret']:.2f} cycles",
            highlight=False,
        )
    warnings = [check["warning"]] if check["warning"] else []
    if looks > 1:
        forced = ": the later looks were forced" if promotion["forced"] else ""
        warnings.append(f"The test engines were scored {looks} times by this study{forced}.")
    if contaminated:
        warnings.append(_contamination(contaminated))
    for warning in warnings:
        console.print(warning, style="bold yellow", highlight=False, markup=False)


def _contamination(contaminated: dict[str, Any]) -> str:
    claims = "; ".join(
        f"{claim['best_test_rmse']:.2f} (trial {claim['trial']}, seed {claim['seed']}, epoch "
        f"{claim['best_test_epoch']}) instead of {claim['honest_test_rmse']:.2f}"
        for claim in contaminated["claims"]
    )
    return (
        f"Contaminated: {contaminated['by']} looked at the test engines after every epoch. A choice by them would "
        + (f"have claimed a test RMSE of {claims}." if claims else "claim more; the look was interrupted.")
    )


def _scores(score: dict[str, Any], compared: dict[str, Any], who: str) -> tuple[str, str, str, str]:
    rmse, nasa = compared.get(f"{who}_rmse"), compared.get(f"{who}_nasa")
    return (
        str(score["trial"]),
        f"{score['validation_rmse']:.2f}",
        f"{score['test_rmse']:.2f}" + (f" [{rmse['low']:.2f}, {rmse['high']:.2f}]" if rmse else ""),
        f"{score['nasa_score']:.0f}" + (f" [{nasa['low']:.0f}, {nasa['high']:.0f}]" if nasa else ""),
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "none" if value is None else str(value)
