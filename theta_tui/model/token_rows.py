"""Whether a model's embeddings, head and positions have a row for every token that it can meet.

A tokenizer that got tokens without the model's tables being resized fails in the middle of a lesson, or only at the
word that was added. So it is checked when the model is loaded.
"""

from __future__ import annotations

import re
from typing import Any

from theta_tui.base.errors import ModelError
from theta_tui.base.text import plural
from theta_tui.model.chat_template import ChatTemplate

_POSITIONS = re.compile(r"(^|\.)(wpe|\w*pos(ition)?s?_?emb\w*|embed_positions)$")
"""Names of tables of learned positions."""


def tables(model: Any) -> dict[str, int]:
    """The number of rows of each table that the model has."""
    modules = {"input embeddings": model.get_input_embeddings, "output head": model.get_output_embeddings}
    found: dict[str, int] = {}
    for name, module_of in modules.items():
        try:
            weight = getattr(module_of(), "weight", None)
        except NotImplementedError:  # Transformers', where an architecture has none
            continue
        if weight is not None:
            found[name] = int(weight.shape[0])
    return found


def require(model: Any, chat: ChatTemplate) -> None:
    """Raises ModelError where a token that texts, the chat template or replies can have has no row.

    Other tokens (padding, mostly) may lack one, and tables may be larger than the vocabulary.
    """
    rows = tables(model)
    if not rows:
        return
    met = chat.met_ids()
    for table, count in rows.items():
        lacking = sorted(index for index in met if not 0 <= index < count)
        if lacking:
            token = chat.tokenizer.convert_ids_to_tokens(lacking[0])
            more = f" ({len(lacking) - 1:,} more lack one too)" if len(lacking) > 1 else ""
            raise ModelError(
                f"the model has no row for the token '{token}': its id is {lacking[0]} and the {table} have "
                f"{plural(count, 'row')}{more}; resize the model to its tokenizer (resize_token_embeddings) or "
                "use another"
            )
    said, read = rows.get("output head", 0), rows.get("input embeddings", 0)
    if said > read > 0:
        raise ModelError(
            f"the model can say {plural(said, 'token')} and its input embeddings have {plural(read, 'row')}, so it "
            "could not read what it says; resize the model (resize_token_embeddings) or use another"
        )


def positions(model: Any) -> int | None:
    """The number of tokens that the model's learned positions have rows for; None where it has none."""
    from torch import nn

    found = [
        # Some count from behind the padding token's id, or keep a few rows in front.
        module.num_embeddings
        - getattr(module, "offset", 0)
        - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) and _POSITIONS.search(name)
    ]
    return min(found, default=None)
