"""Many runs: study files, the search space, the ledger, workers, promotion."""
