"""The benchmark: each figure is measured in a separate process and compared with its target.

The measurements and their last results (results.md, results.json) belong here. Tests of speed do not.
"""
