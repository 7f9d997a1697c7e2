"""The stock optuna-dashboard behind a login, read-only, with pages of our own.

A request passes `server` (waitress), `guard` (who may do what), `routes` (our pages), `annotations` (what we add to a
study's page) and `stock` (Optuna's application, under a prefix). Nothing here writes to the database.
"""
