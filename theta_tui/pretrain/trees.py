"""Trees of messages, as OpenAssistant publishes them: nested, or a message a row that names its parent.

Of each tree the best-ranked path is read: at each message the reply of the lowest rank, 0 before 1. What was deleted,
or is spam by review, is not learned, and neither is what follows it. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from theta_tui.pretrain.content import Content, FormatError, Refuse, Tally, said, shown
from theta_tui.pretrain.marks import Marks
from theta_tui.pretrain.messages import ROLES, Message, take_turns

MAX_BYTES = 256 << 20
"""Of the messages of one file: rows of a tree stand in any order, so that all are held until the last is read."""
_OVERHEAD = 400
"""Bytes in memory of a message beside its text."""
_LAST = float("inf")
_NAMES = {"message_id", "id"}
_PARENTS = {"parent_id", "parent_message_id", "parent"}
_UNDERSTOOD = _NAMES | _PARENTS | {
    "role", "text", "content", "rank", "replies", "labels", "tree_state", "message_tree_id", "user_id", "created_date",
    "lang", "review_count", "synthetic", "model_name", "detoxify", "emojis",
}  # fmt: skip
"""What a message of OpenAssistant's says about itself."""


@dataclass(slots=True)
class Node:
    """One message. `text` is None where it must not be learned."""

    line: int
    parent: str | None
    role: str
    text: str | None
    rank: float
    replies: list[Node] = field(default_factory=list)


def is_tree(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("prompt"), dict) and "role" in row["prompt"]


def is_tree_row(row: Any) -> bool:
    """A message by itself that says where it belongs."""
    return isinstance(row, dict) and "role" in row and _name(row, _NAMES) is not None and not _PARENTS.isdisjoint(row)


def read_tree(row: Mapping[str, Any], line: int, marks: Marks, tally: Tally) -> Content | None:
    """A nested tree. None where nothing in it is to be learned. Raises ValueError."""
    root = _node(row["prompt"], line, marks, tally)
    if _is_bad_tree(row):
        root.text = None
    open_nodes = [(row["prompt"], root)]
    while open_nodes:
        raw, node = open_nodes.pop()
        for reply in raw.get("replies") or []:
            if not isinstance(reply, dict):
                raise ValueError("a reply is not an object with role and text")
            node.replies.append(_node(reply, line, marks, tally))
            open_nodes.append((reply, node.replies[-1]))
    return _best_path(root, tally)


class Forest:
    """The trees of a file that has a message a row, in any order."""

    def __init__(self, marks: Marks, tally: Tally) -> None:
        self._marks = marks
        self._tally = tally
        self._nodes: dict[str, Node] = {}
        self._bytes = 0

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        """Raises ValueError where the row is bad, FormatError where the file is too large."""
        name = _name(row, _NAMES) or ""
        if name in self._nodes:
            raise ValueError(f"the message_id {shown(name)} stands in line {self._nodes[name].line:,} already")
        node = _node(row, line, self._marks, self._tally)
        self._bytes += _OVERHEAD + len(node.text or "")
        if self._bytes > MAX_BYTES:
            raise FormatError(
                f"its messages take more than {MAX_BYTES >> 20} MB of memory", line,
                remedy="make several files of it, with each tree whole in one",
            )  # fmt: skip
        self._nodes[name] = node

    def conversations(self, refuse: Refuse) -> Iterator[tuple[int, Content]]:
        """One of each tree, when all rows were read. A message that belongs to none is refused."""
        roots, orphans = [], []
        for node in self._nodes.values():
            if node.parent is None:
                roots.append(node)
            elif node.parent in self._nodes:
                self._nodes[node.parent].replies.append(node)
            else:
                orphans.append(node)
                refuse(node.line, f"its parent, {shown(node.parent)}, is not in the file")
        reached = {id(node) for top in roots + orphans for node in _below(top)}
        for node in self._nodes.values():
            if id(node) not in reached:
                refuse(node.line, "its parents lead in a circle")
        for root in roots:
            try:
                content = _best_path(root, self._tally)
            except ValueError as error:
                refuse(root.line, str(error))
            else:
                if content is not None:
                    yield root.line, content


def _best_path(root: Node, tally: Tally) -> Content | None:
    path: list[Node] = []
    node = None if root.text is None else root
    while node is not None:
        path.append(node)
        node = min((reply for reply in node.replies if reply.text is not None), key=lambda one: one.rank, default=None)
    whole = list(_below(root))
    spoiled: set[int] = set()
    for node in whole:  # each stands behind its parent
        if node.text is None or id(node) in spoiled:
            spoiled.add(id(node))
            spoiled.update(id(reply) for reply in node.replies)
    messages = [Message(node.role, node.text or "") for node in path if node.role != "system"]
    try:
        turns, _ = take_turns(messages)
    except ValueError:
        if not spoiled:
            raise ValueError("it is a message that nothing in the file replies to") from None
        turns = ()
    on_path = {id(node) for node in path} if turns else set()
    for node in whole:
        if id(node) in spoiled:
            tally.leave_out("message", "it, or one before it, is deleted or spam")
        elif id(node) not in on_path:
            tally.leave_out("message", "another reply is ranked higher" if turns else "it has no reply left")
    system = "\n".join(node.text or "" for node in path if node.role == "system")
    return Content(turns, system=system) if turns else None


def _below(top: Node) -> Iterator[Node]:
    """A node and all that follows it."""
    open_nodes = [top]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes.extend(node.replies)


def _node(row: Mapping[str, Any], line: int, marks: Marks, tally: Tally) -> Node:
    used: set[str] = set()
    role = ROLES.get(str(row.get("role")).lower())
    if role is None:
        raise ValueError(f"the role of a message is {shown(row.get('role'))}, not prompter or assistant")
    bad = marks.reason(row, used) is not None or _is_spam(row.get("labels")) or _is_bad_tree(row)
    for name, value in row.items():
        if value and name not in used and name not in _UNDERSTOOD:
            tally.ignore(name)
    text = row.get("content") if row.get("text") is None else row.get("text")
    rank = row.get("rank")
    place = float(rank) if isinstance(rank, (int, float)) else _LAST
    return Node(line, _name(row, _PARENTS), role, None if bad else said(text), place)


def _name(row: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    found = next((row[key] for key in sorted(keys, reverse=True) if row.get(key) not in (None, "")), None)
    return None if found is None else str(found)


def _is_spam(labels: Any) -> bool:
    """Whether most who reviewed it called it spam: {"spam": {"value": …}} or {"name": […], "value": […]}."""
    if not isinstance(labels, dict):
        return False
    names, values = labels.get("name"), labels.get("value")
    if isinstance(names, list) and isinstance(values, list):
        labels = dict(zip(map(str, names), values, strict=False))
    spam = labels.get("spam")
    spam = spam.get("value") if isinstance(spam, dict) else spam
    return isinstance(spam, (int, float)) and spam >= 0.5


def _is_bad_tree(row: Mapping[str, Any]) -> bool:
    return str(row.get("tree_state")).startswith(("aborted", "halted"))
