"""An export: a folder that predicts without Optuna and without a database, and says what its model is."""
