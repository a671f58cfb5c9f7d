"""What a terminal showed, frame by frame, as one SVG that moves by CSS alone."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.segment import Segment
    from rich.style import Style

Row = tuple["Segment", ...]
"""A line of a terminal, as rich drew it."""


class Frame(NamedTuple):
    """What a terminal shows, and for how many seconds of the recording."""

    rows: tuple[Row, ...]
    seconds: float


# Of a cell, and of what is around them, in the picture's own units.
CELL, LINE, BASE, MARGIN, BAR = 8.4, 18, 13, 16, 34
COLOURS = {
    "red": "#ff7b72",
    "green": "#56d364",
    "yellow": "#e3b341",
    "blue": "#79c0ff",
    "cyan": "#76e3ea",
    "magenta": "#d2a8ff",
}
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" \
height="{height:g}" role="img" aria-labelledby="title" xml:space="preserve">
<title id="title">{title}</title>
<style>
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
fill:#e6edf3;white-space:pre}}
.bold{{font-weight:bold}}.dim{{fill-opacity:.65}}
{colours}
g{{visibility:hidden;animation:{seconds:g}s step-end infinite}}
g.last{{visibility:visible}}
{moments}
@media (prefers-reduced-motion:reduce){{g{{animation:none!important}}}}
</style>
<rect x=".5" y=".5" width="{inner_width:g}" height="{inner_height:g}" rx="8" fill="#161b22" \
stroke="#6e7681"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/>\
<circle cx="60" cy="18" r="6" fill="#28c840"/>
"""


def svg(title: str, shown: Sequence[Frame], width: int, height: int) -> str:
    """The frames as one picture, in which a line that stays the same is there once."""
    starts = [0.0]
    for frame in shown:
        starts.append(starts[-1] + frame.seconds)
    whole_width, whole_height = width * CELL + 2 * MARGIN, height * LINE + BAR + MARGIN
    groups: dict[tuple[int, int], list[str]] = {}
    for row in range(height):
        for begin, end in pairwise(_changes(shown, row)):
            if pieces := _pieces(_row(shown[begin], row)):
                y = BAR + row * LINE + BASE
                groups.setdefault((begin, end), []).append(f'<text y="{y}">{pieces}</text>')
    parts = [
        HEAD.format(
            width=whole_width,
            height=whole_height,
            inner_width=whole_width - 1,
            inner_height=whole_height - 1,
            title=escape(title),
            colours="".join(f".{name}{{fill:{value}}}" for name, value in COLOURS.items()),
            seconds=starts[-1],
            moments="\n".join(_moment(starts, *span) for span in sorted(groups)),
        )
    ]
    for (begin, end), texts in sorted(groups.items()):
        last = " last" if end == len(shown) else ""
        parts += [f'<g class="f{begin}-{end}{last}">\n', *(f"{each}\n" for each in texts), "</g>\n"]
    return "".join([*parts, "</svg>\n"])


def _row(frame: Frame, row: int) -> Row:
    return frame.rows[row] if row < len(frame.rows) else ()


def _changes(shown: Sequence[Frame], row: int) -> list[int]:
    """The frames in which a row changes; the first of all, and one beyond the last, are two."""
    changed = [
        number
        for number in range(1, len(shown))
        if _row(shown[number], row) != _row(shown[number - 1], row)
    ]
    return [0, *changed, len(shown)]


def _moment(starts: Sequence[float], begin: int, end: int) -> str:
    """When the lines of these frames are seen, as CSS."""
    name, whole = f"f{begin}-{end}", starts[-1]
    at = {0.0: "hidden", starts[begin] / whole: "visible", starts[end] / whole: "hidden"}
    if end == len(starts) - 1:
        at[1.0] = "visible"
    steps = "".join(f"{share:.3%}{{visibility:{seen}}}" for share, seen in at.items())
    return f"@keyframes {name}{{{steps}}}.{name}{{animation-name:{name}}}"


def _pieces(row: Row) -> str:
    """The pieces of a line at their places: fonts differ in width, so each has its own."""
    found, column = [], 0
    for segment in row:
        cells, text = cell_len(segment.text), segment.text.rstrip()
        if text.strip():
            start = column + cells - cell_len(segment.text.lstrip())
            text = text.lstrip()
            names = _classes(segment.style)
            styled = f' class="{names}"' if names else ""
            x, length = MARGIN + start * CELL, cell_len(text) * CELL
            found.append(
                f'<tspan x="{x:g}" textLength="{length:g}" lengthAdjust="spacingAndGlyphs"'
                f"{styled}>{escape(text, quote=False)}</tspan>"
            )
        column += cells
    return "".join(found)


def _classes(style: Style | None) -> str:
    if style is None:
        return ""
    names = ["bold"] * bool(style.bold) + ["dim"] * bool(style.dim)
    if style.color is not None:
        assert style.color.name in COLOURS, style.color
        names.append(style.color.name)
    return " ".join(names)
