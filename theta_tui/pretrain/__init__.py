"""Batch training on data sets: `theta train`. Loads models and chat templates through `model`; imports no Textual."""

import theta_tui.model  # noqa: F401  # sets environment variables that torch reads when it is imported
