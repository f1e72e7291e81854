"""The HTTP API: what was last published, by table, day and dimension, for programs. It reads the snapshot alone."""
