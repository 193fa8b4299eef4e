"""Training pairs of messages: pairs that ask the same, and six kinds that almost do. No Transformers here."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from theta_tui.facts.paraphrases import variants
from theta_tui.facts.statements import load_dictionary
from theta_tui.learning.scope.training.wordings import Relation, another, disturbed, fill, put

KINDS = {"same": 0.37, "framed": 0.07, "name": 0.10, "group": 0.28, "narrowed": 0.04, "other": 0.10, "message": 0.04}
"""The frequency of each kind of pair: two wordings of one relation; one wording in another frame ("Do you know …"), as
Theta itself rewords lessons; with another name; of another relation of the same group; for another time or place ("…
last year?"); of a similar relation elsewhere; and with an unrelated message."""

ELSEWHERE = (
    "last year", "next year", "yesterday", "in winter", "on Sundays", "at the office", "at school", "abroad",
    "in the past", "for the first time", "as a child", "at night", "in the other house", "before that",
)  # fmt: skip

TOO_ALIKE = 0.82
"""From this similarity of the encoder on, two relations of different groups may be the same one."""

SOUNDING = 25
"""Draw from this many relations elsewhere, the most similar ones."""


class Pairs:
    """Draws pairs from `relations`. `said` has the encoder's vector of each wording."""

    def __init__(
        self, relations: Sequence[Relation], said: Mapping[str, torch.Tensor], messages: Sequence[str]
    ) -> None:
        self._relations, self._messages = relations, messages
        self._dictionary = load_dictionary()
        self._groups: dict[str, list[Relation]] = {}
        for relation in relations:
            self._groups.setdefault(relation.group, []).append(relation)
        means = [torch.stack([said[text] for text in relation.wordings]).mean(0) for relation in relations]
        vectors = functional.normalize(torch.stack(means), dim=-1)
        self._sounding: dict[int, list[Relation]] = {}
        for at, (relation, row) in enumerate(zip(relations, vectors @ vectors.T, strict=True)):
            ranked = row.argsort(descending=True).tolist()
            fit = [to for to in ranked if relations[to].group != relation.group and float(row[to]) < TOO_ALIKE]
            self._sounding[at] = [relations[to] for to in fit[:SOUNDING]]

    def draw(self, rng: random.Random, kind: str | None = None) -> tuple[str, str, bool]:
        """Draw a taught message, an asked message, and whether they ask the same."""
        at = rng.randrange(len(self._relations))
        relation = self._relations[at]
        chosen = kind or rng.choices(list(KINDS), list(KINDS.values()))[0]
        if chosen == "name" and not relation.slots:
            return self.draw(rng, kind)
        names = fill(relation.slots, rng)
        # The taught message is more often the plainest wording.
        taught = relation.wordings[0] if rng.random() < 0.4 else rng.choice(relation.wordings)
        if chosen == "message":
            return put(taught, names), disturbed(rng.choice(self._messages), rng), False
        if chosen == "framed":
            framed = variants(put(taught, names), self._dictionary)
            if not framed:
                return self.draw(rng, kind)
            return put(taught, names), disturbed(rng.choice(framed), rng), True
        if chosen == "narrowed":
            asked = put(taught if rng.random() < 0.6 else rng.choice(relation.wordings), names)
            if not asked.endswith("?"):
                return self.draw(rng, kind)
            return put(taught, names), disturbed(f"{asked[:-1]} {rng.choice(ELSEWHERE)}?", rng), False
        beside = relation
        if chosen == "group":
            beside = rng.choice([one for one in self._groups[relation.group] if one is not relation] or [relation])
        elif chosen == "other":
            beside = rng.choice(self._sounding[at])
        wordings = [text for text in beside.wordings if text != taught or chosen == "name"]
        theirs = another(names, rng) if chosen == "name" else {**fill(beside.slots, rng), **names}
        same = beside is relation and chosen != "name"
        return put(taught, names), disturbed(put(rng.choice(wordings), theirs), rng), same
