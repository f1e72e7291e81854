"""Your own assets: each `@dg.asset` in a file of this folder is loaded with the platform's."""
