"""Plans by hand: the arithmetic, the pruner's simulation, the budget, the price table."""

import io
import json
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
from amnl_tune.measure.plan.demand import Demand, Job, demand_of, representative
from amnl_tune.measure.plan.estimate import Machine, binding, estimate, limits_of, makespan, share_within
from amnl_tune.measure.plan.machines import load_machines
from amnl_tune.measure.plan.pace import Interval, MeasuredPace, PublishedPace, Timing, epoch_of, straight_line
from amnl_tune.measure.plan.plan import HERE, WORKERS, Memory, Plan, here, make_plan
from amnl_tune.measure.plan.run_lengths import Lengths, Records, promoted_lengths, recorded, trial_lengths
from amnl_tune.measure.plan.scenarios import write_scenario
from amnl_tune.measure.plan.timing import waited
from amnl_tune.measure.work import forward_work
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.studies.optuna_parts import build_pruner
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec, parse_study_spec
from amnl_tune.training.config import Precision

JOB = Job("a", steps=10, windows=100, validated=20, at_end=40, step_work=1000.0, forward_work=10.0)
TIMING = Timing(step=0.1, spread=0.1, forward=0.05, probing=0.5)
TRIALS = 4


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
    trials = Lengths((2, 1, 1, 1), (4, 2, 2, 4), (4,) * TRIALS)
    return Demand(
        "s", "FD001", TRIALS, JOB, (JOB,), (JOB,), JOB, 0, (1, 2), 1, {}, trials, Lengths((8,), (8, 8), (8, 8))
    )


def machine(workers: int = 1, **changes: Any) -> Machine:
    pace = MeasuredPace([(JOB, TIMING)], 3.0)
    return replace(Machine(HERE, workers, workers, lambda _: pace), **changes)


def is_ordered(interval: Interval) -> bool:
    return interval.low <= interval.expected <= interval.high


def test_a_search_computed_by_hand(demand: Demand) -> None:
    found = estimate(demand, machine())
    epoch = 10 * 0.1 + 20 * 0.05  # 2 s: ten steps and twenty validated windows
    full = 40 * 0.05  # validation windows at the end, as often as trials are likely to be complete
    probing = 0.5  # of the one shape, once
    assert found.search.epochs == Interval(5, 12, 16)
    assert found.search.wall.expected == pytest.approx(3 + 12 * epoch + 3 * full + probing)
    assert found.search.busy.expected == pytest.approx(12 * epoch)
    assert found.search.busy.low == pytest.approx(5 * (epoch - 0.1 * 10 * 0.1))
    assert found.search.busy.high == pytest.approx(16 * (epoch + 0.1 * 10 * 0.1))
    assert found.promotion.epochs == Interval(8, 16, 16)  # the published defaults may be the best themselves
    assert found.promotion.wall.expected == pytest.approx(3 + 2 * (8 * epoch + full) + probing)
    assert found.range_test.wall == Interval(0, 0, 0)


def test_a_range_test_takes_its_iterations(demand: Demand) -> None:
    found = estimate(replace(demand, range_test=60), machine())
    assert found.range_test.wall == pytest.approx((2.7, 6.0, 6.6))


def test_more_workers_never_take_longer_and_never_less_work(demand: Demand) -> None:
    found = [estimate(demand, machine(workers)) for workers in (1, 2, 4, 8)]
    for fewer, more in pairwise(found):
        for phase in ("search", "promotion"):
            before, after = getattr(fewer, phase), getattr(more, phase)
            assert all(a <= b for a, b in zip(after.wall, before.wall, strict=True))
            assert after.busy == before.busy
    assert found[1].search.wall.expected < found[0].search.wall.expected
    assert found[3].search.wall == found[2].search.wall  # there are four trials
    assert found[1].promotion.wall == found[3].promotion.wall  # and two promoted runs


def test_no_more_is_promised_than_there_are_cores() -> None:
    pace = MeasuredPace([(JOB, TIMING)])
    mine = here({1: pace, 2: pace}, workers=(1, 2, 8), cores=2, price_per_hour=None)
    assert [(one.workers, one.at_once, bool(one.note)) for one in mine] == [(1, 1, False), (2, 2, False), (8, 2, True)]


def test_the_pace_is_that_of_as_many_workers_or_more() -> None:
    paces = {n: MeasuredPace([(JOB, replace(TIMING, step=float(n)))]) for n in (1, 2, 4)}
    (mine,) = here(paces, workers=(4,), cores=4, price_per_hour=None)
    assert [mine.pace(n) for n in (1, 2, 3, 4, 5)] == [paces[n] for n in (1, 2, 4, 4, 4)]


def test_makespan() -> None:
    assert makespan([4, 1, 1, 1], 2) == 4
    assert makespan([1, 1, 1, 4], 2) == 5
    assert makespan([3, 3], 8) == 3
    assert makespan([], 2) == 0


def test_ddp_shortens_promoted_runs_and_costs_more(demand: Demand) -> None:
    found = estimate(demand, machine(4, ddp=3.2))
    alone = estimate(demand, machine(1)).promotion
    assert found.promotion_by_ddp is not None
    assert found.promotion_by_ddp.wall == pytest.approx(alone.wall.times(1 / 3.2))
    assert found.promotion_by_ddp.busy == pytest.approx(alone.busy.times(4 / 3.2))
    assert estimate(demand, machine(4)).promotion_by_ddp is None


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
    pace = MeasuredPace(measured)
    between = replace(JOB, shape="new", step_work=200.0)
    assert epoch_of(pace, between).expected == pytest.approx(10 * 2.0 + 20 * 0.05)
    assert is_ordered(epoch_of(pace, between))


def test_a_published_gpu_takes_its_published_minutes_for_its_published_run(demand: Demand) -> None:
    machines = load_machines()
    full = replace(JOB, windows=17_731, forward_work=100_900_000.0)
    for name, dataset, minutes in (("RTX 5000", "FD001", 90 * 75 / 88.75), ("H100", "FD004", 25 * 105 / 88.75)):
        pace = PublishedPace(machines.seconds_a_window(machines.gpus[name].minutes, dataset))
        epoch = epoch_of(pace, replace(full, windows=machines.runs[dataset].windows))
        assert epoch.times(100 / 60) == pytest.approx((minutes,) * 3)
    quarter = epoch_of(PublishedPace(1.0), replace(full, windows=1, forward_work=100_900_000.0 / 4))
    assert quarter == pytest.approx((0.25, 0.5, 1.0))
    assert epoch_of(PublishedPace(1.0), replace(full, windows=1, forward_work=4 * 100_900_000.0)) == pytest.approx(
        (1.0, 2.0, 4.0)
    )
    unknown = machines.seconds_a_window(90, "SIM1")
    known = [machines.seconds_a_window(90, dataset) for dataset in machines.runs]
    assert min(known) < unknown < max(known)
    assert {one.workers for one in machines.machines("FD001", WORKERS)} == {1, 2, 4, 8}
    large = machines.machine("large-scale", "FD001")
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
    lengths = trial_lengths(spec, Records())
    if "Hyperband" in pruner:
        assert fewest <= sum(lengths.fewest) <= most
    else:
        assert sum(lengths.fewest) == fewest
    assert sum(lengths.most) == most
    assert all(few <= one <= many for few, one, many in zip(*vars_of(lengths), strict=True))
    assert lengths.source == ("" if "Nop" in pruner else "all pruned at the first rung ... none pruned")
    assert trial_lengths(spec, Records()) == lengths  # the same plan again


def vars_of(lengths: Lengths) -> tuple[tuple[float, ...], ...]:
    return lengths.fewest, lengths.expected, lengths.most


def test_halving_keeps_what_its_factor_says(tiny_study: str) -> None:
    pruner = 'name = "SuccessiveHalvingPruner"\nmin_resource = 1\nreduction_factor = 4'
    spec = study(tiny_study, pruner=pruner, budget="trials = 400", trial="epochs = 2")
    past = sum(epochs - 1 for epochs in trial_lengths(spec, Records()).expected)
    assert 85 < past < 115  # a quarter of 400


@pytest.mark.parametrize(
    "pruner",
    [
        'name = "SuccessiveHalvingPruner"\nmin_resource = 1\nreduction_factor = 2',
        'name = "SuccessiveHalvingPruner"\nmin_resource = 2\nreduction_factor = 3\nbootstrap_count = 4',
        'name = "MedianPruner"\nn_startup_trials = 2\nn_warmup_steps = 2',
        'name = "PercentilePruner"\npercentile = 25.0\nn_startup_trials = 3\nn_warmup_steps = 1',
    ],
)
def test_what_a_rule_is_expected_to_leave_is_what_optunas_leaves(pruner: str, tiny_study: str) -> None:
    """Optuna's own pruner on trials that keep their order, whose ranks are as good as drawn."""
    spec = study(tiny_study, pruner=pruner, budget="trials = 20", trial="epochs = 6")
    source, used = random.Random(3), []
    for _ in range(20):
        optunas = optuna.create_study(pruner=build_pruner(spec))
        for _ in range(20):
            trial, quality = optunas.ask(), source.uniform(10, 30)
            for number in range(1, 7):
                trial.report(quality - number, number)
                if number < 6 and trial.should_prune():
                    optunas.tell(trial, state=TrialState.PRUNED)
                    break
            else:
                optunas.tell(trial, quality - number)
            used.append(number)
    lengths = trial_lengths(spec, Records())
    assert sum(lengths.expected) == pytest.approx(sum(used) / 20, rel=0.2)
    assert sum(lengths.fewest) <= min(sum(used[place : place + 20]) for place in range(0, 400, 20))


def test_early_stopping_of_promoted_runs(tiny_study: str) -> None:
    spec = study(tiny_study, promotion="epochs = 100\npatience = 7")
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
    lengths = promoted_lengths(spec, full, Records(), least=1, runs=2)
    assert vars_of(lengths) == ((8,), (100, 100), (100, 100))
    assert lengths.source == "all stopped early ... none stopped early"
    known = promoted_lengths(spec, full, Records(promoted=(30, 40)), least=1, runs=2)
    assert (known.expected, known.source) == ((35, 35), "as 2 recorded full runs")
    assert 8 < known.fewest[0] < 35 < known.most[0] < 100
    going_on = study(tiny_study, trial="epochs = 3\nhorizon = 4", promotion="epochs = 4")
    full = going_on.promotion_config(going_on.run_config(going_on.incumbent_parameters()), 42)
    assert promoted_lengths(going_on, full, Records(), least=1, runs=1).most == (1,)  # from its trial's checkpoint
    for trial, epochs in (("epochs = 3\nhorizon = 100", 67), ("epochs = 3", 70)):
        stops = study(tiny_study, trial=trial, promotion="epochs = 70\nhorizon = 100")
        full = stops.promotion_config(stops.run_config(stops.incumbent_parameters()), 42)
        assert promoted_lengths(stops, full, Records(), least=1, runs=1).most == (epochs,)


def test_recorded_studies_tell_how_long_trials_are(tiny_study: str, finished: Any) -> None:
    own = recorded(finished.ledger, finished.spec)
    assert (own.trials, own.studies) == ((3, 3, 3, 3), ("tiny",))
    other = parse_study_spec(tiny_study, name="other")
    assert recorded(finished.ledger, other) == own
    assert trial_lengths(other, own).source == "as 4 trials of earlier studies (tiny)"
    assert trial_lengths(finished.spec, own).source == "as 4 trials of this study"
    assert recorded(finished.ledger, study(tiny_study, trial="epochs = 5")).trials == ()
    assert recorded(finished.ledger, study(tiny_study, pruner='name = "ThresholdPruner"\nupper = 9.0')).trials == ()
    stops = study(tiny_study, promotion="epochs = 4\npatience = 3")
    assert all(1 <= epochs <= 4 for epochs in recorded(finished.ledger, stops).promoted)
    assert recorded(finished.ledger, stops).promoted
    halving = study(tiny_study, pruner='name = "SuccessiveHalvingPruner"\nmin_resource = 1', trial="epochs = 9")
    lengths = trial_lengths(halving, Records(trials=(1, 1, 9, 5), studies=("a", "b")))
    assert lengths.expected == (4.0,) * TRIALS
    assert all(few <= 4 <= many for few, many in zip(lengths.fewest, lengths.most, strict=True) if few < 9)
    assert trial_lengths(halving, Records(trials=(3,))).source == "all pruned at the first rung ... none pruned"


@pytest.mark.parametrize(
    ("budget", "ends_by", "left"),
    [
        ("trials = 4", "trials", {}),
        ("trials = 4\nepochs = 6", "epochs", {}),
        ("trials = 4\nepochs = 100", "trials", {"epochs": 100 - 12}),
        ('trials = 4\nepochs = 9\nwall_time = "5s"', "wall_time", {"epochs": 9 - 12 * 5 / 33.5}),
        ("trials = 4\naccelerator_hours = 0.01\ncost = 0.001", "cost", {"accelerator_hours": 0.01 - 0.0005}),
    ],
)
def test_which_limit_ends_the_search(
    budget: str, ends_by: str, left: dict[str, float], tiny_study: str, demand: Demand
) -> None:
    spec = study(tiny_study, budget=budget, hardware='device = "cpu"\nprice_per_hour = 2.0')
    search = estimate(demand, machine()).search
    assert search.wall.expected == pytest.approx(33.5)
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
        pace = MeasuredPace([(job, TIMING) for job in demand.jobs.values()], 2.0)
        price = spec.hardware.price_per_hour
        mine = here({1: pace, 2: pace}, workers=(1, 2, 4), cores=2, price_per_hour=price)
        machines = load_machines()
        return make_plan(spec, demand, [*mine, *machines.machines("SIM1", WORKERS)], currency=machines.currency)

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
    names = [trace.name for trace in plan_figure(frame, "USD").data]
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
    assert recall(tmp_path, spec).currency == "USD"
    place = place_of(tmp_path, "tiny")
    former = json.loads(place.read_text())
    for key in ("currency", "trial_lengths", "full_lengths"):  # as a former version has left it
        del former["plan"][key]
    place.write_text(json.dumps(former))
    assert recall(tmp_path, spec).of(2) == prediction
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
    assert "times their CPU time, so idle expect about 31 s instead of 1.3 min." in _printed(busy)


def test_timings_tell_what_they_waited() -> None:
    timing = Timing(step=0.3, spread=0.1, forward=0.05, probing=0.0, cpu=0.1)
    two = MeasuredPace([(JOB, timing)], threads=1)
    assert waited({2: two}, 2) == pytest.approx(3.0)
    one = MeasuredPace([(JOB, replace(timing, step=5.0, cpu=7.0))], threads=2)  # its threads wait for each other
    assert waited({1: one, 2: two}, 1) == pytest.approx(50.0)
    assert waited({1: one}, 1) is None


def test_workers_on_one_gpu_share_it() -> None:
    alone, four = (MeasuredPace([(JOB, TIMING)], sharing=sharing) for sharing in (1, 4))
    assert four.step(JOB) == pytest.approx(
        (alone.step(JOB).low, 2 * alone.step(JOB).expected, 4 * alone.step(JOB).high)
    )
    (mine,) = here({4: four}, workers=(4,), cores=8, price_per_hour=None)
    assert mine.note == "4 on one GPU; how they hold each other up is not measured"


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
