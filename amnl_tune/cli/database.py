"""`amnl-tune db`: the schema of the shared storage."""

from typing import Annotated

import typer

from amnl_tune.cli.options import Home, Storage, settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The schema of the shared storage.")


@app.callback()
def _group() -> None:
    """The schema of the shared storage."""


@app.command(epilog="Example: amnl-tune db upgrade --storage postgresql://me@db/amnl")
def upgrade(
    storage: Storage = None,
    home: Home = None,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds for a server that is still coming up.")] = 0.0,
) -> None:
    """Create or upgrade Optuna's tables and ours; `amnl-tune run` does so by itself."""
    from amnl_tune.search.ledger.engine import parse_url
    from amnl_tune.search.ledger.schema import await_server
    from amnl_tune.search.ledger.schema import upgrade as upgrade_schema

    places = settings(storage, home)
    await_server(places.storage, wait)
    upgrade_schema(places.storage)
    typer.echo(f"{parse_url(places.storage).render_as_string(hide_password=True)} is up to date")
