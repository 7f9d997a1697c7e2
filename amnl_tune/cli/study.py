"""`amnl-tune study`: list and show studies, check study files."""

import json

import typer

from amnl_tune.cli.options import Home, Json, Storage, Study, StudyFile, existing_ledger, settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List and show studies, check study files.")


@app.command("list", epilog="Example: amnl-tune study list --json")
def list_studies(storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """List the studies of the storage."""
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.results.summary import summarize
    from amnl_tune.search.ledger.studies import study_names

    ledger = existing_ledger(settings(storage, home))
    facts = [summarize(ledger, name) for name in study_names(ledger)]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table()
    for name in ("study", "data set", "trials", "complete", "pruned", "failed", "best validation RMSE", "promoted"):
        table.add_column(name)
    for fact in facts:
        trials, best, promotion = fact["trials"], fact["best_trials"], fact["promotion"]
        table.add_row(
            fact["study"],
            fact["dataset"],
            f"{sum(trials[status] for status in ('complete', 'pruned', 'fail'))}/{trials['budget']}",
            str(trials["complete"]),
            str(trials["pruned"]),
            str(trials["fail"]),
            f"{best[0]['validation_rmse']:.2f}" if best else "",
            f"test RMSE {promotion['winner']['test_rmse']:.2f}" if promotion and promotion["scored"] else "",
        )
    Console().print(table)


@app.command(epilog="Example: amnl-tune study show quickstart")
def show(study: Study, storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """Show a study: best trials, LR range test, promotion."""
    from rich.console import Console

    from amnl_tune.cli.summary import print_summary
    from amnl_tune.results.summary import summarize

    facts = summarize(existing_ledger(settings(storage, home)), study)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        print_summary(Console(), facts)


@app.command(epilog="Example: amnl-tune study check studies/fd001.toml")
def check(file: StudyFile, as_json: Json = False) -> None:
    """Check a study file: every problem is listed at its key."""
    from amnl_tune.search.study_file import load_study_spec

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
