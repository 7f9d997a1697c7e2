"""What was learned: frames, figures, report, export bundle, dashboard."""
