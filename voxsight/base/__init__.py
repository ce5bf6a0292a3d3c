"""Files, processes and tables: nothing of sound in it."""
