"""teach-bench: does one lesson stick, and at what price? `theta bench SUITE`.

`suite` reads a suite, `pupil` is a real Session in a home that is thrown away, `run` teaches and asks, `metrics`
counts, `command` prints. Nothing here is loaded by a person's own lessons.
"""
