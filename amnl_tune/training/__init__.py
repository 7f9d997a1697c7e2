"""One run: its configuration, fit(), schedule, checkpoints, LR range test."""
