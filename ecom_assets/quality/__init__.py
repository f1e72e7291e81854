"""Measures of what is published: its quality, and the detection rate of planted defects."""
