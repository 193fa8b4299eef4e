"""What was typed and not sent, kept in the home from one start to the next."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from theta_tui.base.errors import HomeError
from theta_tui.base.files import write_atomically
from theta_tui.base.json import dumps, loads
from theta_tui.ui.state import Editing

log = logging.getLogger("theta")


@dataclass(frozen=True, slots=True)
class Draft:
    """`text` stands in the composer; `said` was sent, and no replies came yet. `editing` says what the open editor is
    for, which holds `reply` and, for a fact, `question`. `chip` says what the composer's text is a reply to."""

    text: str = ""
    said: tuple[str, ...] = ()
    editing: Editing | None = None
    reply: str = ""
    question: str = ""
    chip: Editing | None = None

    @property
    def unsent(self) -> str:
        """All that the composer should hold: what got no replies, and what was being typed."""
        return "\n".join(filter(None, (*self.said, self.text)))


class Drafts:
    """The draft's file. Read once, and written when the draft has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = Draft()

    def load(self) -> Draft:
        """The draft that was kept; an empty one if there is none that can be read."""
        try:
            self._kept = _draft(loads(self._path.read_bytes().decode("utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            log.warning("%s could not be read and is ignored", self._path.name)
        return self._kept

    def save(self, draft: Draft) -> None:
        """Keep `draft`. A disk that is full is no reason to stop anybody from typing."""
        if draft == self._kept:
            return
        self._kept = draft
        try:
            if draft == Draft():
                self._path.unlink(missing_ok=True)
            else:
                # Not synced, because that takes as long as ten keys: a killed process loses nothing by it.
                write_atomically(self._path, dumps(asdict(draft)).encode("utf-8", "surrogatepass"), sync=False)
        except (HomeError, OSError, UnicodeError) as error:
            log.warning("the draft could not be kept: %s", error)


def _draft(values: dict[str, Any]) -> Draft:
    texts = [values[name] for name in ("text", "reply", "question")]
    said = values["said"]
    if not all(isinstance(text, str) for text in (*texts, *said)):
        raise ValueError("text")
    text, reply, question = texts
    return Draft(text, tuple(said), _editing(values["editing"]), reply, question, _editing(values["chip"]))


def _editing(values: dict[str, Any] | None) -> Editing | None:
    return None if values is None else Editing(**values)
