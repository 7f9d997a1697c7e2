"""amnl-tune: hyperparameter search for remaining-useful-life models."""

__all__ = ["__version__"]

__version__ = "0.1.0"
