"""What this machine takes for training, and what a study will take: measured, then told."""
