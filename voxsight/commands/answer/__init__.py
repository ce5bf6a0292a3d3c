"""Commands that label recordings: record, deploy, serve."""
