"""Commands on one model: train, export, explain."""
