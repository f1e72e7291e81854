"""The benchmark: each figure is measured in processes of its own and set beside what it has to reach.

Here belong the measurements, and their last results in results.md and results.json. Tests of speed do not.
"""
