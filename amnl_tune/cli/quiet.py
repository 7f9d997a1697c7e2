"""What is kept off the user's screen and out of the logs: Optuna's own log lines, and secrets."""

import logging

from amnl_tune.masking import without_secrets

__all__ = ["DiscreetFormatter", "quiet_libraries"]


class DiscreetFormatter(logging.Formatter):
    """Log lines, tracebacks included, without the secrets of URLs, whichever library wrote them."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def quiet_libraries() -> None:
    """Optuna logs each study and trial; the display and the worker's log tell the same."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
