"""The SQL database below both schemas, Optuna's and ours: URLs, connections, failures, locks, schema, copies."""
