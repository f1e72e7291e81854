"""Models: what is likely to happen, from what was known at a cut-off day.

One file per model. A model is two pure functions: `fit` takes a frame of what was known at the cut-off and returns
parameters, `predict` takes parameters and a frame and returns one row per thing predicted. Parameters are frozen
dataclasses of plain numbers, texts and tuples, rounded, so that a refit on the same rows, in any order, writes the same
JSON; what is a matrix of products is made again from what was chosen for it. Beside each model stand its floors: simple
rules that it has to beat on the same rows.

What is degenerate has a stated fallback; no result is null, NaN or infinite unless its docstring says so. No module
here knows Dagster, DuckDB, settings or the clock; what is random has a fixed seed.
"""
