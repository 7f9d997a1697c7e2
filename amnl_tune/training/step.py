"""One optimiser step on a batch, the only place where gradients are made; on CUDA it may be one graph.

A graph starts hundreds of small kernels with one call. Source:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs (whole-network capture).
Notation: B batch, T window, F features (17).
"""

import logging
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from amnl_tune.rul.networks.amnl import Prediction
from amnl_tune.training.config import Precision
from amnl_tune.training.execution import Execution, SynchronizedBatchNorm, Team
from amnl_tune.training.precision import autocast
from amnl_tune.training.state import RunState


class Step:
    """Forward, backward, clip, optimiser, EMA; nothing in it waits for the device.

    Whether a batch is taken at once, in `accumulation_steps` parts or by several processes: its raw terms, its loss
    weights and its batch statistics are the whole batch's, and so are its gradients.

    Args:
        state: of the run; each call moves it one step on.
        team: the processes that share every batch.
        graphed: runs inside a CUDA graph's capture.
    """

    def __init__(self, state: RunState, team: Team | None = None, *, graphed: bool = False) -> None:
        self.state = state
        self.team = team or Team()
        self.device = state.parameters[0].device
        self.graphed = graphed
        self.forward: nn.Module = state.model
        if not self.team.is_alone:
            SynchronizedBatchNorm.convert(state.model)
            if self._in_one_go:
                self.forward = DistributedDataParallel(state.model, broadcast_buffers=False)

    @property
    def _in_one_go(self) -> bool:
        """One backward pass does: the weights are known before it, and the batch is not cut into parts."""
        return self.state.config.accumulation_steps == 1 and not self.state.loss.balances_gradients

    def __call__(self, windows: Tensor, rul: Tensor) -> Tensor:
        """(B, T, F), (B,) -> (2,) raw RUL and health terms of the whole batch, detached."""
        state = self.state
        state.optimizer.zero_grad(set_to_none=True)
        terms = self._backward(windows, rul) if self._in_one_go else self._backward_by_parts(windows, rul)
        state.scaler.unscale_(state.optimizer)
        if state.config.clip:
            nn.utils.clip_grad_norm_(state.parameters, state.config.clip, foreach=True)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.ema:
            state.ema.update()
        return terms

    def _autocast(self) -> torch.autocast:
        return autocast(self.state.precision, self.device, cache=not self.graphed)

    def _backward(self, windows: Tensor, rul: Tensor) -> Tensor:
        loss, team = self.state.loss, self.team
        with self._autocast():
            predicted: Prediction = self.forward(windows)
        sums = loss.sums(predicted, rul)
        denominators = team.sum(loss.denominators(rul))
        terms = team.sum(sums.detach()) / denominators
        total = (loss.weights(terms) / denominators * sums).sum()
        # DistributedDataParallel averages
        self.state.scaler.scale(total * team.size).backward()  # type: ignore[no-untyped-call]
        return terms

    def _backward_by_parts(self, windows: Tensor, rul: Tensor) -> Tensor:
        """The convolutions see the batch as a whole, for their batch statistics; the rest goes part by part.

        Where the weights depend on the batch's terms or gradients, each task's gradients are kept apart to the end.
        """
        state, loss, model = self.state, self.state.loss, self.state.model
        denominators = self.team.sum(loss.denominators(rul))
        encoder, decoder = model.encoder(), model.decoder()
        with self._autocast():
            encoded = model.encode(windows)
        inputs = [part.detach().requires_grad_() for part in self._cut(encoded)]
        sums = torch.zeros_like(denominators)
        tasks = 1 if loss.is_fixed else 2
        found = [[torch.zeros_like(p) for p in decoder] for _ in range(tasks)]
        reached: list[list[Tensor]] = [[] for _ in range(tasks)]
        for part, labels in zip(inputs, self._cut(rul), strict=True):
            with self._autocast():
                predicted = model.decode(part)
            own = loss.sums(predicted, labels)
            sums = sums + own.detach()
            means = own / denominators
            objectives = [(loss.shares * means).sum()] if loss.is_fixed else list(means)
            for task, objective in enumerate(objectives):
                *gradients, reaching = _gradients(
                    state.scaler.scale(objective), [*decoder, part], more=task + 1 < tasks
                )
                torch._foreach_add_(found[task], gradients)
                reached[task].append(reaching)
        by_task = [
            self._summed([*_gradients(encoded, encoder, torch.cat(reached[task]), more=task + 1 < tasks), *found[task]])
            for task in range(tasks)
        ]
        terms = self.team.sum(sums) / denominators
        self._combine([*encoder, *decoder], by_task, terms)
        return terms

    def _cut(self, batch: Tensor) -> tuple[Tensor, ...]:
        return batch.tensor_split(min(self.state.config.accumulation_steps, len(batch)))

    def _summed(self, gradients: list[Tensor]) -> list[Tensor]:
        """Over the team, in one message."""
        if self.team.is_alone:
            return gradients
        flat = self.team.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        return [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]

    def _combine(self, parameters: list[nn.Parameter], by_task: list[list[Tensor]], terms: Tensor) -> None:
        """Gives every parameter the weighted sum of its tasks' gradients."""
        loss = self.state.loss
        if loss.is_fixed:
            (combined,) = by_task
        else:
            norms = None
            if loss.balances_gradients:
                shared = {id(p) for p in self.state.model.backbone()}
                norms = torch.stack([_norm_over(parameters, gradients, shared) for gradients in by_task])
            weights = loss.weights(terms, norms)
            combined = [
                weights[0] * of_rul + weights[1] * of_health for of_rul, of_health in zip(*by_task, strict=True)
            ]
        for parameter, gradient in zip(parameters, combined, strict=True):
            parameter.grad = gradient


def _gradients(
    of: Tensor, wanted: list[nn.Parameter] | list[Tensor], incoming: Tensor | None = None, *, more: bool
) -> tuple[Tensor, ...]:
    """Gradients of `of`; zero where it does not depend. `more`: the graph is needed once more."""
    return torch.autograd.grad(
        of, cast(list[Tensor], wanted), incoming, retain_graph=more, allow_unused=True, materialize_grads=True
    )


def _norm_over(parameters: list[nn.Parameter], gradients: list[Tensor], chosen: set[int]) -> Tensor:
    return nn.utils.get_total_norm([g for p, g in zip(parameters, gradients, strict=True) if id(p) in chosen])


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
