"""Theta: teach a language model by talking to it. This module holds the version and nothing else."""

__version__ = "0.1.0"
