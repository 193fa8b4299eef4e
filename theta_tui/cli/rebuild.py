"""The report of `theta rebuild`."""

from __future__ import annotations

from theta_tui.base.text import percent, plural
from theta_tui.cli.console import Invocation
from theta_tui.session.rebuild import Done


def report(call: Invocation, done: Done) -> None:
    """Print the report."""
    if call.json:
        call.emit(
            model=done.model,
            came_from=done.came_from,
            lora_rank=done.lora,
            lessons=done.lessons,
            steps=done.steps,
            said_afterwards=done.said,
            p_after=done.p_after,
            skipped=[{"lesson": number, "why": why} for number, why in done.skipped],
            bit_equal=done.exact,
            compared_with=done.against or None,
            why=done.why or None,
            checkpoint=str(done.checkpoint),
            seconds=done.seconds,
        )
        return
    count, steps = plural(done.lessons, "lesson"), plural(done.steps, "step")
    if done.exact is None:
        by = "" if done.lora is None else f", by LoRA of rank {done.lora},"
        call.out(f"moved {count} from {done.came_from} to {done.model}{by} in {steps}, {done.seconds:.1f} s")
        if done.p_after is not None:
            call.out(f"said right after its lesson: {done.said} of {done.lessons} (median P {percent(done.p_after)})")
    else:
        call.out(f"rebuilt {count} on {done.model} in {steps}, {done.seconds:.1f} s")
        if done.exact:
            call.out(f"bit-equal to {done.against}")
        else:
            call.out(f"replayed, not bit-exact, against {done.against}: {done.why}")
    for number, why in done.skipped:
        call.out(f"lesson {number} was skipped: {why}")
    call.out(f"saved checkpoint to {done.checkpoint}")
