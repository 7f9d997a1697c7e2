"""Who gets which part of a machine."""

import pytest

from amnl_tune.errors import ConfigurationError
from amnl_tune.launch.slots import chosen_gpus, cpu_slots, gpu_slots, overload, visible_gpus

FOUR = ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("environ", "present", "seen"),
    [
        ({}, 2, ("0", "1")),
        ({}, 0, ()),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, 2, ("3", "1")),
        ({"CUDA_VISIBLE_DEVICES": " GPU-5b1f , MIG-0c3e"}, 2, ("GPU-5b1f", "MIG-0c3e")),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, 0, ()),
        ({"CUDA_VISIBLE_DEVICES": "1,9"}, 1, ("1",)),
    ],
)
def test_what_is_visible_already_is_respected(environ: dict[str, str], present: int, seen: tuple[str, ...]) -> None:
    assert visible_gpus(environ, present) == seen


@pytest.mark.parametrize(
    ("workers", "per_worker", "gpus", "given"),
    [
        (2, 1, FOUR, ["0", "1"]),
        (2, 2, FOUR, ["0,1", "2,3"]),
        (4, 0.25, ("0",), ["0"] * 4),
        (4, 0.5, ("3", "7"), ["3", "7", "3", "7"]),
        (3, 1 / 3, ("0",), ["0"] * 3),
        (10, 0.1, ("0",), ["0"] * 10),
        (2, 0.25, FOUR, ["0", "1"]),
    ],
)
def test_each_worker_sees_its_own_gpus(
    workers: int, per_worker: float, gpus: tuple[str, ...], given: list[str]
) -> None:
    slots = gpu_slots(workers, per_worker, gpus)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == given
    assert {slot.accelerators for slot in slots} == {per_worker}


@pytest.mark.parametrize(
    ("workers", "per_worker", "gpus", "remedy"),
    [
        (5, 1, FOUR, "5 with 1 GPUs each do not fit 4 (0, 1, 2, 3); use --workers 4, or --gpus-per-worker 0.5"),
        (5, 0.5, ("0", "1"), "use --workers 4, or --gpus-per-worker 0.33"),
        (2, 2, ("0", "1", "2"), "use --workers 1, or --gpus-per-worker 1"),
        (1, 2, ("0",), "do not fit 1 (0); use --gpus-per-worker 1"),
        (1, 1, (), "(none visible); use --device cpu without --gpus-per-worker"),
    ],
)
def test_more_workers_than_gpus_hold_are_refused_with_what_would_fit(
    workers: int, per_worker: float, gpus: tuple[str, ...], remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        gpu_slots(workers, per_worker, gpus)
    assert str(refused.value).endswith(remedy)


@pytest.mark.parametrize(("workers", "per_worker", "gpus"), [(4, 0.5, ("0", "1")), (5, 0.33, ("0", "1"))])
def test_the_remedies_are_ones(workers: int, per_worker: float, gpus: tuple[str, ...]) -> None:
    assert len(gpu_slots(workers, per_worker, gpus)) == workers


@pytest.mark.parametrize("share", [0, -1, 1.5, 0.0])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(ConfigurationError, match="must be a fraction up to 1 or a whole number"):
        gpu_slots(1, share, FOUR)


def test_the_device_chooses_among_the_visible_ones() -> None:
    assert chosen_gpus("auto", FOUR) == chosen_gpus("cuda", FOUR) == FOUR
    assert chosen_gpus("cuda:2", FOUR) == ("2",)
    assert chosen_gpus("cpu", FOUR) == chosen_gpus("auto", ()) == ()
    for device, gpus in (("cuda:4", FOUR), ("cuda", ())):
        with pytest.raises(ConfigurationError, match="`--device` must be there"):
            chosen_gpus(device, gpus)


def test_a_crowded_cpu_is_worth_a_warning() -> None:
    assert overload(2, 4, 8) is None
    assert overload(3, 4, 8) == (
        "Warning: 3 workers of 4 threads are more than this machine's 8 cores, and slow each other down; "
        "--workers 2 would keep all of them busy"
    )
    assert [slot.environment for slot in cpu_slots(2)] == [{}, {}]
