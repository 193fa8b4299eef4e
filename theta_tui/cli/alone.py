"""What the plain loop asks of a session that this process owns. `engine.session.RemoteSession` does the same in another
process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.cli.console import Invocation

if TYPE_CHECKING:
    from theta_tui.session.commands import Deed
    from theta_tui.session.importing import Together
    from theta_tui.session.session import Session
    from theta_tui.store.records import Pending


class Alone:
    """The owner of the home, which nobody else uses."""

    def __init__(self, call: Invocation, session: Session) -> None:
        self._call = call
        self._session = session

    def go_on(self, index: int) -> Pending | None:
        from theta_tui.session.continuing import go_on

        return go_on(self._session, index)

    def pass_over(self) -> None:
        self._session.store.pass_over()

    def take_back(self, deed: Deed, number: int | None = None) -> Together:
        from theta_tui.session.importing import Together, together

        session, stage = self._session, self._call.stage
        store, waited = session.store, session.pending is not None
        if deed == "withdraw":
            gone = session.withdraw(number or 0, stage)
            assert gone is not None  # cannot be cancelled here
            return Together((gone,))
        if deed == "redo":
            back = session.redo(stage)
            assert back is not None
            return together(store, back)
        batch = together(store, store.to_undo())
        session.undo(stage)
        if not waited and session.pending is not None:
            store.keep(None)  # or the next loop would begin with that prompt
        return batch

    def begin_conversation(self) -> None:
        self._session.store.begin_conversation()

    def change_conversation(self, *arguments: Any) -> str:
        from theta_tui.session import conversations

        return conversations.change(self._session.store, *arguments)

    def change_persona(self, text: str) -> str:
        from theta_tui.session import persona

        return persona.carry_out(self._session, text)

    def let(self, name: str, may: Any) -> str:
        from theta_tui.session import people

        return people.let(self._session.store, name, may)

    def export(self, kind: str, path: Path) -> str:
        from theta_tui.session.export import export

        done = export(self._session, kind, path, self._call.stage)
        self._call.stage("")
        assert done is not None  # cannot be cancelled here
        return done.line

    @property
    def unsaved(self) -> int:
        return self._session.unsaved if self._session.store.read_only is None else 0

    def save(self) -> tuple[str, int]:
        return str(self._session.save()), self._session.model.parameters
