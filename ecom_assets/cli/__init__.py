"""The `ecom` command, and the runs that it starts."""
