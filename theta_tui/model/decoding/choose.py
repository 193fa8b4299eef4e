"""Which decoder a model gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theta_tui.model.decoding.fast import FastDecoder, agrees
from theta_tui.model.decoding.llama import recognised
from theta_tui.model.decoding.protocol import Decoder

if TYPE_CHECKING:
    from theta_tui.model.language_model import LanguageModel


def decoder_for(lm: LanguageModel) -> Decoder:
    """The fastest decoder that is exact for this model. Raises ModelError where none is."""
    if lm.adapter is None and recognised(lm.model):
        fast = FastDecoder(lm.model)
        if agrees(fast, lm.model):
            return fast
    # Not before it is needed: it takes Transformers, which the built-in model does without.
    from theta_tui.model.decoding.general import proven

    return proven(lm.model, lm.last_logits, lm.encode_prompt((), "hello, who are you?", room=1).ids)
