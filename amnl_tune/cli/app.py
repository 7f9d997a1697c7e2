"""`amnl-tune`: the commands, and what becomes of errors."""

import logging
import os
import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from amnl_tune.cli import dashboard, data, database, doctor, export, launch, run, streams, study, worker
from amnl_tune.cli.measure import bench, plan, profile
from amnl_tune.cli.options import DiscreetFormatter
from amnl_tune.documents import brief, printable
from amnl_tune.errors import AmnlTuneError
from amnl_tune.installation import as_typed_here
from amnl_tune.launch.inherited import settle
from amnl_tune.masking import without_secrets
from amnl_tune.settings import wait_passively
from amnl_tune.version import __version__

USER_ERROR = 2

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""Of every wrong option and argument: click's own, or that of the click inside typer."""


class Commands(TyperGroup):
    """A user's mistake is one line on stderr and exit code 2; a bug keeps its traceback."""

    def make_context(self, *arguments: Any, **others: Any) -> Any:
        try:
            return super().make_context(*arguments, **others)
        except UsageError as error:
            raise _told_usage(error) from error

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _told_usage(error) from error
        except AmnlTuneError as error:
            raise _told(error) from error
        except (KeyboardInterrupt, RuntimeError) as error:
            if not _is_interrupt(error):
                raise
            typer.echo("Interrupted: everything up to here is kept; run the same command again to go on", err=True)
            raise typer.Exit(USER_ERROR) from None


def _told(error: object) -> typer.Exit:
    text = "\n".join(map(printable, as_typed_here(str(error)).split("\n")))
    typer.secho(f"Error: {text}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    return typer.Exit(USER_ERROR)


def _told_usage(error: Any) -> Exception:
    """In one line too; only the help, where nothing was asked for, has more. A URL may stand in a wrong place."""
    error.message = without_secrets(error.message)
    text: str = error.format_message()
    if "\n" in text.strip() or not error.ctx:
        return error  # type: ignore[no-any-return]
    return _told(f"{brief(text, 300).removesuffix('.')}; see `{error.ctx.command_path} --help`")


def _is_interrupt(error: BaseException | None) -> bool:
    """Ctrl-C, also in the middle of a class: before 3.12, Python wraps what `__set_name__` raises in a RuntimeError."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_interrupt(error.__cause__))


app = typer.Typer(
    cls=Commands,
    name="amnl-tune",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hyperparameter search for remaining-useful-life models: from a study file to a promoted, exported model.",
    epilog="Example: amnl-tune run studies/quickstart.toml",
)
app.command(epilog="Example: amnl-tune run studies/quickstart.toml --workers 2")(run.run)
app.command(epilog="Example: amnl-tune worker fd001 --storage postgresql://me@db/amnl")(worker.worker)
app.command(epilog="Example: amnl-tune workers fd001 --watch")(worker.workers)
app.command(epilog="Example: amnl-tune doctor --fix")(doctor.doctor)
app.command(epilog="Example: amnl-tune launch fd001 --on slurm --workers 8 --gpus-per-worker 1")(launch.launch)
app.command(name="lr-find", epilog="Example: amnl-tune lr-find studies/fd001.toml")(profile.lr_find)
app.command(epilog="Example: amnl-tune plan studies/fd001.toml --preset production --out plan.html")(plan.plan)
app.command(epilog="Example: amnl-tune profile studies/fd001.toml --trace trace.json")(profile.profile)
app.command(epilog="Example: amnl-tune bench studies/fd001.toml --rounds 7")(bench.bench)
app.command(epilog="Example: amnl-tune promote fd001 --top 3 --seeds 5")(run.promote)
app.command(epilog="Example: amnl-tune replay fd001 7")(doctor.replay)
app.add_typer(export.app)
app.command(epilog="Example: amnl-tune compare fd001 fd003 --out compare.html")(export.compare)
app.command(epilog="Example: amnl-tune predict exports/quickstart test_FD001.txt --out rul.csv")(export.predict)
app.command(epilog="Example: amnl-tune verify exports/quickstart")(export.verify)
app.command(epilog="Example: amnl-tune dashboard --port 8080")(dashboard.dashboard)
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")
app.add_typer(database.app, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"amnl-tune {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Hyperparameter search for remaining-useful-life models: from a study file to a promoted, exported model."""


def main() -> None:
    """The console script."""
    streams.keep_interrupts()
    settle(os.environ)
    wait_passively()
    if logging.lastResort:  # of what is logged where nothing has been set up
        logging.lastResort.setFormatter(DiscreetFormatter())
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # commands may have an answer of their own
        signal.signal(signal.SIGTERM, streams.as_interrupt)
    try:
        with streams.guarded():
            app()
    except Exception:
        sys.stderr.write(without_secrets(traceback.format_exc()))
        sys.exit(1)
