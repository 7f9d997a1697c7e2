"""RUL and health of engines in a C-MAPSS-form file, by an export bundle."""

from pathlib import Path

import pandas as pd

from amnl_tune.errors import BundleError
from amnl_tune.results.bundle import Bundle
from amnl_tune.rul.cmapss import FEATURES, content_of, parse_fleet
from amnl_tune.rul.loss import health_class
from amnl_tune.rul.network import HEALTH_CLASSES
from amnl_tune.rul.preparation import engine_rows
from amnl_tune.training.evaluation import predict_windows

__all__ = ["predict", "read_engines"]


def read_engines(path: Path) -> pd.DataFrame:
    """Rows of a `.txt` or `.txt.gz` file in C-MAPSS form.

    Raises:
        BundleError: no such file. DataError: it breaks the format; names the line.
    """
    if not path.is_file():
        raise BundleError(
            f"A file to predict on must exist, but there is no {path}; name a C-MAPSS-form .txt or .txt.gz"
        )
    return parse_fleet(content_of(path), path)


def predict(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """One row an engine, from its last window; an engine shorter than the window repeats its first cycle.

    Args:
        bundle: as loaded.
        frame: C-MAPSS rows, engine after engine.

    Returns:
        unit; cycle, its last; rul, in cycles; health, the likeliest class; one probability column a class. A network
        that was trained on the RUL alone has no opinion on health: the class is that of its RUL, without probabilities.

    Raises:
        BundleError: a column is missing, or there is no row.
    """
    missing = [name for name in ("unit", "cycle", *FEATURES) if name not in frame]
    if missing or frame.empty:
        what = f"{', '.join(missing)} missing" if missing else "no rows"
        raise BundleError(f"Engines to predict on must have rows of C-MAPSS columns, but got {what}; add them")
    rows = engine_rows(frame, bundle.scaling)
    last = rows.ends()
    predicted = predict_windows(bundle.model, rows, last, bundle.config.window)
    probability = predicted.health.softmax(dim=1)
    learned = bundle.health_is_trained
    health = probability.argmax(dim=1) if learned else health_class(predicted.rul, bundle.config.health_thresholds)
    ends = frame.iloc[last.numpy()]
    columns = {
        "unit": ends["unit"].to_numpy(),
        "cycle": ends["cycle"].to_numpy(),
        "rul": predicted.rul.numpy(),
        "health": [HEALTH_CLASSES[i] for i in health.tolist()],
    }
    if learned:
        columns |= {f"p_{name}": probability[:, i].numpy() for i, name in enumerate(HEALTH_CLASSES)}
    return pd.DataFrame(columns)
