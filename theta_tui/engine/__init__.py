"""The live engine: one process owns a home and its model, and others send it commands through a Unix socket."""
