"""Keeps Optuna's own log lines off the user's screen."""

__all__ = ["quiet_libraries"]


def quiet_libraries() -> None:
    """Optuna logs each study and trial; the display and the worker's log tell the same."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
