"""How a local worker knows who started it: it leaves when that process is gone. Imports nothing, for a quick start."""

__all__ = ["WORKER_PARENT"]

WORKER_PARENT = "AMNL_TUNE_WORKER_PARENT"
"""Environment variable: a process number."""
