"""Take it along: the taught model for Transformers, or the lessons for TRL. Needs torch for the first only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from theta_tui.errors import HomeError, TeachError, UsageError
from theta_tui.lessons import export as data_sets
from theta_tui.publish import MARK, fresh_folder
from theta_tui.record import HomeRecord
from theta_tui.text import plural, reason

if TYPE_CHECKING:
    from theta_tui.teacher import Teacher

Kind = Literal["hf", "trl"]
KINDS: tuple[Kind, ...] = ("hf", "trl")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where: `what` in words, `numbers` for programs."""

    kind: Kind
    path: Path
    what: str
    numbers: dict[str, Any]

    @property
    def line(self) -> str:
        return f"{self.what} written to {self.path}"


def kind_of(word: str) -> Kind:
    """hf or trl, or UsageError."""
    for kind in KINDS:
        if word == kind:
            return kind
    raise UsageError(f"'{word}' cannot be exported; say hf (the model) or trl (the lessons as data sets)")


def export_trl(record: HomeRecord, path: Path, *, force: bool = False) -> Exported:
    """The lessons of a home as TRL data sets in the folder `path`. Raises UsageError, TeachError and HomeError."""
    story = record.story
    if not story.live:
        raise TeachError("nothing was taught yet, so there are no lessons to export", name="nothing_to_export")
    with fresh_folder(path.expanduser(), force=force) as folder:
        counts = data_sets.write(story, folder, MARK)
    what = f"{plural(counts.preference, 'preference pair')} and {plural(counts.completion, 'completion')}"
    numbers = {"lessons": len(story.live), "preference": counts.preference, "completion": counts.completion}
    return Exported("trl", path.expanduser().absolute(), what, numbers)


def export_hf(teacher: Teacher, path: Path, *, force: bool = False) -> Exported:
    """The model of a loaded `teacher` as a folder `path` that `from_pretrained` reads. Raises UsageError, HomeError."""
    from safetensors import SafetensorError

    from theta_tui.mind import export as model_folder

    model, lessons = teacher.model, len(teacher.record.story.live)
    if own := len(teacher.learner.modules):
        teacher.record.notices.append(
            f"{plural(own, 'lesson')} with weights and a scope of their own cannot be part of a plain model, and will "
            "not be in it; `theta export trl` takes them along"
        )
        lessons -= own
    with fresh_folder(path.expanduser(), force=force, spare=model.folder) as folder:
        try:
            model_folder.write(model, folder, lessons=lessons, mark=MARK)
        except SafetensorError as error:
            raise HomeError(f"{path} cannot be written ({reason(error)}); make room") from error
    numbers = {"lessons": lessons, "parameters": model.parameters, "lora_rank": model.lora_rank}
    what = f"the model with {plural(lessons, 'lesson')}"
    return Exported("hf", path.expanduser().absolute(), what, numbers)
