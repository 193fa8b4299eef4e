"""Reads trees of messages as OpenAssistant publishes them: nested, or one message per row that names its parent.

From each tree the best-ranked path is read: at each message, the reply with the lowest rank. Messages that were deleted
or reviewed as spam are not learned, nor is what follows them. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from theta_tui.pretrain.content import Content, FormatError, ReadReport, Refuse, required_text, shown
from theta_tui.pretrain.learn_flags import LearnFlags
from theta_tui.pretrain.messages import ROLES, ChatMessage, take_turns

MAX_BYTES = 256 << 20
"""Most bytes of the messages of one file. Rows can be in any order, so all are held until the last is read."""
_OVERHEAD = 400
"""Bytes of memory per message besides its text."""
_LAST = float("inf")
_NAMES = {"message_id", "id"}
_PARENTS = {"parent_id", "parent_message_id", "parent"}
_UNDERSTOOD = _NAMES | _PARENTS | {
    "role", "text", "content", "rank", "replies", "labels", "tree_state", "message_tree_id", "user_id", "created_date",
    "lang", "review_count", "synthetic", "model_name", "detoxify", "emojis",
}  # fmt: skip
"""Keys of OpenAssistant's messages."""


@dataclass(slots=True)
class Node:
    """One message. `text` is None if it must not be learned."""

    line: int
    parent: str | None
    role: str
    text: str | None
    rank: float
    replies: list[Node] = field(default_factory=list)


def is_tree(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("prompt"), dict) and "role" in row["prompt"]


def is_tree_row(row: Any) -> bool:
    """Whether the row is a single message that names its parent."""
    return isinstance(row, dict) and "role" in row and _name(row, _NAMES) is not None and not _PARENTS.isdisjoint(row)


def read_tree(row: Mapping[str, Any], line: int, flags: LearnFlags, report: ReadReport) -> Content | None:
    """The best path of a nested tree; None if nothing in it is to be learned. Raises ValueError."""
    root = _node(row["prompt"], line, flags, report)
    if _is_bad_tree(row):
        root.text = None
    open_nodes = [(row["prompt"], root)]
    while open_nodes:
        raw, node = open_nodes.pop()
        for reply in raw.get("replies") or []:
            if not isinstance(reply, dict):
                raise ValueError("a reply is not an object with role and text")
            node.replies.append(_node(reply, line, flags, report))
            open_nodes.append((reply, node.replies[-1]))
    return _best_path(root, report)


class Forest:
    """The trees of a file with one message per row, in any order."""

    def __init__(self, flags: LearnFlags, report: ReadReport) -> None:
        self._flags = flags
        self._report = report
        self._nodes: dict[str, Node] = {}
        self._bytes = 0

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        """Add a message. Raises ValueError if the row is bad, FormatError if the file is too large."""
        name = _name(row, _NAMES) or ""
        if name in self._nodes:
            raise ValueError(f"the message_id {shown(name)} is already used in line {self._nodes[name].line:,}")
        node = _node(row, line, self._flags, self._report)
        self._bytes += _OVERHEAD + len(node.text or "")
        if self._bytes > MAX_BYTES:
            raise FormatError(
                f"its messages take more than {MAX_BYTES >> 20} MB of memory", line,
                remedy="split it into several files, and keep each tree in one",
            )  # fmt: skip
        self._nodes[name] = node

    def conversations(self, refuse: Refuse) -> Iterator[tuple[int, Content]]:
        """One conversation per tree, once all rows are read. A message that belongs to no tree is refused."""
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
                refuse(node.line, "its parents form a circle")
        for root in roots:
            try:
                content = _best_path(root, self._report)
            except ValueError as error:
                refuse(root.line, str(error))
            else:
                if content is not None:
                    yield root.line, content


def _best_path(root: Node, report: ReadReport) -> Content | None:
    path: list[Node] = []
    node = None if root.text is None else root
    while node is not None:
        path.append(node)
        node = min((reply for reply in node.replies if reply.text is not None), key=lambda one: one.rank, default=None)
    whole = list(_below(root))
    excluded: set[int] = set()
    for node in whole:  # each after its parent
        if node.text is None or id(node) in excluded:
            excluded.add(id(node))
            excluded.update(id(reply) for reply in node.replies)
    messages = [ChatMessage(node.role, node.text or "") for node in path if node.role != "system"]
    try:
        turns, _ = take_turns(messages)
    except ValueError:
        if not excluded:
            raise ValueError("nothing in the file replies to this message") from None
        turns = ()
    on_path = {id(node) for node in path} if turns else set()
    for node in whole:
        if id(node) in excluded:
            report.leave_out("message", "it, or one before it, is deleted or spam")
        elif id(node) not in on_path:
            report.leave_out("message", "another reply is ranked higher" if turns else "it has no reply left")
    system = "\n".join(node.text or "" for node in path if node.role == "system")
    return Content(turns, system=system) if turns else None


def _below(top: Node) -> Iterator[Node]:
    """A node and all nodes below it."""
    open_nodes = [top]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes.extend(node.replies)


def _node(row: Mapping[str, Any], line: int, flags: LearnFlags, report: ReadReport) -> Node:
    used: set[str] = set()
    role = ROLES.get(str(row.get("role")).lower())
    if role is None:
        raise ValueError(f"the role of a message is {shown(row.get('role'))}, not prompter or assistant")
    bad = flags.reason(row, used) is not None or _is_spam(row.get("labels")) or _is_bad_tree(row)
    for name, value in row.items():
        if value and name not in used and name not in _UNDERSTOOD:
            report.ignore(name)
    text = row.get("content") if row.get("text") is None else row.get("text")
    rank = row.get("rank")
    place = float(rank) if isinstance(rank, (int, float)) else _LAST
    return Node(line, _name(row, _PARENTS), role, None if bad else required_text(text), place)


def _name(row: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    found = next((row[key] for key in sorted(keys, reverse=True) if row.get(key) not in (None, "")), None)
    return None if found is None else str(found)


def _is_spam(labels: Any) -> bool:
    """Whether most reviewers called it spam: {"spam": {"value": …}} or {"name": […], "value": […]}."""
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
