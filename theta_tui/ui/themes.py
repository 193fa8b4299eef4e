"""Theta's own colours. Two themes; everything else on the screen uses theme variables only."""

from __future__ import annotations

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

OWN = (DARK, LIGHT)


def quiet(theme: Theme) -> dict[str, str]:
    """`muted` for words that stand back, `faint` for what is only there, `hairline` for lines.

    Mixed from the theme's own foreground and background. A theme of the terminal's 16 colours cannot be mixed:
    there, words keep the full foreground, since a dim one is unreadable on some terminals.
    """
    if theme.ansi:
        return {"muted": "ansi_default", "faint": "ansi_bright_black", "hairline": "ansi_bright_black"}
    system = theme.to_color_system().generate()
    background, foreground = Color.parse(system["background"]), Color.parse(system["foreground"])

    def mixed(share: float, least: float = 1.0) -> str:
        color = background.blend(foreground, share)
        while contrast(background, color) < least and share < 1.0:
            share += 0.05
            color = background.blend(foreground, share)
        return color.hex

    return {"muted": mixed(0.64, 4.0), "faint": mixed(0.38, 1.8), "hairline": mixed(0.22)}


def contrast(one: Color, other: Color) -> float:
    """The WCAG contrast ratio, 1 to 21; 4.5 is what small text should have (https://www.w3.org/TR/WCAG21/)."""

    def luminance(color: Color) -> float:
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
