"""The only place that runs SQL, one module per subject."""
