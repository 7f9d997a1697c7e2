"""The settings of a run as a study file gives them: which key owns each, and what a run says of a value."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from amnl_tune.rul.configuration import DataConfig
from amnl_tune.studies.problems import wording
from amnl_tune.training.config import RunConfig

OWNED: Mapping[str, str] = {
    **{name: f"data.{name}" for name in DataConfig.model_fields},
    "seed": "seed",
    "epochs": "trial.epochs",
    "horizon": "trial.horizon",
}
"""Settings that have another key than `fixed.NAME`."""

PROTOCOL: Mapping[str, str] = {
    **OWNED,
    **{name: f"fixed.{name}" for name in ("validation_subset", "health_thresholds")},
}
"""What is measured, not how well: never searched."""

PROMOTED: Mapping[str, str] = {
    **OWNED,
    "seed": "promotion.seeds",
    "epochs": "promotion.epochs",
    "horizon": "promotion.horizon",
    "schedule": "promotion.schedule",
    "patience": "promotion.patience",
}
"""Settings of a promoted run that have another key than `promotion.overrides.NAME`."""

LISTS = {name for name, value in RunConfig().plain().items() if isinstance(value, list)}
INTEGERS = {name for name, field in RunConfig.model_fields.items() if field.annotation is int}


def refusal(name: str, value: Any) -> str | None:
    """What is wrong with one setting by itself; None if nothing is."""
    for finding in _findings({name: value}):
        if finding["loc"]:
            items = [f"item {part + 1} " for part in finding["loc"][1:] if isinstance(part, int)]
            return "".join(items) + wording(finding)
    return None


def clash(values: Mapping[str, Any]) -> str | None:
    """What is wrong with settings each of which is valid by itself; None if nothing is."""
    return next((wording(finding) for finding in _findings(values)), None)


def _findings(values: Mapping[str, Any]) -> list[Any]:
    """By the types of TOML, which are those of strict JSON."""
    try:
        RunConfig.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        return list(error.errors())
    return []
