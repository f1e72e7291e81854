"""An e-commerce data platform built from Dagster assets: raw files in, trusted measures out."""
