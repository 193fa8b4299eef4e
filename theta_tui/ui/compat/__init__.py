"""All code that uses private names of Textual, so that a new version can break nothing else.

A link beside each such name leads to its source. `tests/ui/test_compat.py` has the list. It fails if one of the names
is gone, or if other code uses a private name.
"""
