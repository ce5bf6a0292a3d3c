"""Numbers that describe a recording."""
