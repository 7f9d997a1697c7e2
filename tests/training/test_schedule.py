from itertools import pairwise

import pytest

from amnl_tune.training.config import Schedule
from amnl_tune.training.state import lr_factor


def factor(progress: float, schedule: Schedule = Schedule.FOUR_PHASE) -> float:
    return lr_factor(progress, schedule, warmup=0.05, final=0.01)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(1, 0.2), (2.5, 0.5), (5, 1.0), (30, 1.0), (60, 1.0), (70, 0.505), (80, 0.01), (90, 0.01), (100, 0.01)],
)
def test_the_published_four_phases(epoch: float, expected: float) -> None:
    assert factor(epoch / 100) == pytest.approx(expected)


def test_cosine_falls_from_the_warm_up_on() -> None:
    values = [factor(i / 100, Schedule.COSINE) for i in range(5, 101)]
    assert values[0] == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.01)
    assert all(a > b for a, b in pairwise(values))


def test_constant_only_warms_up() -> None:
    assert [factor(p, Schedule.CONSTANT) for p in (0.025, 0.05, 1.0)] == pytest.approx([0.5, 1.0, 1.0])


def test_without_warm_up_the_first_step_has_the_base_rate() -> None:
    assert lr_factor(0.0, Schedule.COSINE, warmup=0.0, final=0.0) == 1.0
