"""Small line charts as SVG coordinates, drawn on the server from whole numbers.

A value that is not known is a gap in the line, never a zero and never a line through it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: A position along the line (an index, or seconds), and a whole number or None if not known.
Point = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line in a box of `width` by `height` pixels whose origin is at the top left.

    `segments` are the `points` of a polyline each, parted by what is not known; `dots` are known
    values that stand alone. `guide` is the height of the guide value, `low` and `high` the values
    at the bottom and the top of the box.
    """

    width: int
    height: int
    segments: tuple[str, ...]
    dots: tuple[tuple[int, int], ...]
    guide: int | None
    low: int
    high: int


def line_chart(
    points: Sequence[Point], *, width: int, height: int, guide: int | None = None
) -> LineChart | None:
    """Return the line through `points`, which come in order; None if no value is known.

    `guide` is a value that is always in view, such as the one below which a number is bad.
    """
    known = [value for _, value in points if value is not None]
    if not known:
        return None
    in_view = known if guide is None else [*known, guide]
    low, high = min(in_view), max(in_view)
    first, last = points[0][0], points[-1][0]

    def place(position: int, value: int) -> tuple[int, int]:
        across = _scaled(position - first, last - first, width)
        return across, height - _scaled(value - low, high - low, height)

    runs = [[place(*point) for point in run] for run in _known_runs(points)]
    return LineChart(
        width=width,
        height=height,
        segments=tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1),
        dots=tuple(run[0] for run in runs if len(run) == 1),
        guide=None if guide is None else place(first, guide)[1],
        low=low,
        high=high,
    )


def _known_runs(points: Iterable[Point]) -> list[list[tuple[int, int]]]:
    """Return the runs of points whose values are known, in order."""
    runs: list[list[tuple[int, int]]] = [[]]
    for position, value in points:
        if value is not None:
            runs[-1].append((position, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _scaled(part: int, whole: int, length: int) -> int:
    """Return `part / whole` of `length`; the middle of it where everything is in one place."""
    return part * length // whole if whole else length // 2
