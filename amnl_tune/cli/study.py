"""`amnl-tune study`: list, show, stop, resume and extend studies, check study files."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from amnl_tune.bounds import MOST_EPOCHS_IN_ALL, MOST_HOURS, MOST_PRICE, MOST_TRIALS
from amnl_tune.cli.options import (
    Home,
    Json,
    Storage,
    Study,
    StudyFile,
    existing_ledger,
    existing_study,
    finite,
    settings,
)
from amnl_tune.installation import as_typed_here

app = typer.Typer(no_args_is_help=True, help="List, show, stop, resume and extend studies; check study files.")


@app.command("list", epilog="Example: amnl-tune study list --json")
def list_studies(storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """List the studies of the storage."""
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.errors import StudyError
    from amnl_tune.files import json_text
    from amnl_tune.ledger.stored import told_apart
    from amnl_tune.ledger.studies import all_studies, find_study
    from amnl_tune.results.facts import summarize

    ledger = existing_ledger(settings(storage, home))
    readable, problems = told_apart(all_studies(ledger))
    facts = []
    for name in readable:
        try:
            facts.append(summarize(find_study(ledger, name)))
        except StudyError as error:  # one of its runs, its scores or its range test
            problems[name] = error
    for problem in problems.values():
        typer.echo(f"Left out: {problem}", err=True)
    if as_json:
        typer.echo(json_text(facts))
        return
    table = Table(box=None, padding=(0, 1, 0, 0), caption_justify="left")
    table.add_column("study", overflow="fold")  # whole: it is what must be typed
    for name in ("data", "trials", "pruned", "failed", "valid.\nRMSE", "test\nRMSE", "state"):
        table.add_column(name, no_wrap=name != "data", overflow="fold")
    for fact in facts:
        trials, best, promotion = fact["trials"], fact["best_trials"], fact["promotion"]
        table.add_row(
            fact["study"],
            fact["dataset"],
            f"{sum(trials[status] for status in ('complete', 'pruned', 'fail'))}/{trials['budget']}",
            str(trials["pruned"]),
            str(trials["fail"]),
            f"{best[0]['validation_rmse']:.2f}" if best else "",
            f"{promotion['winner']['test_rmse']:.2f}" if promotion and promotion["scored"] else "",
            _state(fact),
        )
    Console().print(table)


def _state(fact: dict[str, Any]) -> str:
    """How far a study is, in a word."""
    if fact["stopped_at"]:
        return "stopped"
    if fact["promotion"]:
        return "scored" if fact["promotion"]["scored"] else "promoting"
    return "searched" if fact["search_finished"] else "open"


@app.command(epilog="Example: amnl-tune study show quickstart")
def show(study: Study, storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """Show a study: best trials, LR range test, promotion."""
    from rich.console import Console

    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text
    from amnl_tune.results.facts import summarize

    facts = summarize(existing_study(settings(storage, home), study))
    if as_json:
        typer.echo(json_text(facts))
    else:
        print_summary(Console(), facts)


@app.command(epilog="Example: amnl-tune study trials fd001 --out trials.parquet")
def trials(
    study: Study,
    table: Annotated[
        Literal["trials", "epochs", "promoted", "promoted-epochs", "attempts"], typer.Option(help="Which table.")
    ] = "trials",
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .parquet; else standard output.")] = None,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give a study's trials, or another of its tables, as CSV, Parquet or JSON."""
    from amnl_tune.results.tables import TableName, study_table, write_table

    frame = study_table(existing_study(settings(storage, home), study), TableName(table))
    if out is not None:
        write_table(frame, out)
        typer.echo(f"{out}: {len(frame)} rows", err=True)
    elif as_json:
        typer.echo(frame.to_json(orient="records", indent=2))
    else:
        typer.echo(frame.to_csv(index=False), nl=False)


@app.command(epilog="Example: amnl-tune study check studies/fd001.toml")
def check(file: StudyFile, as_json: Json = False) -> None:
    """Check a study file: every problem is listed at its key."""
    from amnl_tune.studies.study_file import load_study_spec

    spec = load_study_spec(file)
    incumbent = spec.run_config(spec.incumbent_parameters())
    facts = {
        "study": spec.name,
        "dataset": spec.data.dataset,
        "trials": spec.budget.trials,
        "epochs_at_most": spec.budget.trials * spec.trial.epochs,
        "space": list(spec.space.names),
        "fingerprint": spec.fingerprint(),
        "published_defaults": incumbent.plain(),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(
        f"{file} is fine: study {spec.name!r} on {spec.data.dataset}, {spec.budget.trials} trials of "
        f"{spec.trial.epochs} epochs over {', '.join(spec.space.names)} (fingerprint {spec.fingerprint()[:12]})"
    )


@app.command(epilog="Example: amnl-tune study stop fd001")
def stop(study: Study, storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """Stop a study everywhere: every worker checkpoints and leaves at the end of its epoch."""
    from amnl_tune.ledger.studies import stop_study

    changed = stop_study(existing_study(settings(storage, home), study))
    said = "its workers leave at the end of their epoch" if changed else "it was stopped already"
    _say(study, f"stopped: {said}; `amnl-tune study resume {study}` lets it go on", as_json, stopped=True)


@app.command(epilog="Example: amnl-tune study resume fd001")
def resume(study: Study, storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """Let a stopped study go on: its trials continue from their checkpoints as soon as workers join."""
    from amnl_tune.ledger.studies import resume_study

    changed = resume_study(existing_study(settings(storage, home), study))
    said = "resumed" if changed else "it was not stopped"
    _say(study, f"{said}; `amnl-tune worker {study}` or `amnl-tune run FILE` works on it", as_json, stopped=False)


@app.command(epilog="Example: amnl-tune study extend fd001 --trials 120 --wall-time 6h")
def extend(
    study: Study,
    trials: Annotated[int | None, typer.Option(min=1, max=MOST_TRIALS, help="Trials in all.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=MOST_EPOCHS_IN_ALL, help="Epochs over all trials.")] = None,
    wall_time: Annotated[
        str | None, typer.Option(help='Since the first trial began: seconds, or "90m", "2h", "1d".')
    ] = None,
    accelerator_hours: Annotated[
        float | None, typer.Option(min=0, max=MOST_HOURS, callback=finite, help="Over all trials.")
    ] = None,
    cost: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_PRICE, callback=finite, help="In the currency of `hardware.price_per_hour`."),
    ] = None,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Raise a study's budget to new totals; workers that are at it see them with their next epoch."""
    from amnl_tune.errors import ConfigurationError
    from amnl_tune.ledger.studies import extend_study
    from amnl_tune.studies.sections import seconds

    try:
        limit = None if wall_time is None else float(seconds(f"{wall_time}s" if wall_time.isdigit() else wall_time))
    except ValueError as error:
        raise ConfigurationError(f"`--wall-time` {error}") from None
    limits = {
        "trials": trials,
        "epochs": epochs,
        "wall_time": limit,
        "accelerator_hours": accelerator_hours,
        "cost": cost,
    }
    if all(value is None for value in limits.values()):
        raise ConfigurationError("An extension must name a limit, but got none; add --trials, --epochs or another one")
    spec = extend_study(existing_study(settings(storage, home), study), **limits)
    budget = spec.budget.model_dump(exclude_none=True)
    shown = ", ".join(f"{key} {value:g}" for key, value in budget.items())
    _say(study, f"budget is now {shown}; raise it in the study file too, for the next `run`", as_json, **budget)


def _say(study: str, sentence: str, as_json: bool, **facts: object) -> None:
    text = as_typed_here(f"Study {study!r}: {sentence}")
    typer.echo(json.dumps({"study": study, **facts}, indent=2) if as_json else text)
