"""Scope: decides from the words of a prompt which lesson answers it. Knows no model and no torch."""
