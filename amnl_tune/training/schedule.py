"""The learning rate as a pure function of progress: no scheduler object, so nothing to restore.

Source: amnl, Recipe. Full run of 100 epochs: warm-up 1-5, base to 60, cosine 60-80, very low 80-100.
"""

import math

from amnl_tune.training.config import Schedule

__all__ = ["lr_factor"]

COSINE_FROM, COSINE_TO = 0.6, 0.8


def lr_factor(progress: float, schedule: Schedule, *, warmup: float, final: float) -> float:
    """What the base learning rate is multiplied by.

    Args:
        progress: share of the horizon that lies behind, in [0, 1], counted in optimiser steps.
        schedule: its shape.
        warmup: share of the horizon with a rising rate.
        final: the lowest factor, reached at the end of the cosine.
    """
    if progress < warmup:
        return progress / warmup
    match schedule:
        case Schedule.FOUR_PHASE:
            return _cosine((progress - COSINE_FROM) / (COSINE_TO - COSINE_FROM), final)
        case Schedule.COSINE:
            return _cosine((progress - warmup) / (1 - warmup), final)
        case Schedule.CONSTANT:
            return 1.0


def _cosine(phase: float, final: float) -> float:
    """1 before the phase, `final` after it, half a cosine within."""
    return final + (1 - final) * (1 + math.cos(math.pi * min(max(phase, 0.0), 1.0))) / 2
