"""All that leans on names that Textual keeps to itself, so that a new version of it can break nothing else.

Beside each such name stands where Textual has it. `tests/ui/test_compat.py` holds the list, fails by name where one is
gone, and finds what leans on another.
"""
