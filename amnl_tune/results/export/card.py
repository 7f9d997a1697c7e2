"""An export's README.md: what the model is, how it was measured, and what it must not be used for."""

from collections.abc import Mapping
from typing import Any

from amnl_tune.promotion.scores import CandidateKind
from amnl_tune.results import sentences
from amnl_tune.results.export.card_figures import card_figures
from amnl_tune.rul.history import AGE_SCALE, channel_names
from amnl_tune.rul.layouts import RUL_CAP
from amnl_tune.rul.statistics import STATISTICS
from amnl_tune.training.config import RunConfig

CARD = """# RUL model from study `{study}`

{warnings}{model}

## Figures

{figures}

{verdict}

RMSE in cycles, NASA score as a sum over {engines} test engines, each at its last cycle; labels capped at {cap:g}.

{notes}

## Data

{dataset}, SHA-256 of the training file `{data_sha256}`{test_data}. Engines are split as a whole: {validation:.0%} of
the training engines were held out for validation; scaling was fitted on the others.
{history}
## Protocol

{protocol} Test engines: {looks}.

## Use

    amnl-tune predict THIS_FOLDER test_{dataset}.txt --out rul.csv

From Python:

    from pathlib import Path
    import pandas as pd
    from amnl_tune import load_bundle
    from amnl_tune.results.prediction import EnginePredictor

    predictor = EnginePredictor(load_bundle("THIS_FOLDER"))
    frame = pd.concat(predictor.stream(Path("test_{dataset}.txt")), ignore_index=True)

{columns}

Without amnl-tune, on inputs that `preprocessing.json` describes; here zeros, for one engine:

{session}

`sha256sum --check SHA256SUMS` tells whether the files are whole, `amnl-tune verify THIS_FOLDER` whether the figures
can be had again. `manifest.json` is an in-toto statement about every file, ready to be signed.

## Intended use and limits

For engines like those of {dataset}: the same sensors, operating conditions and fault modes. {record}A prediction's
`condition_distance` tells how far an engine is from the operating conditions that were learned{distance}. RUL above
{cap:g} cycles cannot be told apart. The figures are of engines in C-MAPSS form, not of a fleet in service; do not
decide on maintenance by this model alone.
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
        figures=card_figures(kind, provenance, metrics),
        verdict="\n\n".join(sentences.verdicts(metrics)),
        notes="\n\n".join(sentences.notes(metrics)),
        warnings=_warnings(config, provenance, metrics),
        model=_model(kind, config, _seeds(metrics)),
        history=_history(kind, config, provenance),
        protocol=_protocol(kind, config, provenance, metrics),
        columns=_columns(kind, config, _seeds(metrics)),
        session=_session(kind, config),
        distance=_distance(provenance),
        record=WHOLE_RECORD if from_start else "",
    )


def _seeds(metrics: Mapping[str, Any]) -> list[str]:
    return sorted(metrics.get("by_seed") or {}, key=int)


def _model(kind: CandidateKind, config: RunConfig, seeds: list[str]) -> str:
    """What it is, and how it comes to its answer."""
    steps = f"{config.window} steps of {config.pool} cycles" if config.pool > 1 else f"{config.window} cycles"
    seen = f"its last {steps}" + (", each with what came before it (History)" if config.needs_whole_record else "")
    learned = f"Trained by amnl-tune on {config.dataset}."
    several = len(seeds) != 1
    match kind:
        case CandidateKind.NETWORK:
            return f"{NETWORK}: {ANSWERS}, from {seen}. {_health(kind, config)} {learned}"
        case CandidateKind.MIX:
            averaged = ", whose seeds' predictions are averaged first" if several else ""
            return (
                f"The plain mean of two models' RUL: {NETWORK}{averaged}, from {seen}; and {TREES}. It tells "
                f"{ANSWERS}. {_health(kind, config, several=several)} {learned}"
            )
        case _:
            return f"{TREES[0].upper()}{TREES[1:]}: {ANSWERS}. {_health(kind, config)} {learned}"


def _health(kind: CandidateKind, config: RunConfig, *, several: bool = False) -> str:
    """Where the class comes from."""
    if kind is CandidateKind.BOOSTING:
        return "The class is read off the RUL."
    if not config.health_is_trained:
        return "The class is read off the RUL, since the chosen loss trains no health class."
    own = "by the networks' mean probability" if several else "the network's own"
    return f"The class is {own}: it may contradict the RUL."


def _columns(kind: CandidateKind, config: RunConfig, seeds: list[str]) -> str:
    """What the table of predictions tells."""
    told = ["`rul` in cycles, `health` the class"]
    if kind is not CandidateKind.BOOSTING and config.health_is_trained:
        told.append("`p_...` the classes' probabilities")
    if kind is not CandidateKind.BOOSTING and len(seeds) > 1:
        alone = "the networks' alone" if kind is CandidateKind.MIX else f"those of all {len(seeds)} seeds"
        told.append(f"`rul_mean` and `rul_std` {alone}: mean and standard deviation over the seeds")
    if kind is CandidateKind.MIX:
        told.append("`rul_boosting` boosting's part of the mix")
    return f"One row an engine: {'; '.join(told)}."


def _distance(provenance: Mapping[str, Any]) -> str:
    """How far the training engines were themselves."""
    known = provenance.get("condition_distance")
    return "" if known is None else f"; the largest among the training engines is {known:.2f}"


def _history(kind: CandidateKind, config: RunConfig, provenance: Mapping[str, Any]) -> str:
    """The channels that a network sees beside each row; empty where it sees rows alone."""
    said = [provenance["history"]] if provenance.get("history") else []
    if kind is not CandidateKind.BOOSTING and (config.needs_whole_record or config.pool > 1 or config.drop_settings):
        said.append(f"Settings of the network's input:\n\n{_channels(config)}\n")
    if kind is not CandidateKind.NETWORK or config.needs_whole_record:
        said.append(
            "Every value follows from the engine's rows up to its own, from the first cycle on; none from later ones."
        )
    return "\n### History\n\n" + "\n".join(said) + "\n" if said else ""


def _channels(config: RunConfig) -> str:
    """The settings that decide the channels, each with its meaning."""
    plain = config.plain()
    meant = {
        "age": f"cycles since the first record, the first one being 1, divided by {AGE_SCALE:g}",
        "deviation": f"each sensor less its mean over the engine's first {config.deviation} cycles (of those so far "
        "while there are fewer)",
        "ewma": "each sensor's exponentially weighted mean since the first cycle, once for each rate: that share of "
        "the newest cycle, the rest of all before",
        "pool": f"a step of the window is the mean of {config.pool} cycles",
        "drop_settings": "the operating settings themselves are left out: they only choose how sensors are scaled",
    }
    off = {"age": False, "deviation": 0, "ewma": [], "pool": 1, "drop_settings": False}
    used = [name for name in meant if plain[name] != off[name]]
    return "\n".join(f"- `{name} = {_toml(plain[name])}`: {meant[name]}" for name in used)


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(list(value) if isinstance(value, tuple) else value)


def _protocol(kind: CandidateKind, config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    told = {name: provenance.get(name, "unknown") for name in ("trial", "origin", "study_fingerprint")}
    study = f"the study (fingerprint `{told['study_fingerprint']}`)"
    trees = "Gradient boosting was fitted once on the training engines"
    asked = bool(_on_request(kind, provenance, metrics))
    if kind is CandidateKind.BOOSTING:
        chosen = "" if asked else " The validation engines chose it among networks, boosting and the mean of both."
        return f"{trees} of {study}.{chosen}"
    seeds = _seeds(metrics)
    by = f" with the {'seeds' if len(seeds) > 1 else 'seed'} {', '.join(seeds)}" if seeds else ""
    trained = f"Trial {told['trial']} ({told['origin']}) of {study} was trained for {_epochs(config, metrics)}{by}."
    if kind is CandidateKind.MIX:
        mixed = "" if asked else ", and the mix among networks, boosting and the mean of both"
        exported = "; all seeds are exported" if len(seeds) > 1 else ""
        return f"{trained} {trees}. The validation engines chose configuration and epochs{mixed}{exported}."
    said = ["its epoch"] if asked else ["configuration", "epoch"]
    if len(seeds) != 1:
        said.append(f"seed ({metrics.get('exported_seed', config.seed)} is exported)")
    *others, last = said
    return f"{trained} The validation engines chose {', '.join(others)}{' and ' if others else ''}{last}."


def _epochs(config: RunConfig, metrics: Mapping[str, Any]) -> str:
    """How long it was trained; a run that no longer improves stops early."""
    by_seed = metrics.get("epochs_by_seed") or {}
    done = [by_seed[seed] for seed in sorted(by_seed, key=int)]
    if not done or all(count == config.epochs for count in done):
        return f"{config.epochs} epochs"
    *others, last = map(str, done)
    counts = f"{', '.join(others)} and {last}" if others else last
    return f"at most {config.epochs} epochs (stopped after {counts})"


def _on_request(kind: CandidateKind, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """That this is not what the validation engines chose; empty where it is, or where that is unknown."""
    chosen = metrics.get("choice")
    if not chosen:
        unscored = metrics.get("kind") and metrics.get("looks_at_test") == 0
        return "Exported on request; the test engines have not scored it." if unscored else ""
    if chosen["kind"] == kind and chosen["trial"] in {None, provenance.get("trial")}:
        return ""
    return f"Exported on request; the validation engines chose {sentences.chosen_name(chosen)}."


def _session(kind: CandidateKind, config: RunConfig) -> str:
    """Code that runs as it stands."""
    sees_windows, sees_statistics = kind is not CandidateKind.BOOSTING, kind is not CandidateKind.NETWORK
    lines = ["import numpy as np", "import onnxruntime", ""]
    given = []
    if sees_windows:
        lines.append(f"windows = np.zeros((1, {config.window}, {len(channel_names(config))}), np.float32)")
        given.append('"windows": windows')
    if sees_statistics:
        lines.append(f"statistics = np.zeros((1, {len(STATISTICS)}), np.float32)")
        given.append('"statistics": statistics')
    lines.append('session = onnxruntime.InferenceSession("THIS_FOLDER/model.onnx")')
    answer, wanted = ("rul, health_logits", '["rul", "health"]') if sees_windows else ("(rul,)", '["rul"]')
    lines.append(f"{answer} = session.run({wanted}, {{{', '.join(given)}}})")
    return "\n".join(f"    {line}".rstrip() for line in lines)


def _warnings(config: RunConfig, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    told = dict(metrics) | {"contaminated": None}
    said = sentences.warnings({"dataset": config.dataset, "study": provenance.get("study"), "promotion": told})
    if metrics.get("contaminated"):
        said.append("Contaminated. Somebody looked at the test engines after every epoch.")
    asked = _on_request(CandidateKind(metrics.get("kind") or CandidateKind.NETWORK), provenance, metrics)
    if asked:
        said.insert(0, asked)
    return "".join(f"**{text}**\n\n" for text in said)
