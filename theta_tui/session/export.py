"""Exports: the taught model for Transformers or llama.cpp, one adapter per lesson for peft, or the lessons for TRL.
Only the export for TRL works without torch."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theta_tui.base.errors import HomeError, TeachError, UsageError
from theta_tui.base.publish import MARK, README, fresh_folder
from theta_tui.base.text import plural, reason
from theta_tui.session.verbs import EXPORTS, ExportKind
from theta_tui.store import trl as data_sets
from theta_tui.store.store import Store

if TYPE_CHECKING:
    from theta_tui.model.gguf_writing import Kind as GgufKind
    from theta_tui.session.session import Session
    from theta_tui.session.syllabus import Scoped

SCOPES, BASE = "scopes.json", "base"

Stage = Callable[[str], None]


class Stopped(Exception):
    """The export was cancelled; nothing was written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where: `what` in words, `numbers` for programs, `cost` in words if replies changed."""

    kind: ExportKind
    path: Path
    what: str
    numbers: dict[str, Any]
    cost: str = ""

    @property
    def line(self) -> str:
        return f"{self.what} written to {self.path}{self.cost}"


@dataclass(frozen=True, slots=True)
class Distilled:
    """The result of distilling lessons with a scope into the shared weights, where they are always on. Of `lessons`,
    `said` are said, and `in_all_wordings` to all their wordings. Of `asked` unrelated prompts, `changed` are answered
    otherwise than before."""

    lessons: int
    said: int
    in_all_wordings: int
    asked: int
    changed: int
    steps: int
    seconds: float

    @property
    def line(self) -> str:
        return (
            f"; {self.said} of {plural(self.lessons, 'lesson')} with a scope are said without it, always on; "
            f"{self.changed} of {plural(self.asked, 'unrelated prompt')} are answered otherwise than before "
            f"({plural(self.steps, 'step')}, {self.seconds:.0f} s)"
        )


def kind_of(word: str) -> ExportKind:
    """One of EXPORTS, or UsageError."""
    for kind in EXPORTS:
        if word == kind:
            return kind
    raise UsageError(
        f"'{word}' cannot be exported; say hf, gguf (the model), peft (adapters), trl (the lessons) or plot"
    )


def export(
    session: Session,
    kind: str,
    path: Path,
    on_stage: Stage = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported | None:
    """Write the model (`hf`, `gguf`), adapters (`peft`) or the lessons (`trl`) into the new folder `path`, or the plots
    into the new file `path`. None: cancelled, and nothing was written."""
    found = kind_of(kind)
    if found == "trl":
        return export_trl(session.store, path)
    if found == "plot":
        return export_plot(session.store, path)
    write = {"hf": export_hf, "gguf": export_gguf, "peft": export_peft}[found]
    try:
        return write(session, path, on_stage=on_stage, cancelled=cancelled)
    except Stopped:
        return None


def export_trl(store: Store, path: Path, *, force: bool = False) -> Exported:
    """Write the lessons of a home as TRL data sets into the folder `path`. Raises UsageError, TeachError, HomeError."""
    state = store.state
    if not state.active:
        raise TeachError("nothing was taught yet, so there are no lessons to export", name="nothing_to_export")
    with fresh_folder(path.expanduser(), force=force) as folder:
        counts = data_sets.write(state, folder, MARK)
    what = f"{plural(counts.preference, 'preference pair')} and {plural(counts.completion, 'completion')}"
    numbers = {"lessons": len(state.active), "preference": counts.preference, "completion": counts.completion}
    return Exported("trl", path.expanduser().absolute(), what, numbers)


def export_plot(store: Store, path: Path, number: int | None = None, *, force: bool = False) -> Exported:
    """Write the plots of a home into the SVG file `path`; the last of them is of lesson `number` (None: the last one).
    Raises UsageError, TeachError, PromptError, HomeError."""
    from theta_tui.session import plot_svg

    path = path.expanduser().absolute()
    count = plot_svg.write(store, path, number, force=force)
    return Exported("plot", path, plural(count, "plot"), {"plots": count})


def export_hf(
    session: Session,
    path: Path,
    *,
    force: bool = False,
    with_lessons: bool = True,
    on_stage: Stage = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write the model of a loaded `session` as a folder `path` that `from_pretrained` reads.

    Lessons with weights and a scope of their own are distilled into the weights, and are always on there; without
    `with_lessons` they are left out. The model in use does not change. Raises UsageError, HomeError, TeachError and,
    if `cancelled`, Stopped.
    """
    from theta_tui.model import export as model_folder
    from theta_tui.session import syllabus

    model, own = session.model, len(session.learner.modules)
    lessons = len(session.store.state.active) - own
    distilled = None
    with _writing(path, force, model.folder) as folder:
        plain: Any = None
        scoped = syllabus.scoped(session) if own and with_lessons else []
        if scoped:
            plain, distilled = _distilled(session, scoped, on_stage, cancelled)
            lessons += len(scoped)
        on_stage("writing the model")
        model_folder.write(model, folder, lessons=lessons, mark=MARK, model=plain, baked=len(scoped))
    numbers: dict[str, Any] = {
        "lessons": lessons, "parameters": model.parameters, "lora_rank": model.lora_rank,
        "distilled": None if distilled is None else asdict(distilled),
    }  # fmt: skip
    what = f"the model with {plural(lessons, 'lesson')}"
    if own and not with_lessons:
        what += f", and without {plural(own, 'lesson')} with a scope,"
    return Exported("hf", path.expanduser().absolute(), what, numbers, "" if distilled is None else distilled.line)


def export_gguf(
    session: Session,
    path: Path,
    *,
    force: bool = False,
    with_lessons: bool = True,
    kind: GgufKind = "F16",
    on_stage: Stage = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write the model of a loaded `session` as a GGUF file with an Ollama Modelfile into a folder `path`. Treats
    lessons and raises errors like `export_hf`; raises ModelError too if llama.cpp does not support the architecture."""
    from theta_tui.model import export as model_folder
    from theta_tui.model import gguf_writing

    with _writing(path, force, session.model.folder) as folder:
        plain = folder / "plain"
        done = export_hf(session, plain, with_lessons=with_lessons, on_stage=on_stage, cancelled=cancelled)
        on_stage("writing the GGUF file")
        name = model_folder.base_name(session.model)
        file = gguf_writing.write(plain, folder, name, kind, system=session.store.state.persona)
        shutil.rmtree(plain)
        (folder / README).write_text(model_folder.gguf_card(session.model, MARK, done.numbers["lessons"], file.name))
    return replace(
        done, kind="gguf", path=path.expanduser().absolute(), numbers=done.numbers | {"file": file.name, "type": kind}
    )


def export_peft(
    session: Session,
    path: Path,
    *,
    force: bool = False,
    on_stage: Stage = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write one LoRA for each lesson with weights and a scope of its own, as peft reads them, into a folder `path`,
    and `scopes.json`, which lists the prompts that each is for. If other lessons have changed the shared weights, those
    are in `base/`. Raises the errors of `export_hf`."""
    from theta_tui.learning import distilling
    from theta_tui.learning.module_lesson import GENERIC, row_of
    from theta_tui.model import export as model_folder
    from theta_tui.session import syllabus

    lm, began = session.model, time.monotonic()
    lessons = syllabus.scoped(session)
    if not lessons:
        raise TeachError(
            "no lesson has weights and a scope of its own, so there are no adapters to export; "
            "hf writes the whole model",
            name="nothing_to_export",
        )
    on_progress = _stoppable(cancelled)
    moved = any(
        lesson.seq not in session.learner.modules and lesson.outcome is not None and lesson.outcome.steps
        for lesson in session.store.state.active
    )
    base = BASE if moved else model_folder.base_name(lm)
    rows: list[dict[str, Any]] = []
    with _writing(path, force, lm.folder) as folder:
        for at, lesson in enumerate(lessons, 1):
            on_stage(f"learning the adapter of a lesson, {at} of {len(lessons)}")
            # Unrelated prompts are learned beside its wordings, as when it was taught: so the adapter says the reply
            # whatever the context, and the server decides for which prompts it is on.
            beside = [row_of(lm.encode_lesson((), prompt, lesson.reply, at=lesson.at)) for prompt in GENERIC[:2]]
            parts, said = distilling.low_rank(lm, [*lesson.rows, *beside], len(lesson.rows), on_progress)
            name = f"lesson-{lesson.number:04}"
            model_folder.write_adapter(lm, folder / name, parts, base)
            rows.append(
                {
                    "lesson": lesson.number, "folder": name, "prompt": lesson.prompt,
                    "wordings": list(lesson.wordings), "reply": lesson.reply, "said": said,
                }
            )  # fmt: skip
        if moved:
            (folder / BASE).mkdir()
            others = len(session.store.state.active) - len(session.learner.modules)
            model_folder.write(lm, folder / BASE, lessons=others, mark=MARK)
        scopes = {"schema": 1, "base_model": base, "adapters": rows}
        (folder / SCOPES).write_text(json.dumps(scopes, indent=2) + "\n", "utf-8")
        (folder / README).write_text(model_folder.adapters_card(lm, MARK, len(rows), base), "utf-8")
    said_now, seconds = sum(row["said"] for row in rows), time.monotonic() - began
    numbers = {"lessons": len(rows), "said": said_now, "base_model": base, "rank": distilling.RANK, "seconds": seconds}
    return Exported(
        "peft", path.expanduser().absolute(), plural(len(rows), "adapter"), numbers,
        f"; with its own, {said_now} of {plural(len(rows), 'lesson')} are said in all wordings ({seconds:.0f} s)",
    )  # fmt: skip


@contextmanager
def _writing(path: Path, force: bool, spare: Path) -> Iterator[Path]:
    """A folder to write tensors into. It appears as `path` once all of them are written."""
    import torch
    from safetensors import SafetensorError

    from theta_tui.learning.optimizer import NotFinite

    with fresh_folder(path.expanduser(), force=force, spare=spare) as folder:
        try:
            yield folder
        except SafetensorError as error:
            raise HomeError(f"{path} cannot be written ({reason(error)}); make room") from error
        except NotFinite as error:
            raise TeachError(f"the lessons cannot be put into plain weights ({error}); nothing was written") from None
        except (MemoryError, torch.OutOfMemoryError):
            raise TeachError(
                "there is not enough memory to put the lessons into plain weights; nothing was written; "
                "trl writes the lessons alone"
            ) from None


def _distilled(
    session: Session, lessons: Sequence[Scoped], on_stage: Stage, cancelled: Callable[[], bool]
) -> tuple[Any, Distilled]:
    """A model that says `lessons` with its shared weights alone, and how well it does."""
    from theta_tui.learning import distilling
    from theta_tui.session import syllabus

    lm, began = session.model, time.monotonic()
    on_progress = _stoppable(cancelled)

    def asking(what: str) -> Callable[[int, int], None]:
        def report(at: int, of: int) -> None:
            on_progress(at, of)
            on_stage(f"asking what {what}, {at + 1} of {of}")

        return report

    def learning(taken: int, most: int) -> None:
        on_progress(taken, most)
        on_stage(f"putting {plural(len(lessons), 'lesson')} into plain weights, step {taken:,} of at most {most:,}")

    rows = [row for lesson in lessons for row in lesson.rows]
    held = syllabus.elsewhere(session, lessons)
    kept = list(syllabus.answered(session, held, syllabus.HELD_TOKENS, asking("is to stay")))
    asked = syllabus.nowhere(session, syllabus.ASKED)
    before = list(syllabus.answered(session, asked, syllabus.ASKED_TOKENS, asking("must not change")))
    added, steps = distilling.bake(lm, rows, kept, learning)
    shared = lm.merged()
    plain = distilling.with_added(shared, added)
    margins = iter(distilling.leads(plain, rows))
    said = [[next(margins) > 0 for _ in lesson.rows] for lesson in lessons]
    # A reply that was cut or stripped may not match token by token even if nothing has changed.
    compared = [row for row, lead in zip(before, distilling.leads(shared, before), strict=True) if lead > 0]
    changed = sum(lead <= 0 for lead in distilling.leads(plain, compared))
    return plain, Distilled(
        len(lessons), sum(some[0] for some in said), sum(map(all, said)), len(compared), changed, steps,
        time.monotonic() - began,
    )  # fmt: skip


def _stoppable(cancelled: Callable[[], bool]) -> Callable[[int, int], None]:
    """A progress callback that ends the work by raising Stopped once it is `cancelled`."""

    def on_progress(_at: int, _of: int) -> None:
        if cancelled():
            raise Stopped

    return on_progress
