"""Where time goes on this machine, and how it compares with the published recipe: measured, then drawn."""
