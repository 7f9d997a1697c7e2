"""A plan as tables on the terminal: at 80 columns nothing is cut off, every amount of money has its currency."""

from collections.abc import Callable

import pandas as pd
from rich.console import Console
from rich.table import Table

from amnl_tune.measure.plan.actual import Remembered, Spent
from amnl_tune.measure.plan.estimate import Limit
from amnl_tune.measure.plan.pace import Interval
from amnl_tune.measure.plan.plan import HERE, Plan, Row

UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def print_plan(console: Console, plan: Plan) -> None:
    """Every machine's row, then what the budget says."""
    own, idle = plan.own, plan.idle_wall
    _say(
        console,
        f"{plan.study}: {plan.trials} trials on {plan.dataset} and full-length runs, about {own.epochs.expected:.0f} "
        f"epochs ({_range(own.epochs, '{:.0f}'.format)})",
    )
    for runs, source in (("Trials", plan.trial_lengths), ("Full-length runs", plan.full_lengths)):
        if source:
            _say(console, f"{runs}: {source}.")
    _machines(console, plan)
    _teams(console, plan, [row for row in plan.rows if row.ddp_wall])
    for note in dict.fromkeys(row.note for row in plan.rows if row.note):
        names = dict.fromkeys(f"{row.machine} x {row.workers}" for row in plan.rows if row.note == note)
        _say(console, f"{', '.join(names)}: {note}")
    _memory(console, plan)
    if any(row.machine != HERE for row in plan.rows):
        _say(
            console,
            "GPUs: the publication's own code and its full network; how a smaller one fares there is not published, "
            "hence the wide interval.",
        )
    took, alone = duration(own.wall.expected), duration(idle.expected) if idle else ""
    said = plan.load.words(lambda _: f"idle expect about {alone} instead of {took}") if plan.load else ""
    if said:
        _say(console, said)
    _budget(console, plan)


def _machines(console: Console, plan: Plan) -> None:
    table = _table(
        "machine", "workers", "wall\ntime", "from - to", "accel.\nhours", f"cost\n{plan.currency}", "from - to"
    )
    before = None
    for row in plan.rows:
        if before not in (None, row.machine):
            table.add_section()
        table.add_row(
            "" if row.machine == before else row.machine,
            str(row.workers),
            duration(row.wall.expected),
            _range(row.wall, duration),
            f"{row.accelerator_hours.expected:.3g}",
            "" if row.cost is None else money(row.cost.expected),
            "" if row.cost is None else _range(row.cost, money),
            style="bold" if row is plan.own else "",
        )
        before = row.machine
    console.print(table)


def _teams(console: Console, plan: Plan, rows: list[Row]) -> None:
    """What changes where each promoted run is trained on all GPUs."""
    if not rows:
        return
    speedups = {row.workers: row.ddp_speedup for row in rows if row.ddp_speedup}
    quicker = ", ".join(f"{speed:.2f} times on {count} ({speed / count:.0%})" for count, speed in speedups.items())
    _say(
        console,
        "The same with each promoted run on all GPUs (DDP), one after the other. How much quicker a run then is, and "
        f"the efficiency of each GPU, is the publication's (RTX 5000), not measured here: {quicker}.",
    )
    table = _table("GPUs", *dict.fromkeys(row.machine for row in rows))
    for workers in dict.fromkeys(row.workers for row in rows):
        own = [row for row in rows if row.workers == workers]
        walls = [duration(row.ddp_wall.expected) for row in own if row.ddp_wall]
        costs = [f"\n{money(row.ddp_cost.expected)} {plan.currency}" if row.ddp_cost else "" for row in own]
        table.add_row(str(workers), *map("".join, zip(walls, costs, strict=True)))
    console.print(table)


def _memory(console: Console, plan: Plan) -> None:
    """Of a run's device: measured here, and published."""
    memory = plan.memory
    if memory is None:
        return
    at_once = plan.own.at_once
    needed, what = at_once * memory.measured, "a worker's process" if memory.device == "cpu" else "a run"
    fits = "" if needed <= memory.free else ", which is too much: lower `hardware.workers` or `batch_size`"
    published = ", ".join(f"{size / 1e9:.1f} GB in {name}" for name, size in memory.published.items())
    _say(
        console,
        f"Memory ({memory.device}), measured here: {what} takes up to {memory.measured / 1e9:.1f} GB, {at_once} at "
        f"once {needed / 1e9:.1f} GB of {memory.free / 1e9:.1f} GB free{fits}. Published for the full network, batch "
        f"256, on an RTX 5000: {published}.",
    )


def _table(first: str, *others: str) -> Table:
    """Intervals fold where the terminal is narrower still."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=name != "from - to", overflow="fold")
    return table


def _range(quantity: Interval, shown: Callable[[float], str]) -> str:
    return f"{shown(quantity.low)} - {shown(quantity.high)}"


def money(value: float) -> str:
    """Cents where there are many of them, otherwise two figures."""
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def _budget(console: Console, plan: Plan) -> None:
    at = f"on this machine with {plan.own.workers} workers"
    if plan.ends_by == "trials":
        _say(console, f"Budget {at}: all {plan.trials} trials fit; `trials` is what ends the search.")
    else:
        trials = round(plan.share * plan.trials)
        _say(console, f"Budget {at}: `{plan.ends_by}` ends the search after about {trials} of {plan.trials} trials.")
    for limit in plan.limits:
        if limit.resource not in ("trials", plan.ends_by):
            unsure = "" if limit.needed.high <= limit.limit else "; it may not last"
            left, whole = (_amount(plan, limit, value) for value in (limit.left(plan.share), limit.limit))
            _say(console, f"  left of `{limit.resource}`: {left} of {whole}{unsure}")


def _amount(plan: Plan, limit: Limit, value: float) -> str:
    match limit.resource:
        case "wall_time":
            return duration(value)
        case "cost":
            return f"{value:.4g} {plan.currency}"
        case _:
            return f"{value:.4g}"


def print_actual(console: Console, study: str, remembered: Remembered, spent: Spent, frame: pd.DataFrame) -> None:
    """Predicted against spent."""
    late = " (after the study had begun)" if remembered.made_at > spent.began else ""
    still = f"; {spent.open_runs} runs are still open" if spent.open_runs else ""
    _say(console, f"{study}: planned {remembered.made}{late}; {spent.workers} workers at once{still}")
    table = _table("", "predicted", "from - to", "spent", "spent /\npredicted", "")
    shown = {"epochs": "{:.0f}".format, "s": duration, "h": "{:.3g}".format, "money": "{:.3g}".format}
    for row in frame.to_dict("records"):
        say = shown[str(row["unit"])]
        name = f"cost, {remembered.currency}" if row["unit"] == "money" and remembered.currency else row["quantity"]
        table.add_row(
            str(name),
            say(row["expected"]),
            f"{say(row['low'])} - {say(row['high'])}",
            say(row["spent"]),
            "" if pd.isna(row["ratio"]) else f"{row['ratio']:.2f}",
            "" if row["inside"] else "outside",
        )
    console.print(table)


def duration(seconds: float) -> str:
    """Two or three figures in the largest unit of which there is one: 4.9 d, 12 min, 45 s."""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= size), ("s", 1))
    value = seconds / size
    return f"{value:.1f} {unit}" if value < 10 and unit != "s" else f"{value:.0f} {unit}"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
