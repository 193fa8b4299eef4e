"""Learning: a lesson becomes weights, and a scope that says when they are on. Knows nothing of journals or screens."""

import theta_tui.model  # noqa: F401  # its environment must stand before anything here imports torch
