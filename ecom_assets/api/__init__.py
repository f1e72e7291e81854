"""The HTTP API for programs: what was last published, from the snapshot alone; what they write, to the landing zone."""
