"""Classifiers side by side on the same speakers: plan, measurement, leaderboard."""
