"""Keeps the libraries' own log lines and warnings about experiments off the user's screen."""

import warnings

__all__ = ["quiet_libraries"]


def quiet_libraries() -> None:
    """Optuna logs each trial and warns that grouped sampling is experimental; it is intended here."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
