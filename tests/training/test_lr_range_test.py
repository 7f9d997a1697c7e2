import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from amnl_tune.rul.configuration import Loss
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.lr_range_test import RangeTestOptions, lr_range_test
from amnl_tune.training.suggestion import suggestions

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


def test_a_notebooks_backend_ends_no_range_test() -> None:
    """MPLBACKEND of a notebook reaches every command that is started from one; its package is not installed here."""
    program = (
        "import os; from amnl_tune.training.lr_range_test import _finder_class\n"
        "assert _finder_class().__name__ == 'LRFinder'\n"
        "assert os.environ['MPLBACKEND'] == 'module://nowhere.backend'"
    )
    environment = os.environ | {"MPLBACKEND": "module://nowhere.backend"}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
