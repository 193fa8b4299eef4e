"""The session: one home and one model, what is taught and taken back, and the thread that does it."""
