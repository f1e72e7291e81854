"""An e-commerce data platform of Dagster assets: raw files in, trusted measures out."""
