"""This platform beside dbt-duckdb and SQLMesh: the same files, tables, rules and situations.

`records` and `queries` hold the tables' SQL, `projects` writes it as a project of either peer, `stacks` runs the three,
`measuring` takes them through the situations, `comparing` compares all rows.
"""
