"""The screen tests start the app hundreds of times."""

from tests.support.styles import read_once

read_once()
