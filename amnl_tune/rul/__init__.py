"""The domain: engines, windows, conditions, labels, network, loss, metrics, simulated fleets."""
