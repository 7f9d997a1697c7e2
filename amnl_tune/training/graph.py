"""The training step as one CUDA graph: hundreds of small kernels start with one call.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs (whole-network capture).
"""

import logging

import torch
from torch import Tensor

from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import Precision
from amnl_tune.training.state import RunState
from amnl_tune.training.step import Step

__all__ = ["GraphedStep", "make_step", "why_not_graphed"]

logger = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before the capture, on a stream of their own: libraries allocate their workspaces in them. They count."""


def make_step(state: RunState, execution: Execution) -> "Step | GraphedStep":
    """The step that a run takes: captured where that can be, eager elsewhere."""
    reason = why_not_graphed(state, execution)
    if reason is None:
        return GraphedStep(state, state.config.batch_size)
    logger.debug("the training step goes without a CUDA graph: %s", reason)
    return Step(state, execution.team)


def why_not_graphed(state: RunState, execution: Execution) -> str | None:
    """Why a run's step is not captured; None: it is."""
    if execution.device.type != "cuda":
        return f"a {execution.device.type} device has no CUDA graphs"
    if not execution.cuda_graph:
        return "switched off"
    if not execution.team.is_alone:
        return "several processes exchange gradients within the step"
    if state.precision is Precision.FP16:
        return "a GradScaler decides on the host whether a step counts"
    return None


class GraphedStep:
    """`Step` for batches of one size, captured after a few steps; a batch of another size (the last one) goes eagerly.

    If the capture fails, it says why and goes on eagerly.

    Args:
        state: of the run, on a CUDA device.
        batch_size: windows of a captured batch.
    """

    def __init__(self, state: RunState, batch_size: int) -> None:
        state.make_capturable()
        self.state = state
        self.eager = Step(state, graphed=True)
        self.batch_size = batch_size
        self.stream = torch.cuda.Stream(state.parameters[0].device)  # type: ignore[no-untyped-call]
        self.taken = 0
        self.refused = False
        self.graph: torch.cuda.CUDAGraph | None = None
        self._windows = self._rul = self._terms = torch.empty(0)

    def __call__(self, windows: Tensor, rul: Tensor) -> Tensor:
        """(B, T, F), (B,) -> (2,) raw RUL and health terms, detached; valid until the next call."""
        if self.refused or len(rul) != self.batch_size:
            return self.eager(windows, rul)
        if self.taken < WARM_UP:
            self.taken += 1
            return self._aside(windows, rul)
        if self.graph is None and not self._captured(windows, rul):
            return self.eager(windows, rul)
        assert self.graph is not None
        self._windows.copy_(windows)
        self._rul.copy_(rul)
        self.graph.replay()
        return self._terms

    def _aside(self, windows: Tensor, rul: Tensor) -> Tensor:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            terms = self.eager(windows, rul)
        torch.cuda.current_stream().wait_stream(self.stream)
        return terms

    def _captured(self, windows: Tensor, rul: Tensor) -> bool:
        """Records the step without running it."""
        self._windows, self._rul = windows.clone(), rul.clone()
        self.state.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._terms = self.eager(self._windows, self._rul)
        except RuntimeError as error:
            logger.warning("the training step goes without a CUDA graph: %s", str(error).splitlines()[0])
            self.state.optimizer.zero_grad(set_to_none=True)
            self.refused = True
            return False
        self.graph = graph
        return True
