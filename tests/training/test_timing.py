"""The one way in which anything here is timed."""

import time

import pytest
import torch

from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import Engines
from amnl_tune.training.probe import FreshRun, step_settings
from amnl_tune.training.timing import Lap, Stopwatch, lap, median_wall, take_turns

CPU = torch.device("cpu")


def test_arms_take_turns_and_each_round_begins_with_another() -> None:
    calls: list[str] = []
    arms = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    taken = take_turns(arms, CPU, rounds=3, warm_up=2)
    assert "".join(calls) == "aabbcc" + "abc" + "bca" + "cab"
    assert {name: len(laps) for name, laps in taken.items()} == {"a": 3, "b": 3, "c": 3}


def test_no_round_begins_once_the_time_is_up() -> None:
    arms = {"slow": lambda: time.sleep(0.02)}
    assert len(take_turns(arms, CPU, rounds=100, warm_up=0, fewest=3, seconds=0.0)["slow"]) == 3
    assert len(take_turns(arms, CPU, rounds=100, warm_up=0, seconds=0.0)["slow"]) == 1
    assert len(take_turns(arms, CPU, rounds=2, warm_up=0, fewest=3, seconds=0.0)["slow"]) == 2


def test_a_lap_tells_waiting_from_computing() -> None:
    waited = lap(lambda: time.sleep(0.05), CPU)
    assert waited.wall >= 0.05
    assert waited.cpu < waited.wall
    assert median_wall([Lap(3.0, 0.0), Lap(1.0, 0.0), Lap(2.0, 0.0)]) == 2.0


def test_the_parts_of_a_stopwatch_are_the_whole_time() -> None:
    watch = Stopwatch(CPU)
    began = watch.last
    for name in ("one", "two", "one"):
        time.sleep(0.01)
        watch.end(name)
    assert list(map(len, watch.taken.values())) == [2, 1]
    assert sum(map(sum, watch.taken.values())) == pytest.approx(watch.last - began)


def test_a_fresh_run_takes_real_steps_and_leaves_the_callers_random_numbers(
    tiny_config: RunConfig, tiny_data: PreparedData
) -> None:
    engines = Engines.of(tiny_config, tiny_data, Execution())
    batches = list(engines.batches(list(torch.split(engines.training[:96], 32))))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run = FreshRun(tiny_config, Execution(), Precision.FP32)
    before = [parameter.detach().clone() for parameter in run.state.parameters]
    terms = run.train(batches)
    assert torch.equal(torch.rand(3), expected)
    assert run.state.step == len(batches) == 3
    assert not all(torch.equal(p, q) for p, q in zip(before, run.state.parameters, strict=True))
    again = FreshRun(tiny_config, Execution(), Precision.FP32)
    assert torch.equal(sum(again.train([batch]) for batch in batches), terms)  # type: ignore[arg-type]


def test_settings_of_a_step_leave_out_what_does_not_change_its_time(tiny_config: RunConfig) -> None:
    same = tiny_config.replaced(learning_rate=0.5, seed=9, epochs=50, dropout=0.0)
    assert step_settings(same) == step_settings(tiny_config)
    assert step_settings(tiny_config.replaced(hidden_size=6)) != step_settings(tiny_config)
    assert step_settings(tiny_config.replaced(age=True)) != step_settings(tiny_config)
