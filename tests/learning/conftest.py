"""Fixtures of these tests: real, tiny models."""

from tests.support.models import *  # noqa: F403
