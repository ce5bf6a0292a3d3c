"""From a recording to a prediction."""
