"""Scope: which lesson a prompt is an answer's question to, decided on its words alone. Knows no model and no torch."""
