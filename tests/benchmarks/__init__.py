"""Measurements, run by hand; none of them is a test. Pure figures are in `metrics`, the rest needs a model."""
