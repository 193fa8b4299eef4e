"""Theta's colours: three themes. All other code uses theme variables only."""

from __future__ import annotations

from collections.abc import Sequence

from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="theta",
    primary="#b794f6",
    secondary="#7aa2f7",
    accent="#ff9e64",
    success="#9ece6a",
    warning="#e6b566",
    error="#f7768e",
    foreground="#c3cae8",
    background="#191a24",
    surface="#1f2130",
    panel="#262a3d",
    boost="#2d3148",
    dark=True,
    text_alpha=1.0,
    variables={
        "border": "#b794f6",
        "border-blurred": "#3b4060",
        "block-cursor-background": "#b794f6",
        "block-cursor-foreground": "#191a24",
        "input-cursor-background": "#c9b3fa",
        "input-cursor-foreground": "#191a24",
        "input-selection-background": "#7aa2f7 35%",
        "scrollbar": "#343956",
        "scrollbar-hover": "#454b70",
        "scrollbar-active": "#b794f6",
        "scrollbar-background": "#191a24",
        "scrollbar-background-hover": "#191a24",
        "scrollbar-background-active": "#191a24",
        "footer-key-foreground": "#ff9e64",
    },
)

LIGHT = Theme(
    name="theta-light",
    primary="#7a3fd0",
    secondary="#2f62c9",
    accent="#b3520b",
    success="#3d7a17",
    warning="#8a5a00",
    error="#c0294b",
    foreground="#2e3147",
    background="#faf9fd",
    surface="#f2f0f8",
    panel="#eae7f3",
    boost="#e2def0",
    dark=False,
    variables={
        "border": "#7a3fd0",
        "border-blurred": "#cfc9e2",
        "block-cursor-background": "#7a3fd0",
        "block-cursor-foreground": "#ffffff",
        "input-cursor-background": "#5d2fa8",
        "input-cursor-foreground": "#ffffff",
        "input-selection-background": "#7a3fd0 25%",
        "scrollbar": "#d5d0e6",
        "scrollbar-hover": "#bdb6d6",
        "scrollbar-active": "#7a3fd0",
        "scrollbar-background": "#faf9fd",
        "scrollbar-background-hover": "#faf9fd",
        "scrollbar-background-active": "#faf9fd",
        "footer-key-foreground": "#b3520b",
    },
)

CONTRAST = Theme(
    name="theta-contrast",
    primary="#d7b8ff",
    secondary="#9ecbff",
    accent="#ffc48a",
    success="#a8f08c",
    warning="#ffe08a",
    error="#ff9aa8",
    foreground="#ffffff",
    background="#000000",
    surface="#0c0c0c",
    panel="#161616",
    boost="#1c1c1c",
    dark=True,
    text_alpha=1.0,
    variables={
        "border": "#ffffff",
        "border-blurred": "#9a9a9a",
        "block-cursor-background": "#ffffff",
        "block-cursor-foreground": "#000000",
        "input-cursor-background": "#ffffff",
        "input-cursor-foreground": "#000000",
        "input-selection-background": "#9ecbff 40%",
        "footer-key-foreground": "#ffc48a",
    },
)

OWN = (DARK, LIGHT, CONTRAST)

TEXT = 4.8
"""The least contrast of a word with its background. Small text should have 4.5
(https://www.w3.org/TR/WCAG21/#contrast-minimum); Textual mixes some colours once more when it draws."""

TONES = ("foreground", "primary", "secondary", "accent", "success", "warning", "error")
"""Theme colours that are used for words."""


def legible(theme: Theme) -> dict[str, str]:
    """Variables that make every word of `theme` legible on each of its backgrounds.

    They are the theme's own tones, moved away from the background as far as needed; `muted` for secondary words;
    `faint` and `hairline` for bars and lines; `marked`, `chosen` and `raised` as backgrounds of a row. The 16 colours
    of a terminal cannot be mixed: there, words keep the full foreground, because a dim one is illegible on some
    terminals.
    """
    if theme.ansi:
        quiet = {"muted": "ansi_default", "faint": "ansi_bright_black", "hairline": "ansi_bright_black"}
        return quiet | dict.fromkeys(("marked", "chosen", "raised"), "ansi_default")
    system = theme.to_color_system().generate()
    color = {name: Color.parse(system[name]) for name in (*TONES, "background", "surface", "panel")}
    back, front = color["background"], color["foreground"]
    tints = {
        "marked": back.blend(color["primary"], 0.2),
        "chosen": back.blend(color["success"], 0.14),
        "raised": back.blend(front, 0.1),
    }
    grounds = [back, color["surface"], color["panel"], *tints.values()]
    end = Color.parse("#ffffff" if theme.dark else "#000000")
    found = {name: _moved(color[name], end, grounds) for name in TONES}
    found["muted"] = _moved(back.blend(front, 0.7), end, grounds)
    found["footer-key-foreground"] = found["accent"]
    # Text on a mark has the background's colour, unless that is too close to the mark.
    found["block-cursor-background"] = found["primary"]
    found["block-cursor-foreground"] = _moved(
        back, Color.parse("#000000" if theme.dark else "#ffffff"), [found["primary"]]
    )
    found |= {"faint": back.blend(front, 0.38), "hairline": back.blend(front, 0.22)} | tints
    return {name: each.hex for name, each in found.items()}


def _moved(color: Color, end: Color, grounds: Sequence[Color]) -> Color:
    """`color`, blended towards `end` until it is legible on all of `grounds`."""
    steps = (color.blend(end, share / 20) for share in range(20))
    return next((each for each in steps if min(contrast(each, ground) for ground in grounds) >= TEXT), end)


def contrast(one: Color, other: Color) -> float:
    """The WCAG contrast ratio of two opaque colours, 1 to 21."""

    def luminance(color: Color) -> float:
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
