"""An export's README.md: what the model is, how it was measured, and what it must not be used for."""

from collections.abc import Mapping
from typing import Any

from amnl_tune.results import sentences
from amnl_tune.rul.configuration import RUL_CAP
from amnl_tune.search.scores import CandidateKind
from amnl_tune.training.config import RunConfig

__all__ = ["model_card"]

CARD = """# RUL model from study `{study}`

{warnings}{model}

## Figures

{figures}

{verdict}

RMSE in cycles, NASA score as a sum over {engines} test engines, each with its last window; labels capped at {cap:g}.
{intervals}

## Data

{dataset}, SHA-256 of the training file `{data_sha256}`{test_data}. Engines are split as a whole: {validation:.0%} of
the training engines were held out for validation; scaling was fitted on the others.
{history}
## Protocol

{protocol} Test engines: {looks}.

## Use

    amnl-tune predict THIS_FOLDER test_FD001.txt --out rul.csv

    from amnl_tune import load_bundle                      # from Python
    from amnl_tune.results.prediction import predict
    frame = predict(load_bundle(Path("THIS_FOLDER")), engines)

    session = onnxruntime.InferenceSession("model.onnx")   # inputs as preprocessing.json describes them
    {session}

`sha256sum --check SHA256SUMS` tells whether the files are whole, `amnl-tune verify THIS_FOLDER` whether the figures
can be had again. `manifest.json` is an in-toto statement about every file, ready to be signed.

## Intended use and limits

For engines like those of {dataset}: the same sensors, operating conditions and fault modes. {record}A prediction's
`condition_distance` tells how far an engine is from the operating conditions that were learned. RUL above {cap:g}
cycles cannot be told apart. The figures are of engines in C-MAPSS form, not of a fleet in service; do not decide on
maintenance by this model alone.
"""

NETWORK = "AMNL, a dual-task network (CNN, BiLSTM, attention)"
TREES = (
    "gradient boosting (decision trees on statistics of each engine's record so far: exponential and running means, "
    "spreads, slopes, age)"
)
ANSWERS = "remaining useful life (RUL) in cycles and health class of a turbofan engine"
WHOLE_RECORD = (
    "A prediction needs the engine's record from its first cycle on: one that begins later is refused unless "
    "`--from-cycle` says that it does. "
)


def model_card(config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown, from what the export's other files hold; figures that were not measured are left out."""
    kind = CandidateKind(metrics.get("kind") or CandidateKind.NETWORK)
    test_data = provenance.get("test_data_sha256")
    from_start = kind is not CandidateKind.NETWORK or config.needs_whole_record
    return CARD.format(
        study=provenance.get("study", "unknown"),
        dataset=config.dataset,
        data_sha256=provenance.get("data_sha256", "unknown"),
        test_data=f", of the test files `{test_data}`" if test_data else "",
        validation=config.validation_fraction,
        cap=RUL_CAP,
        looks=sentences.looks(metrics, study=provenance.get("study")),
        engines=metrics.get("test_engines", 0),
        figures=_figures(kind, provenance, metrics),
        verdict="\n\n".join(sentences.verdicts(metrics)),
        intervals=sentences.how_judged(metrics),
        warnings=_warnings(config, provenance, metrics),
        model=_model(kind, config),
        history=_history(kind, config, provenance),
        protocol=_protocol(kind, config, provenance, metrics),
        session=_session(kind, config),
        record=WHOLE_RECORD if from_start else "",
    )


def _model(kind: CandidateKind, config: RunConfig) -> str:
    """What it is, and how it comes to its answer."""
    steps = f"{config.window} steps of {config.pool} cycles" if config.pool > 1 else f"{config.window} cycles"
    seen = f"its last {steps}" + (", each with what came before it (History)" if config.needs_whole_record else "")
    learned = f"Trained by amnl-tune on {config.dataset}."
    match kind:
        case CandidateKind.NETWORK:
            return f"{NETWORK}: {ANSWERS}, from {seen}. {learned}"
        case CandidateKind.MIX:
            by = "the networks' mean probability" if config.health_is_trained else "the RUL, read off"
            return (
                f"The plain mean of two models' RUL: {NETWORK}, whose seeds' predictions are averaged first, from "
                f"{seen}; and {TREES}. It tells {ANSWERS}; the class is by {by}. {learned}"
            )
        case _:
            return f"{TREES[0].upper()}{TREES[1:]}: {ANSWERS}; the class is read off the RUL. {learned}"


def _history(kind: CandidateKind, config: RunConfig, provenance: Mapping[str, Any]) -> str:
    """The channels that a network sees beside each row; empty where it sees rows alone."""
    said = [provenance["history"]] if provenance.get("history") else []
    if kind is not CandidateKind.BOOSTING and (config.needs_whole_record or config.pool > 1 or config.drop_settings):
        names = ("age", "deviation", "ewma", "pool", "drop_settings")
        plain = config.plain()
        settings = ", ".join(f"`{name} = {_toml(plain[name])}`" for name in names)
        said.append(f"Channels of the network's input: {settings}.")
    if kind is not CandidateKind.NETWORK or config.needs_whole_record:
        said.append(
            "Every value follows from the engine's rows up to its own, from the first cycle on; none from later ones."
        )
    return "\n### History\n\n" + "\n".join(said) + "\n" if said else ""


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(list(value) if isinstance(value, tuple) else value)


def _protocol(kind: CandidateKind, config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    told = {name: provenance.get(name, "unknown") for name in ("trial", "origin", "study_fingerprint")}
    study = f"the study (fingerprint `{told['study_fingerprint']}`)"
    trees = "Gradient boosting was fitted once on the training engines"
    if kind is CandidateKind.BOOSTING:
        return f"{trees} of {study}. The validation engines chose it among networks, boosting and the mean of both."
    seeds = sorted(metrics.get("by_seed") or {}, key=int)
    by = f" with the seeds {', '.join(seeds)}" if seeds else ""
    trained = f"Trial {told['trial']} ({told['origin']}) of {study} was trained for {config.epochs} epochs{by}."
    if kind is CandidateKind.MIX:
        return (
            f"{trained} {trees}. The validation engines chose configuration and epochs, and the mix among networks, "
            "boosting and the mean of both; all seeds are exported."
        )
    exported = metrics.get("exported_seed", config.seed)
    return f"{trained} The validation engines chose configuration, epoch and seed ({exported} is exported)."


def _session(kind: CandidateKind, config: RunConfig) -> str:
    match kind:
        case CandidateKind.NETWORK:
            return f'rul, health_logits = session.run(None, {{"windows": windows}})   # (B, {config.window}, C)'
        case CandidateKind.MIX:
            return 'rul, health_logits = session.run(["rul", "health"], {"windows": windows, "statistics": statistics})'
        case _:
            return '(rul,) = session.run(["rul"], {"statistics": statistics})   # (B, F)'


def _warnings(config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    told = dict(metrics) | {"contaminated": None}
    said = sentences.warnings({"dataset": config.dataset, "study": provenance.get("study"), "promotion": told})
    if metrics.get("contaminated"):
        said.append("Contaminated. Somebody looked at the test engines after every epoch.")
    return "".join(f"**{text}**\n\n" for text in said)


def _figures(kind: CandidateKind, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The leaderboard, this model marked; for one that was not scored, what is known of it."""
    header = (
        "",
        "validation RMSE",
        "test RMSE",
        "NASA score",
        "seeds",
        "fit time",
        "predict time",
        "against the choice",
    )
    board = metrics.get("leaderboard") or ()
    rows = [_cells(row, kind, provenance) for row in board] or _known(metrics)
    if board and not any(_is_this(row, kind, provenance) for row in board) and metrics.get("mean_over_seeds"):
        rows.insert(0, ("this configuration, mean over the seeds", *_plain_figures(metrics["mean_over_seeds"])))
    exported = metrics.get("exported")
    if exported and kind is CandidateKind.NETWORK:
        seed = f": seed {metrics['exported_seed']} alone" if "exported_seed" in metrics else ""
        rows.append((f"this model{seed}", *_plain_figures(exported)))
    lines = [" | ".join(cells) for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _is_this(row: Mapping[str, Any], kind: CandidateKind, provenance: Mapping[str, Any]) -> bool:
    return bool(row["kind"] == kind and row["trial"] in {None, provenance.get("trial")})


def _cells(row: Mapping[str, Any], kind: CandidateKind, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    trial = f" (trial {row['trial']})" if row["trial"] is not None else ""
    against = (row.get("against_choice") or {}).get("words", "")
    return (
        f"{row['name']}{trial}" + (": this model" if _is_this(row, kind, provenance) else ""),
        _figure(row["validation_rmse"], 2),
        sentences.interval(row, "test_rmse", 2),
        sentences.interval(row, "nasa_score", 0),
        str(row["seeds"] or ""),
        sentences.duration(row["fit_seconds"]),
        sentences.duration(row["predict_seconds"]),
        "chosen by the validation engines" if row["chosen"] else against,
    )


def _known(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of an export that has no leaderboard."""
    compared = metrics.get("comparison") or {}
    whose = (
        ("this configuration, mean over the seeds", metrics.get("mean_over_seeds"), "winner"),
        ("published defaults", metrics.get("published_defaults"), "incumbent"),
        ("mean predictor", metrics.get("mean_predictor"), ""),
    )
    rows = []
    for name, figures, side in whose:
        if figures:
            told = dict(figures)
            for figure, estimate in (("test_rmse", f"{side}_rmse"), ("nasa_score", f"{side}_nasa")):
                told |= {f"{figure}_{end}": (compared.get(estimate) or {}).get(end) for end in ("low", "high")}
            rows.append((name, *_plain_figures(told)))
    return rows


def _plain_figures(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Validation RMSE, test RMSE and NASA score, and the columns that are unknown."""
    measured = (sentences.interval(figures, name, digits) for name, digits in (("test_rmse", 2), ("nasa_score", 0)))
    return (_figure(figures.get("validation_rmse"), 2), *measured, "", "", "", "")


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
