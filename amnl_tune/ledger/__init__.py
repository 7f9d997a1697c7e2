"""What the shared database knows beside Optuna's trials: studies, runs and who holds them, epochs, workers."""
