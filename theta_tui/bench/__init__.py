"""teach-bench, `theta bench SUITE`: does a lesson stick, and at what cost?

`suite` reads a suite, `subject` is a real Session in a temporary home, `run` teaches and asks, `metrics` computes the
figures, and `cli/bench` prints them. Lessons of a person load nothing from here.
"""
