"""The `ecom` command and the runs that it starts.

Arguments, the format of answers and hints for errors belong here; computing answers does not.
Commands import what they need when they are called, so that `ecom --help` is quick.
"""
