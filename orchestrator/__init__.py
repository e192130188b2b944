"""Plans studies, runs them on this process or on Ray Tune, and keeps the ledger. Knows no model."""
