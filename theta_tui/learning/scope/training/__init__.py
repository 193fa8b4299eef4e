"""How the matcher was made: wordings written for it, with names filled in, and a small network trained on their pairs.

`python -m theta_tui.learning.scope.training --help`. The app does not need this package.
"""
