"""Full runs of the best trials: what they choose, what the test engines say of it once, and what that proves."""
