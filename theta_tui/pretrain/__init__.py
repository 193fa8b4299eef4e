"""Batch training on data sets: `theta train`. Imports no Textual; shares `model` with the rest for loading and chat."""

import theta_tui.model  # noqa: F401  # its environment must stand before anything here imports torch
