"""Where model cards say that `EnginePredictor` and `predict` are."""

from amnl_tune.results.export.prediction import EnginePredictor as EnginePredictor  # noqa: PLC0414 - handed on
from amnl_tune.results.export.prediction import predict as predict  # noqa: PLC0414 - handed on
