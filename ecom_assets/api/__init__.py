"""The HTTP API: what was last published, for programs, from the snapshot alone; what they write, to the landing zone."""
