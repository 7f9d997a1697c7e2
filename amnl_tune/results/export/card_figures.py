"""The figures of a model card as a Markdown table: the leaderboard, or what is known of one that was not scored."""

from collections.abc import Mapping
from typing import Any

from amnl_tune.promotion.scores import CandidateKind
from amnl_tune.results import sentences


def card_figures(kind: CandidateKind, provenance: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The leaderboard, this model marked; for one that was not scored, what is known of it."""
    header = (
        "",
        "validation RMSE",
        "test RMSE",
        "NASA score",
        "seeds",
        "fit time",
        "predict time (all test engines)",
        "against the choice",
    )
    board = metrics.get("leaderboard") or ()
    rows = [_cells(row, kind, provenance) for row in board] or _known(metrics)
    if board and not any(is_this(row, kind, provenance) for row in board) and metrics.get("mean_over_seeds"):
        rows.insert(0, ("this configuration, mean over the seeds", *_plain_figures(metrics["mean_over_seeds"])))
    exported = metrics.get("exported")
    if exported and kind is CandidateKind.NETWORK:
        seed = f": seed {metrics['exported_seed']} alone" if "exported_seed" in metrics else ""
        rows.append((f"this model{seed}", *_plain_figures(exported)))
    lines = [" | ".join(cells) for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def is_this(row: Mapping[str, Any], kind: CandidateKind, provenance: Mapping[str, Any]) -> bool:
    return bool(row["kind"] == kind and row["trial"] in {None, provenance.get("trial")})


def _cells(row: Mapping[str, Any], kind: CandidateKind, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    trial = f" (trial {row['trial']})" if row["trial"] is not None else ""
    against = (row.get("against_choice") or {}).get("words", "")
    return (
        f"{row['name']}{trial}" + (": this model" if is_this(row, kind, provenance) else ""),
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
