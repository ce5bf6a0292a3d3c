"""Figures with intervals, calibration and comparisons with the truth; needs NumPy only."""
