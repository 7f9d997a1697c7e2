"""`preprocessing.json` of an export: everything between an engine's rows and what its model takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from amnl_tune.bounds import MOST_CONDITIONS
from amnl_tune.documents import brief
from amnl_tune.errors import BundleError
from amnl_tune.rul.configuration import HEALTH_CLASSES
from amnl_tune.rul.history import AGE_SCALE, channel_names
from amnl_tune.rul.layouts import FEATURES, RUL_CAP, SENSORS, SETTINGS
from amnl_tune.rul.scaling import Scaling
from amnl_tune.training.config import ADDED_LATER, RunConfig

KINDS = ("network", "boosting", "mix")
FORMATS = (1, 2)
"""1: windows of settings and sensors, as before history channels. 2: says what it is, and which channels it takes."""

SCALED = {
    "setting": "(setting - setting_mean) / setting_std",
    "sensor": "x = (sensor - sensor_mean[c]) / sensor_std[c], c the condition whose centroid is nearest to the scaled "
    "settings",
    "precision": "both computed in float64 and rounded to float32; all that follows is computed in float64 from the "
    "rounded values, and rounded to float32 once more at its end",
    "window": "rows of one engine, the last one at its last row; an engine with too few rows repeats its first one on "
    "the left",
    "rul": "cycles, not below 0",
    "health": "logits of `health_classes`, if `health_from` is network; else read the class off the RUL: the last one "
    "up to the first threshold, included, the second one up to the second, included",
}
"""What the model's input and output are, in words."""

HISTORY = {
    "deviation_K": "x less its mean over the engine's first K rows, of those so far while there are fewer",
    "ewma_A": "m / w, from m = w = 0 on, with each row: m = (1 - A) m + A x, w = (1 - A) w + A",
    "age": f"the row's cycle number / {AGE_SCALE:g}, a record's first cycle being 1",
    "pool": "each channel's mean over the last `pool` rows, of those that the engine has; the steps of a window are "
    "`pool` rows apart, the last one at the engine's last row",
}
STATISTICS = {
    "statistics": "at the engine's last row, of x: ewma_A as above; mean_N, sd_N (divided by N) and slope_N (least "
    "squares, a cycle; of one row 0) over the last N rows, of those that there are; mean_so_far; age: the cycle "
    "number itself"
}


def preprocessing(
    config: RunConfig, scaling: Scaling, *, kind: str = "network", statistics: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The document, JSON-serialisable.

    Args:
        config: of the run. scaling: fitted on its training engines.
        kind: `network`, `boosting` or `mix`. statistics: that boosting reads.
    """
    common = {
        "format": FORMATS[0],
        "features": list(channel_names(config)),
        "window": config.window,
        "rul_cap": RUL_CAP,
        "health_classes": list(HEALTH_CLASSES),
        "health_thresholds": list(config.health_thresholds),
        "health_from": "network" if kind != "boosting" and config.health_is_trained else "rul",
        "definitions": SCALED,
        "scaling": scaling.to_plain(),
    }
    if kind == "network" and not ADDED_LATER & config.identity().keys():
        return common
    if kind == "boosting":  # sees no window
        del common["features"], common["window"]
    return common | {
        "format": FORMATS[1],
        "kind": kind,
        "scaled": list(FEATURES),
        "history": {name: config.plain()[name] for name in sorted(ADDED_LATER)},
        "statistics": list(statistics),
        "needs_whole_record": kind != "network" or config.needs_whole_record,
        "definitions": SCALED | HISTORY | (STATISTICS if statistics else {}),
    }


def require_format(document: Mapping[str, Any], where: object) -> None:
    """Raises BundleError for a format or a kind of model that this version does not know."""
    told, kind = document.get("format"), document.get("kind", KINDS[0])
    if told not in FORMATS:
        raise BundleError(
            f"A bundle must be of format {' or '.join(map(str, FORMATS))}, but {where} is of {brief(repr(told))}; "
            "export it again with this version"
        )
    if kind not in KINDS:
        raise BundleError(
            f"A bundle's kind must be one of {', '.join(KINDS)}, but {where} is {brief(repr(kind))}; export it again "
            "with this version"
        )


def scaling_of(document: Mapping[str, Any], config: RunConfig) -> Scaling:
    """The scaling; raises ValueError on numbers that cannot scale a row, or that another run's model was trained on."""
    scaling = Scaling.from_plain(document["scaling"])
    conditions, settings, sensors = len(scaling.centroids), (len(SETTINGS),), len(SENSORS)
    shapes = ((conditions, *settings), settings, settings, (conditions, sensors), (conditions, sensors))
    arrays = tuple(vars(scaling).values())
    if not 0 < conditions <= MOST_CONDITIONS or tuple(array.shape for array in arrays) != shapes:
        raise ValueError("its `scaling` has other shapes than the features")
    if (
        not all(np.isfinite(array).all() for array in arrays)
        or min(scaling.setting_std.min(), scaling.sensor_std.min()) <= 0
    ):
        raise ValueError("its `scaling` must hold finite numbers and positive standard deviations")
    if document.get("kind") == "boosting":
        return scaling
    if document["window"] != config.window:
        raise ValueError(f"its window is {brief(document['window'])}, that of config.toml {config.window}")
    if document["features"] != list(channel_names(config)):
        raise ValueError("its `features` are not those of config.toml")
    return scaling
