"""Networks that learn remaining useful life from windows of sensor values."""
