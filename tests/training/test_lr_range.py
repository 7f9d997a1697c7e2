import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amnl_tune.rul.configuration import Loss
from amnl_tune.rul.losses import DualTaskLoss, LossTerms
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RangeTestCurve, RangeTestOptions, RunConfig
from amnl_tune.training.execution import own_threads, sweep_threads
from amnl_tune.training.lr_range import lr_range_test, suggestions

OPTIONS = RangeTestOptions(num_iter=40)


@pytest.mark.parametrize("loss", list(Loss))
def test_every_loss_gives_a_curve_that_falls(loss: Loss, tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    curve = lr_range_test(tiny_config.replaced(loss=loss), tiny_data, OPTIONS)
    assert len(curve.lr) == len(curve.loss) > 10
    assert np.all(np.diff(curve.lr) > 0)
    assert min(curve.loss) < curve.loss[0]
    assert all(rate is not None for rate in suggestions(curve.lr, curve.loss).values())


def test_it_leaves_no_trace_and_repeats(
    tiny_config: RunConfig, tiny_data: PreparedData, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = lr_range_test(tiny_config, tiny_data, OPTIONS)
    assert torch.equal(torch.get_rng_state(), before)
    assert lr_range_test(tiny_config, tiny_data, OPTIONS) == first
    assert capfd.readouterr() == ("", "")


def test_a_loss_that_blows_up_ends_the_sweep(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    curve = lr_range_test(
        tiny_config, tiny_data, RangeTestOptions(start_lr=1e-3, end_lr=1e12, num_iter=60, diverge_th=1e30)
    )
    assert np.all(np.isfinite(curve.loss))
    assert len(curve.lr) == len(curve.loss) < 60
    assert curve.diverged_at(1e12) == curve.lr[-1]


def test_a_notebooks_backend_ends_no_range_test() -> None:
    """MPLBACKEND of a notebook reaches every command that is started from one; its package is not installed here."""
    program = (
        "import os; from amnl_tune.training.lr_range import _finder_class\n"
        "assert _finder_class().__name__ == 'LRFinder'\n"
        "assert os.environ['MPLBACKEND'] == 'module://nowhere.backend'"
    )
    environment = os.environ | {"MPLBACKEND": "module://nowhere.backend"}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert told.returncode == 0, told.stderr


def test_somebody_s_unreadable_matplotlibrc_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfebackend")
    program = (
        "from amnl_tune.errors import ConfigurationError\n"
        "from amnl_tune.training.lr_range import _finder_class\n"
        "try:\n    _finder_class()\n"
        "except ConfigurationError as error:\n    print(error)"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, timeout=300)  # fmt: skip
    assert "correct or move `matplotlibrc` in this folder" in told.stdout, told.stderr


def test_a_sweep_that_reaches_its_last_rate_has_not_diverged(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    curve = lr_range_test(tiny_config, tiny_data, RangeTestOptions(end_lr=1e-3, num_iter=12))
    assert len(curve.lr) == 12
    assert curve.diverged_at(1e-3) is None
    assert RangeTestCurve((), ()).diverged_at(1.0) is None


def test_a_small_network_is_swept_on_one_thread_whatever_the_process_has(
    tiny_config: RunConfig, tiny_data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(DualTaskLoss, "forward", _noting(seen, DualTaskLoss.forward))
    before = torch.get_num_threads()
    with own_threads(3):
        several = lr_range_test(tiny_config, tiny_data, OPTIONS)
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before
    assert set(seen) == {1}
    with own_threads(1):
        assert lr_range_test(tiny_config, tiny_data, OPTIONS) == several
    with torch.device("meta"):
        assert sweep_threads(AMNL(RunConfig())) == before


def _noting(seen: list[int], forward: Callable[..., LossTerms]) -> Callable[..., LossTerms]:
    def noted(*arguments: Any) -> LossTerms:
        seen.append(torch.get_num_threads())
        return forward(*arguments)

    return noted
