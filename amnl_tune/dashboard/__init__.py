"""The stock optuna-dashboard behind a login, read-only, with pages of our own."""
