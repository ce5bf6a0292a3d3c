"""Commands that measure on labelled recordings."""
