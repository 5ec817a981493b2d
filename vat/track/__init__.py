"""Job identity, locks, resume, and MLflow."""
