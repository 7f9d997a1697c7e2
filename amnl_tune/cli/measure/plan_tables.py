"""A plan as tables on the terminal."""

from collections.abc import Callable

import pandas as pd
from rich.console import Console
from rich.table import Table

from amnl_tune.cli.display import clock
from amnl_tune.measure.plan.actual import Remembered, Spent
from amnl_tune.measure.plan.estimate import Limit
from amnl_tune.measure.plan.pace import Interval
from amnl_tune.measure.plan.plan import HERE, Plan, Row

DAY = 86_400


def print_plan(console: Console, plan: Plan) -> None:
    """Every machine's row, then what the budget says."""
    own = plan.own
    epochs = _range(own.epochs, "{:.0f}".format)
    _say(
        console,
        f"{plan.study}: {plan.trials} trials on {plan.dataset} and full-length runs, about {own.epochs.expected:.0f} "
        f"epochs ({epochs})",
    )
    _machines(console, plan)
    _teams(console, [row for row in plan.rows if row.ddp_wall])
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
    _load(console, plan)
    _budget(console, plan)


def _load(console: Console, plan: Plan) -> None:
    """What else the machine was doing, and what the study takes without that."""
    idle = plan.idle_wall
    took, alone = duration(plan.own.wall.expected), duration(idle.expected) if idle else ""
    said = plan.load.words(lambda _: f"idle expect about {alone} instead of {took}") if plan.load else ""
    if said:
        _say(console, said)


def _machines(console: Console, plan: Plan) -> None:
    """Nothing is cut off where the terminal is narrow: intervals fold."""
    table = _table("machine", "workers", "wall time", "from - to", "hours", "cost", "from - to")
    before = None
    for row in plan.rows:
        if before not in (None, row.machine):
            table.add_section()
        table.add_row(*_cells(row, repeated=row.machine == before), style="bold" if row is plan.own else "")
        before = row.machine
    console.print(table)


def _cells(row: Row, *, repeated: bool) -> list[str]:
    return [
        "" if repeated else row.machine,
        str(row.workers),
        duration(row.wall.expected),
        _range(row.wall, duration),
        f"{row.accelerator_hours.expected:.3g}",
        "" if row.cost is None else money(row.cost.expected),
        "" if row.cost is None else _range(row.cost, money),
    ]


def _teams(console: Console, rows: list[Row]) -> None:
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
    machines = list(dict.fromkeys(row.machine for row in rows))
    table = _table("GPUs", *machines)
    for workers in dict.fromkeys(row.workers for row in rows):
        cells = {row.machine: _team(row) for row in rows if row.workers == workers}
        table.add_row(str(workers), *(cells.get(machine, "") for machine in machines))
    console.print(table)


def _memory(console: Console, plan: Plan) -> None:
    """Of a run's device: measured here, and published."""
    memory = plan.memory
    if memory is None:
        return
    at_once = plan.own.at_once
    needed, what = at_once * memory.measured, "a worker's process" if memory.device == "cpu" else "a run"
    fits = "" if needed <= memory.free else ", which is too much: lower `hardware.workers` or `batch_size`"
    published = ", ".join(f"{_gigabytes(size)} in {name}" for name, size in memory.published.items())
    _say(
        console,
        f"Memory ({memory.device}), measured here: {what} takes up to {_gigabytes(memory.measured)}, {at_once} at once "
        f"{_gigabytes(needed)} of {_gigabytes(memory.free)} free{fits}. Published for the full network, batch 256, on "
        f"an RTX 5000: {published}.",
    )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def _team(row: Row) -> str:
    assert row.ddp_wall is not None
    cost = "" if row.ddp_cost is None else f"\n{money(row.ddp_cost.expected)}"
    return f"{duration(row.ddp_wall.expected)}{cost}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=name != "from - to", overflow="fold")
    return table


def _range(quantity: Interval, shown: Callable[[float], str]) -> str:
    return f"{shown(quantity.low)} - {shown(quantity.high)}"


def money(value: float) -> str:
    """Cents where there are many of them, otherwise three figures."""
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def _budget(console: Console, plan: Plan) -> None:
    own = plan.own
    at = f"on this machine with {own.workers} workers"
    if plan.ends_by == "trials":
        _say(console, f"Budget {at}: all {plan.trials} trials fit; `trials` is what ends the search.")
    else:
        trials = round(plan.share * plan.trials)
        _say(console, f"Budget {at}: `{plan.ends_by}` ends the search after about {trials} of {plan.trials} trials.")
    for limit in plan.limits:
        if limit.resource not in ("trials", plan.ends_by):
            unsure = "" if limit.needed.high <= limit.limit else "; it may not last"
            _say(
                console,
                f"  left of `{limit.resource}`: {_amount(limit, limit.left(plan.share))} of "
                f"{_amount(limit, limit.limit)}{unsure}",
            )


def _amount(limit: Limit, value: float) -> str:
    return duration(value) if limit.resource == "wall_time" else f"{value:.4g}"


def print_actual(console: Console, study: str, remembered: Remembered, spent: Spent, frame: pd.DataFrame) -> None:
    """Predicted against spent."""
    late = " (after the study had begun)" if remembered.made_at > spent.began else ""
    still = f"; {spent.open_runs} runs are still open" if spent.open_runs else ""
    _say(console, f"{study}: planned {remembered.made}{late}; {spent.workers} workers at once{still}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("predicted", "at least to at most", "spent", "spent / predicted", ""):
        table.add_column(name, justify="right")
    for row in frame.to_dict("records"):
        low, expected, high, used = (
            _quantity(str(row["unit"]), float(row[name])) for name in ("low", "expected", "high", "spent")
        )
        ratio = "" if pd.isna(row["ratio"]) else f"{row['ratio']:.2f}"
        table.add_row(
            str(row["quantity"]), expected, f"{low} to {high}", used, ratio, "" if row["inside"] else "outside"
        )
    console.print(table)


def _quantity(unit: str, value: float) -> str:
    match unit:
        case "epochs":
            return f"{value:.0f}"
        case "s":
            return duration(value)
        case _:
            return f"{value:.3g}"


def duration(seconds: float) -> str:
    """d h:mm:ss, the parts that count."""
    days, rest = divmod(round(seconds), DAY)
    return f"{days} d {clock(rest)}" if days else clock(rest)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
