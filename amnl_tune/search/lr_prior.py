"""The LR range test inside a study: cached in the database, turned into a prior for the learning rate."""

import json
import time
from dataclasses import asdict

from amnl_tune.database.engine import Ledger, database_time, insert_if_absent
from amnl_tune.database.models import RangeTestRow
from amnl_tune.files import canonical_hash
from amnl_tune.ledger.range_tests import RangeTest, find_range_test
from amnl_tune.ledger.studies import Prior
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RangeTestOptions, RunConfig, Suggestion
from amnl_tune.training.lr_range import lr_range_test, suggestions

WITHOUT_EFFECT = {
    "learning_rate", "epochs", "horizon", "schedule", "warmup_fraction", "final_lr_fraction", "ema_decay", "patience",
    "min_delta", "validation_subset", "validation_truncations",
}  # fmt: skip
"""Settings that a range test never reads; everything else is part of its cache key."""


def cached_range_test(
    ledger: Ledger, config: RunConfig, data: PreparedData, options: RangeTestOptions, *, device: str = "cpu"
) -> RangeTest:
    """The range test of `config` on `data`, from the database where the same one has been made before."""
    key = _key(config, data, options)
    known = find_range_test(ledger, key)
    if known:
        return known
    started = time.perf_counter()
    curve = lr_range_test(config, data, options, device=device)
    seconds = time.perf_counter() - started
    with ledger.write() as session:
        values = {
            "key": key,
            "dataset": data.dataset,
            "data_sha256": data.sha256,
            "config": config.model_dump_json(),
            "options": json.dumps(asdict(options)),
            "curve": json.dumps(asdict(curve)),
            "suggestions": json.dumps(suggestions(curve.lr, curve.loss)),
            "seconds": seconds,
            "created_at": database_time(session),
        }
        insert_if_absent(session, RangeTestRow, **values)
    made = find_range_test(ledger, key)
    assert made is not None
    return RangeTest(made.key, made.curve, made.suggested, made.seconds, cached=False)


def prior_from(test: RangeTest, spec: StudySpec) -> Prior:
    """The file's bounds, less the rates at which training diverges; the suggestion becomes a trial, not a bound.

    A suggestion is a guess within an order of magnitude: a range around it would shut out good rates. So the lower
    bound stays, and the upper one falls at most to where the sweep diverged, never nearer than `spread` times the
    suggestion and the incumbent's rate.
    """
    options = spec.lr_range_test
    suggested = test.suggested[Suggestion(options.suggestion)]
    bounds = spec.learning_rate_bounds()
    if suggested is None or bounds is None:
        return Prior(suggested)
    low, high = bounds
    inside = min(max(suggested, low), high)
    diverged = test.curve.diverged_at(options.end_lr)
    if diverged is not None:
        incumbent = spec.incumbent_parameters()["learning_rate"]
        high = min(high, max(diverged, options.spread * max(inside, incumbent)))
    return Prior(inside, (low, high))


def _key(config: RunConfig, data: PreparedData, options: RangeTestOptions) -> str:
    shaped_by = {name: value for name, value in config.identity().items() if name not in WITHOUT_EFFECT}
    document = {"config": shaped_by, "data": data.sha256, "options": asdict(options)}
    return canonical_hash(document)
