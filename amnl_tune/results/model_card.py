"""An export's README.md: what the model is, how it was measured, and what it must not be used for."""

from collections.abc import Mapping
from typing import Any

from amnl_tune.rul.configuration import RUL_CAP
from amnl_tune.training.config import RunConfig

__all__ = ["model_card"]

CARD = """# RUL model from study `{study}`

{warnings}AMNL, a dual-task network (CNN, BiLSTM, attention): remaining useful life (RUL) in cycles and health class of
a turbofan engine, from its last {window} cycles. Trained by amnl-tune on {dataset}.

## Figures

{figures}

{verdict}

RMSE in cycles, NASA score as a sum over {engines} test engines, each with its last window; labels capped at {cap:g}.
{intervals}

## Data

{dataset}, SHA-256 of the training file `{data_sha256}`{test_data}. Engines are split as a whole: {validation:.0%} of
the training engines were held out for validation; scaling was fitted on the others.

## Protocol

Trial {trial} ({origin}) of the study (fingerprint `{study_fingerprint}`) was trained for {epochs} epochs{seeds}. The
validation engines chose configuration, epoch and seed ({exported_seed} is exported). The test engines were scored
{looks}.

## Use

    amnl-tune predict THIS_FOLDER test_FD001.txt --out rul.csv

    from amnl_tune import load_bundle                      # PyTorch
    from amnl_tune.results.prediction import predict
    frame = predict(load_bundle(Path("THIS_FOLDER")), engines)

    session = onnxruntime.InferenceSession("model.onnx")   # windows (B, {window}, 17), scaled by preprocessing.json
    rul, health_logits = session.run(None, {{"windows": windows}})

`sha256sum --check SHA256SUMS` tells whether the files are whole, `amnl-tune verify THIS_FOLDER` whether the figures
can be had again. `manifest.json` is an in-toto statement about every file, ready to be signed.

## Intended use and limits

For engines like those of {dataset}: the same sensors, operating conditions and fault modes. A prediction's
`condition_distance` tells how far an engine is from the operating conditions that were learned. RUL above {cap:g}
cycles cannot be told apart. The figures are of engines in C-MAPSS form, not of a fleet in service; do not decide on
maintenance by this model alone.
"""


def model_card(config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown, from what the export's other files hold; figures that were not measured are left out."""
    looks = metrics.get("looks_at_test")
    compared = metrics.get("comparison") or {}
    seeds = sorted(metrics.get("by_seed") or {}, key=int)
    test_data = provenance.get("test_data_sha256")
    told = {name: provenance.get(name, "unknown") for name in ("study", "trial", "origin", "study_fingerprint")}
    times = "once" if looks == 1 else f"{looks} times" if looks else "never for this configuration"
    return CARD.format(
        **told,
        dataset=config.dataset,
        data_sha256=provenance.get("data_sha256", "unknown"),
        test_data=f", of the test files `{test_data}`" if test_data else "",
        window=config.window,
        epochs=config.epochs,
        validation=config.validation_fraction,
        cap=RUL_CAP,
        seeds=f" with the seeds {', '.join(seeds)}" if seeds else "",
        exported_seed=metrics.get("exported_seed", config.seed),
        looks=times,
        engines=metrics.get("test_engines", 0),
        figures=_figures(metrics, compared),
        verdict=f"Against the published defaults: {compared['words']}." if compared else "",
        intervals="Intervals are 95%, by bootstrap over engines and seeds." if compared else "",
        warnings=_warnings(config, metrics),
    )


def _warnings(config: RunConfig, metrics: Mapping[str, Any]) -> str:
    said = []
    if config.dataset.startswith("SIM"):
        said.append("**Simulated data: the figures say nothing about real engines.**")
    if metrics.get("forced") or (metrics.get("looks_at_test") or 0) > 1:
        said.append(f"**The test engines were scored {metrics['looks_at_test']} times by this study.**")
    if metrics.get("contaminated"):
        said.append("**Contaminated: somebody looked at the test engines after every epoch.**")
    return "".join(f"{text}\n\n" for text in said)


def _figures(metrics: Mapping[str, Any], compared: Mapping[str, Any]) -> str:
    rows = ["| | validation RMSE | test RMSE | NASA score |", "|---|---|---|---|"]
    whose = (
        ("this configuration, mean over the seeds", metrics.get("mean_over_seeds"), "winner"),
        ("this model", metrics.get("exported"), None),
        ("published defaults", metrics.get("published_defaults"), "incumbent"),
        ("mean predictor", metrics.get("mean_predictor"), None),
    )
    for name, figures, side in whose:
        if figures:
            rmse, nasa = (compared.get(f"{side}_{kind}") if side else None for kind in ("rmse", "nasa"))
            cells = (
                _cell(figures.get("validation_rmse"), None, 2),
                _cell(figures.get("test_rmse"), rmse, 2),
                _cell(figures.get("nasa_score"), nasa, 0),
            )
            rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(value: float | None, estimate: Mapping[str, Any] | None, digits: int) -> str:
    """A figure with its interval; a dash where it was not measured, or is not finite."""
    if value is None:
        return "-"
    ends = [estimate[end] for end in ("low", "high")] if estimate else []
    words = ", ".join("infinite" if end is None else f"{end:.{digits}f}" for end in ends)
    return f"{value:.{digits}f}" + (f" [{words}]" if words else "")
