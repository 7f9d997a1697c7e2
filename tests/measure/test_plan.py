"""Plans by hand: the arithmetic, the pruner's simulation, the budget, the price table."""

import io
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console

from amnl_tune.cli.measure.plan_tables import print_plan
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.installation import shipped
from amnl_tune.measure.figures import plan_figure, plan_frame
from amnl_tune.measure.load import Load
from amnl_tune.measure.plan.actual import (
    PAUSE,
    _at_once,
    _without_pauses,
    comparison,
    place_of,
    recall,
    remember,
    spending,
)
from amnl_tune.measure.plan.calibration import Timing
from amnl_tune.measure.plan.demand import Demand, Job, demand_of, representative
from amnl_tune.measure.plan.estimate import Machine, Runs, binding, estimate, limits_of, makespan, share_within
from amnl_tune.measure.plan.lengths import Lengths, promoted_lengths, standing, stopped, trial_lengths
from amnl_tune.measure.plan.machines import load_machines
from amnl_tune.measure.plan.measuring import counts_to_measure, delay_of
from amnl_tune.measure.plan.pace import Interval, MeasuredPace, Overheads, PublishedPace, straight_line
from amnl_tune.measure.plan.plan import HERE, Memory, Plan, here, make_plan, published, scenario
from amnl_tune.measure.plan.rehearsal import Station
from amnl_tune.measure.plan.scenarios import write_scenario
from amnl_tune.measure.profile import forward_work
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.policy import competition
from amnl_tune.studies.optuna_parts import build_pruner
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec, parse_study_spec
from amnl_tune.training.config import Precision

JOB = Job("a", steps=10, windows=100, validated=20, at_end=40, step_work=1000.0, forward_work=10.0)
TIMING = Timing(step=0.1, spread=0.1, forward=0.05, probing=0.5)
TRIALS, RUNS = 4, 2


def study(tiny_study: str, **tables: str) -> StudySpec:
    """The tiny one with other tables, given as their lines."""
    text = tiny_study
    for name, lines in tables.items():
        head = f"[{name}]\n"
        before, _, after = text.partition(head)
        rest = after[after.index("\n[") :] if "\n[" in after else ""
        text = f"{before}{head}{lines}\n{rest}"
    return parse_study_spec(text, name="tiny")


@pytest.fixture
def spec(tiny_study: str) -> StudySpec:
    return parse_study_spec(tiny_study, name="tiny")


@pytest.fixture
def demand() -> Demand:
    """Four trials of one shape, then one winner and the incumbent."""
    return Demand("s", "FD001", TRIALS, JOB, (JOB,), (JOB,), JOB, 0, (1, 2), 1, {})


@pytest.fixture
def runs(demand: Demand) -> Runs:
    trials = Lengths((2, 1, 1, 1), ((4, 2, 2, 4),), (4,) * TRIALS)
    return Runs.of(demand, trials, Lengths((8,) * RUNS, ((8, 8),), (8,) * RUNS), seed=1)


def machine(workers: int = 1, **changes: Any) -> Machine:
    pace = MeasuredPace([(JOB, TIMING)], Overheads(start=3.0, run=0.25, epoch=0.125))
    return replace(Machine(HERE, workers, workers, lambda _: pace), **changes)


def is_ordered(interval: Interval) -> bool:
    return interval.low <= interval.expected <= interval.high


def test_a_search_computed_by_hand(demand: Demand, runs: Runs) -> None:
    found = estimate(demand, runs, machine())
    epoch = 10 * 0.1 + 20 * 0.05  # 2 s: ten steps and twenty validated windows
    pruned, complete = 2 * (epoch + 0.125) + 0.25, 4 * (epoch + 0.125) + 0.25 + 40 * 0.05
    probing = 0.5  # of the one shape, once
    assert found.search.epochs == Interval(5, 12, 16)
    assert found.search.wall.expected == pytest.approx(3 + 2 * pruned + 2 * complete + probing)
    assert found.search.busy.expected == pytest.approx(12 * epoch)
    assert found.search.busy.low == pytest.approx(5 * epoch - 5 * 0.1 * epoch)
    assert found.search.busy.high == pytest.approx(16 * epoch * 1.1)
    assert found.promotion.epochs == Interval(8, 16, 16)  # the published defaults may be the best themselves
    assert found.promotion.wall.expected == pytest.approx(3 + 2 * (8 * 2.125 + 0.25 + 2) + probing)
    assert found.range_test.wall == Interval(0, 0, 0)


def test_a_range_test_takes_its_iterations(demand: Demand, runs: Runs) -> None:
    found = estimate(replace(demand, range_test=60), runs, machine())
    assert found.range_test.wall == pytest.approx((3.0, 6.0, 6.0))


def test_more_workers_never_take_longer_and_never_less_work(demand: Demand, runs: Runs) -> None:
    found = [estimate(demand, runs, machine(workers)) for workers in (1, 2, 4, 8)]
    for fewer, more in pairwise(found):
        for phase in ("search", "promotion"):
            before, after = getattr(fewer, phase), getattr(more, phase)
            assert all(a <= b for a, b in zip(after.wall, before.wall, strict=True))
            assert after.busy == before.busy
    assert found[1].search.wall.expected < found[0].search.wall.expected
    assert found[3].search.wall == found[2].search.wall  # there are four trials
    assert found[1].promotion.wall == found[3].promotion.wall  # and two promoted runs


def test_no_more_is_promised_than_there_are_cores() -> None:
    pace = MeasuredPace([(JOB, TIMING)], Overheads())
    mine = here({1: pace, 2: pace}, workers=(1, 2, 8), cores=2, price_per_hour=None)
    assert [(one.workers, one.at_once, bool(one.note)) for one in mine] == [(1, 1, False), (2, 2, False), (8, 2, True)]
    assert counts_to_measure([1, 2, 4, 8], 3) == [1, 2, 3]


def test_the_pace_is_that_of_as_many_workers_or_more() -> None:
    paces = {n: MeasuredPace([(JOB, replace(TIMING, step=float(n)))], Overheads()) for n in (1, 2, 4)}
    (mine,) = here(paces, workers=(4,), cores=4, price_per_hour=None)
    assert [mine.pace(n) for n in (1, 2, 3, 4, 5)] == [paces[n] for n in (1, 2, 4, 4, 4)]


def test_makespan() -> None:
    assert makespan([4, 1, 1, 1], 2) == 4
    assert makespan([1, 1, 1, 4], 2) == 5
    assert makespan([3, 3], 8) == 3
    assert makespan([], 2) == 0


def test_ddp_shortens_promoted_runs_and_costs_more(demand: Demand, runs: Runs) -> None:
    found = estimate(demand, runs, machine(4, ddp=3.2))
    alone = estimate(demand, runs, machine(1)).promotion
    assert found.promotion_by_ddp is not None
    assert found.promotion_by_ddp.wall == pytest.approx(alone.wall.times(1 / 3.2))
    assert found.promotion_by_ddp.busy == pytest.approx(alone.busy.times(4 / 3.2))
    assert estimate(demand, runs, machine(4)).promotion_by_ddp is None


def test_shapes_that_were_not_timed_lie_on_the_line_through_those_that_were() -> None:
    (offset, slope), error = straight_line([(100.0, 3.0), (200.0, 5.0), (400.0, 9.0)])
    assert (offset, slope, error) == pytest.approx((1.0, 0.02, 0.0), abs=1e-9)
    assert straight_line([(100.0, 3.0)])[0] in [(0.0, 0.03), (3.0, 0.0)]
    falling, error = straight_line([(1.0, 9.0), (9.0, 1.0)])  # neither part may be negative
    assert min(falling) == 0.0
    assert error > 0.1
    measured = [
        (replace(JOB, shape=str(work), step_work=work), replace(TIMING, step=work / 100)) for work in (100, 300)
    ]
    pace = MeasuredPace(measured, Overheads())
    between = replace(JOB, shape="new", step_work=200.0)
    assert pace.epoch(between).expected == pytest.approx(10 * 2.0 + 20 * 0.05)
    assert is_ordered(pace.epoch(between))


def test_a_published_gpu_takes_its_published_minutes_for_its_published_run(demand: Demand) -> None:
    machines = load_machines()
    full = replace(JOB, windows=17_731, forward_work=100_900_000.0)
    for name, dataset, minutes in (("RTX 5000", "FD001", 90 * 75 / 88.75), ("H100", "FD004", 25 * 105 / 88.75)):
        pace = PublishedPace(machines.seconds_a_window(machines.gpus[name].minutes, dataset))
        epoch = pace.epoch(replace(full, windows=machines.runs[dataset].windows))
        assert epoch.times(100 / 60) == pytest.approx((minutes,) * 3)
    quarter = PublishedPace(1.0).epoch(replace(full, windows=1, forward_work=100_900_000.0 / 4))
    assert quarter == pytest.approx((0.25, 0.5, 1.0))
    assert PublishedPace(1.0).epoch(replace(full, windows=1, forward_work=4 * 100_900_000.0)) == (1.0, 2.0, 4.0)
    unknown = machines.seconds_a_window(90, "SIM1")
    known = [machines.seconds_a_window(90, dataset) for dataset in machines.runs]
    assert min(known) < unknown < max(known)
    assert {one.workers for one in published(machines, "FD001")} == {1, 2, 4, 8}
    large = scenario(machines, "large-scale", "FD001")
    assert (large.accelerators, large.price_per_hour) == (4, 2.5)


def test_the_work_of_the_published_network(spec: StudySpec) -> None:
    full = spec.run_config({}).replaced(
        conv_channels=(64, 128, 64), hidden_size=256, num_heads=8, fc_sizes=(256, 64, 32), window=30, num_layers=2
    )
    assert forward_work(full) == pytest.approx(100.9e6, rel=1e-3)


@pytest.mark.parametrize(
    ("pruner", "fewest", "most"),
    [
        ('name = "NopPruner"', 36, 36),
        ('name = "SuccessiveHalvingPruner"\nmin_resource = 2\nreduction_factor = 3', 9 + 3 * 2, 36),
        ('name = "HyperbandPruner"\nmin_resource = 2\nmax_resource = 9\nreduction_factor = 3', 15, 36),
        ('name = "MedianPruner"\nn_startup_trials = 1\nn_warmup_steps = 4', 9 + 3 * 4, 36),
        ('name = "ThresholdPruner"\nupper = 1.0\nn_warmup_steps = 5', 4 * 5, 36),
        ('name = "ThresholdPruner"\nlower = 1.0\nn_warmup_steps = 5', 4 * 5, 36),
        ('name = "PatientPruner"\npatience = 2', 4 * 4, 36),
    ],
)
def test_epochs_between_all_cut_and_nothing_cut(pruner: str, fewest: int, most: int, tiny_study: str) -> None:
    spec = study(tiny_study, pruner=pruner, trial="epochs = 9")
    lengths = trial_lengths(spec, repeats=20, at_once=2)
    if "Hyperband" in pruner:
        assert fewest <= sum(lengths.fewest) <= most
    else:
        assert sum(lengths.fewest) == fewest
    assert sum(lengths.most) == most
    assert all(len(epochs) == TRIALS for epochs in lengths.simulated)
    if "Threshold" not in pruner:
        assert all(sum(lengths.fewest) <= sum(epochs) <= most for epochs in lengths.simulated)
    assert trial_lengths(spec, repeats=20, at_once=2) == lengths  # the same plan again


def test_halving_keeps_what_its_factor_says(tiny_study: str) -> None:
    pruner = 'name = "SuccessiveHalvingPruner"\nmin_resource = 1\nreduction_factor = 4'
    spec = study(tiny_study, pruner=pruner, budget="trials = 400", trial="epochs = 2")
    lengths = trial_lengths(spec, repeats=10, at_once=1)
    past = [sum(epochs == 2 for epochs in simulated) for simulated in lengths.simulated]
    assert 85 < sum(past) / len(past) < 115  # a quarter of 400


@pytest.mark.parametrize(
    "pruner",
    [
        'name = "SuccessiveHalvingPruner"\nmin_resource = 1\nreduction_factor = 2',
        'name = "MedianPruner"\nn_startup_trials = 2\nn_warmup_steps = 2',
        'name = "PercentilePruner"\npercentile = 25.0\nn_startup_trials = 3\nn_warmup_steps = 1',
        'name = "ThresholdPruner"\nupper = 20.0',
    ],
)
def test_decisions_in_memory_are_optunas(pruner: str, tiny_study: str) -> None:
    spec = study(tiny_study, pruner=pruner, trial="epochs = 6")
    optunas = optuna.create_study(pruner=build_pruner(spec))
    source, reports, complete, decisions = random.Random(3), dict[int, list[float]](), 0, set()
    for _ in range(20):
        trial, curve = optunas.ask(), list[float]()
        while len(curve) < 6:
            curve.append(source.uniform(10, 30))
            best, number = min(curve), len(curve)
            trial.report(best, number)
            if number == 6:
                break
            question = competition(spec, 0, curve, best)
            pruned = standing(question, reports.setdefault(number, []), complete, best)
            assert pruned == trial.should_prune()
            decisions.add(pruned)
            if question.tallied:
                reports[number].append(best)
            if pruned:
                optunas.tell(trial, state=TrialState.PRUNED)
                break
        else:
            continue
        if number == 6:
            optunas.tell(trial, min(curve))
            complete += 1
            if "Percentile" in pruner or "Median" in pruner:
                for epoch in range(1, 7):
                    reports.setdefault(epoch, []).append(min(curve[:epoch]))
    assert decisions == {True, False}


def test_early_stopping_of_promoted_runs(tiny_study: str) -> None:
    assert stopped([5, 4, 4, 4, 3], 2) == 4
    assert stopped([5, 4, 4, 4, 3], None) == 5
    spec = study(tiny_study, promotion="epochs = 100\npatience = 7")
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
    lengths = promoted_lengths(spec, full, runs=2, repeats=10)
    assert (lengths.fewest, lengths.most) == ((8, 8), (100, 100))
    assert all(8 <= epochs <= 100 for simulated in lengths.simulated for epochs in simulated)
    assert any(epochs < 100 for simulated in lengths.simulated for epochs in simulated)
    going_on = study(tiny_study, trial="epochs = 3\nhorizon = 4", promotion="epochs = 4")
    full = going_on.promotion_config(going_on.run_config(going_on.incumbent_parameters()), 42)
    assert promoted_lengths(going_on, full, runs=1, repeats=1).most == (1,)  # from its trial's checkpoint
    for trial, epochs in (("epochs = 3\nhorizon = 100", 67), ("epochs = 3", 70)):
        stops = study(tiny_study, trial=trial, promotion="epochs = 70\nhorizon = 100")
        full = stops.promotion_config(stops.run_config(stops.incumbent_parameters()), 42)
        assert promoted_lengths(stops, full, runs=1, repeats=1).most == (epochs,)


@pytest.mark.parametrize(
    ("budget", "ends_by", "left"),
    [
        ("trials = 4", "trials", {}),
        ("trials = 4\nepochs = 6", "epochs", {}),
        ("trials = 4\nepochs = 100", "trials", {"epochs": 100 - 12}),
        ('trials = 4\nepochs = 9\nwall_time = "5s"', "wall_time", {"epochs": 9 - 12 * 5 / 34}),
        ("trials = 4\naccelerator_hours = 0.01\ncost = 0.001", "cost", {"accelerator_hours": 0.01 - 0.0005}),
    ],
)
def test_which_limit_ends_the_search(
    budget: str, ends_by: str, left: dict[str, float], tiny_study: str, demand: Demand, runs: Runs
) -> None:
    spec = study(tiny_study, budget=budget, hardware='device = "cpu"\nprice_per_hour = 2.0')
    search = estimate(demand, runs, machine()).search
    assert search.wall.expected == pytest.approx(34)
    limits = limits_of(spec, search, 2.0)
    first = binding(limits)
    assert first.resource == ends_by
    for limit in limits:
        if limit.resource in left:
            assert limit.left(first.share) == pytest.approx(left[limit.resource])
    shares = share_within(limits)
    assert shares.low >= shares.expected >= shares.high
    assert shares.expected == first.share


@pytest.fixture
def plan_of(fleet_dir: Path) -> Callable[[StudySpec], Plan]:
    """A study planned with timings that are made up."""

    def planned(spec: StudySpec) -> Plan:
        fleet = FleetSource((fleet_dir,)).training("SIM1")
        demand = demand_of(spec, prepare(fleet, spec.run_config(spec.incumbent_parameters())))
        pace = MeasuredPace([(job, TIMING) for job in demand.jobs.values()], Overheads(start=2.0, run=0.1, epoch=0.01))
        price = spec.hardware.price_per_hour
        mine = here({1: pace, 2: pace}, workers=(1, 2, 4), cores=2, price_per_hour=price)
        return make_plan(spec, demand, [*mine, *published(load_machines(), "SIM1")])

    return planned


def test_every_interval_of_a_plan_is_one(plan_of: Callable[[StudySpec], Plan], tiny_study: str) -> None:
    plan = plan_of(study(tiny_study, hardware='workers = 2\ndevice = "cpu"\nprice_per_hour = 2.0'))
    assert len(plan.rows) == 3 + 5 * 4
    for row in plan.rows:
        quantities = [row.epochs, row.wall, row.accelerator_hours, row.range_test, row.ddp_wall, row.ddp_cost, row.cost]
        assert all(is_ordered(one) for one in quantities if one is not None)
    assert plan.own.workers == 2
    assert plan.own.cost == pytest.approx(plan.own.accelerator_hours.times(2.0))
    for name in {row.machine for row in plan.rows}:
        walls = [row.wall.expected for row in plan.rows if row.machine == name]
        assert walls == sorted(walls, reverse=True)


def test_a_plan_stays_within_the_budget(plan_of: Callable[[StudySpec], Plan], tiny_study: str) -> None:
    free = plan_of(study(tiny_study, hardware='workers = 1\ndevice = "cpu"'))
    half = free.own.search.epochs.expected // 2
    short = plan_of(
        study(tiny_study, budget=f"trials = 4\nepochs = {half:.0f}", hardware='workers = 1\ndevice = "cpu"')
    )
    assert (free.ends_by, short.ends_by) == ("trials", "epochs")
    assert short.share == pytest.approx(half / free.own.search.epochs.expected)
    assert short.own.search.epochs.expected == pytest.approx(half)
    assert short.own.search.wall.expected == pytest.approx(free.own.search.wall.expected * short.share)
    assert short.own.promotion == free.own.promotion  # the budget is the search's


def test_what_is_timed_covers_the_space(spec: StudySpec, fleet_dir: Path) -> None:
    data = prepare(FleetSource((fleet_dir,)).training("SIM1"), spec.run_config(spec.incumbent_parameters()))
    demand = demand_of(spec, data)
    assert demand_of(spec, data) == demand
    assert {(c.batch_size, c.hidden_size) for c in demand.configs.values()} == {(16, 2), (16, 4), (32, 2), (32, 4)}
    chosen = representative(demand, 3)
    assert (chosen[0].batch_size, chosen[0].hidden_size) == (32, 4)  # the incumbent
    assert (chosen[1].batch_size, chosen[1].hidden_size) == (16, 2)  # the least work
    assert len(representative(demand, 99)) == len(demand.jobs) == 4
    windows = len(data.training_windows(demand.configs[demand.incumbent.shape], 8))
    assert demand.incumbent.steps == -(-windows // 32)
    assert demand.promotions == (1, 2)


def test_prices_can_be_replaced_and_gpus_added(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("[gpus.A100]\nprice_per_hour = 1.1\n[gpus.H200]\nminutes = 20\nprice_per_hour = 3.5\n")
    machines = load_machines(file)
    assert (machines.gpus["A100"].price_per_hour, machines.gpus["A100"].minutes) == (1.1, 45)
    assert machines.gpus["H200"].minutes == 20
    assert machines.gpus["RTX 3060"] == load_machines().gpus["RTX 3060"]
    assert machines.ddp == {2: 1.88, 4: 3.21, 8: 5.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[gpus.A100]\nprice_hour = 1.1",
            "`gpus.A100.price_hour` is not a key of a price table; did you mean `price_per_hour`?",
        ),
        ("[gpu.A100]\nminutes = 1", "`gpu` is not a key of a price table; did you mean `gpus`?"),
        (
            "[gpus.A10]\nprice_per_hour = 1",
            "`gpus.A10.minutes` must be given, because gpus.A10 is not in the published",
        ),
        ("[gpus.A100]\nprice_per_hour = -1", "`gpus.A100.price_per_hour` must be at least 0.0, but got -1"),
        (
            '[scenarios.production]\ngpu = "A10"',
            "must be one of RTX 3060, RTX 3080, RTX 5000, A100, H100, but got 'A10'",
        ),
        ("gpus =", "`--prices` must be TOML, but"),
    ],
)
def test_a_typo_in_the_prices(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_machines(file)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_prices_and_presets(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"`--prices` must be a readable file, but .* is not: No such file"):
        load_machines(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match=r"but got 'prodction'; did you mean `production`\?"):
        load_machines().scenario("prodction")


def test_the_figure_shows_every_machine(plan_of: Callable[[StudySpec], Plan], spec: StudySpec) -> None:
    frame = plan_frame(plan_of(spec))
    mine = frame[frame["machine"] == HERE]
    assert list(mine["workers"]) == [1, 2]  # four workers would be two
    assert mine["cost"].isna().all()
    assert (frame["hours_low"] <= frame["hours"]).all()
    assert (frame["hours"] <= frame["hours_high"]).all()
    assert set(frame[frame["ddp"]]["workers"]) == {2, 4, 8}
    names = [trace.name for trace in plan_figure(frame).data]
    assert names[0] == "this machine (no price)"
    assert {"H100", "H100, DDP"} <= set(names)


def test_a_plan_is_remembered_for_its_study_file(
    plan_of: Callable[[StudySpec], Plan], tiny_study: str, tmp_path: Path
) -> None:
    spec = parse_study_spec(tiny_study, name="tiny")
    with pytest.raises(StudyError, match=r"there is none of study 'tiny' .*; run `amnl-tune plan FILE` before"):
        recall(tmp_path, spec)
    plan = plan_of(spec)
    remember(tmp_path, spec, plan)
    prediction = recall(tmp_path, spec).of(2)
    assert prediction.search == plan.own.search
    assert prediction.range_test == plan.own.range_test
    assert recall(tmp_path, spec).of(7).workers == 4
    with pytest.raises(ConfigurationError, match="was made for another content of it"):
        recall(tmp_path, study(tiny_study, trial="epochs = 5"))
    place_of(tmp_path, "tiny").write_text("{")
    with pytest.raises(ConfigurationError, match="must be readable, but"):
        recall(tmp_path, spec)


def test_spent_is_what_the_ledger_says(finished: Any, plan_of: Callable[[StudySpec], Plan], tmp_path: Path) -> None:
    remember(tmp_path, finished.spec, plan_of(finished.spec))
    spent = spending(finished.ledger, "tiny")
    assert (spent.search.epochs, spent.promotion.epochs, spent.workers, spent.open_runs) == (12, 16, 1, 0)
    assert 0 < spent.search.busy < spent.search.wall
    frame = comparison(recall(tmp_path, finished.spec), spent, 2.0).set_index("quantity")
    assert frame.loc["epochs of trials", "spent"] == 12
    assert frame.loc["epochs of trials", "ratio"] == pytest.approx(1.0)
    assert frame.loc["wall time", "spent"] == pytest.approx(spent.search.wall + spent.promotion.wall)
    assert frame.loc["cost", "spent"] == pytest.approx(2 * frame.loc["accelerator hours", "spent"])
    assert not frame.loc["epochs of promoted runs", "inside"]  # over two seeds, planned for one
    with pytest.raises(StudyError, match="there is no 'other'"):
        spending(finished.ledger, "other")


def test_pauses_do_not_count() -> None:
    assert _without_pauses(0, [(10, 20), (15, 30)]) == 30
    assert _without_pauses(0, [(10, 20), (20 + PAUSE, 100)]) == 100
    assert _without_pauses(0, [(10, 20), (1020, 1030)]) == 30
    assert _without_pauses(0, []) == 0
    assert _at_once([(0, 10), (10, 20)]) == 1
    assert _at_once([(0, 11), (10, 20), (5, 30)]) == 3


def test_a_plan_says_what_an_idle_machine_would_take(plan_of: Callable[[StudySpec], Plan], tiny_study: str) -> None:
    plan = plan_of(study(tiny_study, hardware='workers = 2\ndevice = "cpu"'))
    assert plan.plain()["load"] is plan.plain()["idle_wall"] is plan.idle_wall is None
    idle = Load(0.2, 1.9, 2, 1.02)
    for load in (idle, Load(4.2, 5.1, 2, None)):
        assert replace(plan, load=load).idle_wall is None
    assert "busy" not in _printed(replace(plan, load=idle))
    busy = replace(plan, load=Load(4.2, 5.1, 2, 2.5))
    assert busy.idle_wall == pytest.approx(plan.own.wall.times(0.4))
    assert busy.plain()["idle_wall"] == pytest.approx(list(plan.own.wall.times(0.4)))
    assert busy.plain()["load"] == {"before": 4.2, "after": 5.1, "cores": 2, "delay": 2.5, "busy": True}
    assert "times their CPU time, so idle expect about 0:32 instead of 1:19." in _printed(busy)


def test_timings_tell_what_they_waited(tiny_study: str) -> None:
    timing = Timing(step=0.3, spread=0.1, forward=0.05, probing=0.0, cpu=0.1)
    paces = {1: MeasuredPace([(JOB, timing)], Overheads())}
    one = parse_study_spec(tiny_study.replace("workers = 2", "workers = 1"))
    assert delay_of(paces, Station(one, (), None, "cpu")) == pytest.approx(3.0)
    assert delay_of(paces, Station(one, (), Path(), "cuda")) is None


def _printed(plan: Plan) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_plan(console, plan)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("name", load_machines().scenarios)
def test_a_published_scenario_is_a_study_file(name: str, tmp_path: Path) -> None:
    machines, place = load_machines(), tmp_path / "studies" / "x.toml"
    written = write_scenario(machines, name, shipped("fd001.toml"), place)
    spec, scenario = load_study_spec(place), machines.scenario(name)
    assert (spec, spec.name, spec.data.dataset) == (written, "x", "FD001")
    assert (spec.hardware.workers, spec.hardware.price_per_hour) == (
        scenario.count,
        machines.gpus[scenario.gpu].price_per_hour,
    )
    options = scenario.options
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
    assert full.batch_size == 256
    assert ("early stopping" in options, full.patience) in ((True, 15), (False, None))
    assert ("gradient accumulation" in options) == (full.accumulation_steps == 4)
    assert (f"promote x --gpus {scenario.count}" in place.read_text()) == ("DDP" in options)
    with pytest.raises(ConfigurationError, match=r"must be written to a new file, but there is .*x.toml"):
        write_scenario(machines, name, shipped("fd001.toml"), place)


@pytest.mark.parametrize("question", sorted(shipped("").glob("*.toml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("name", load_machines().scenarios)
def test_every_shipped_question_may_be_asked_by_a_scenario(name: str, question: Path, tmp_path: Path) -> None:
    spec = write_scenario(load_machines(), name, question, tmp_path / "x.toml")
    assert spec.data == load_study_spec(question).data


def test_nothing_of_the_question_holds_back_a_scenario(tiny_study: str, tmp_path: Path) -> None:
    question = tmp_path / "tiny.toml"
    own = "patience = 3\noverrides = { accumulation_steps = 2 }\n"
    question.write_text(tiny_study.replace("[promotion]\n", f"[promotion]\n{own}"))
    spec = write_scenario(load_machines(), "research-full", question, tmp_path / "x.toml")
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
    assert (full.batch_size, full.accumulation_steps, full.patience) == (256, 1, None)
    assert (spec.hardware.device, spec.hardware.precision) == ("auto", Precision.AUTO)
    assert spec.incumbent == {"hidden_size": 4}  # its batch size is a scenario's


def test_what_a_scenario_cannot_be_written_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"`--scenario` must be one of research-quick, .* mean `production`"):
        write_scenario(load_machines(), "produktion", shipped("fd001.toml"), tmp_path / "x.toml")
    with pytest.raises(ConfigurationError, match="A study file must exist"):
        write_scenario(load_machines(), "production", tmp_path / "none.toml", tmp_path / "x.toml")
    with pytest.raises(ConfigurationError, match="no study name"):
        write_scenario(load_machines(), "production", shipped("fd001.toml"), tmp_path / "no name.toml")
    assert list(tmp_path.iterdir()) == []


def test_memory_and_the_efficiency_of_ddp_are_told_with_their_source(
    plan_of: Callable[[StudySpec], Plan], spec: StudySpec
) -> None:
    def shown(memory: Memory | None) -> str:
        out = io.StringIO()
        print_plan(Console(file=out, width=80), replace(plan_of(spec), memory=memory))
        return out.getvalue()

    published = {name: size * 1e9 for name, size in load_machines().memory.items()}
    small = shown(Memory(0.6e9, "cuda", 2e9, published))
    assert "Memory (cuda), measured here: a run takes up to 0.6 GB, 2 at once 1.2 GB of 2.0 GB free. Published" in small
    assert "RTX 5000: 3.2 GB in float32, 2.1 GB in mixed precision." in small
    assert "too much: lower `hardware.workers`" in shown(Memory(1.2e9, "cpu", 2e9, published))
    told = (
        "the publication's (RTX 5000), not measured here: 1.88 times on 2 (94%), 3.21 times on 4 (80%), 5.00 times on 8"
    )
    assert told in shown(None)
    assert "…" not in shown(None)
    assert "Memory" not in shown(None)
