"""Small line charts as SVG coordinates, drawn on the server from whole numbers.

A value that is not known is a gap in the line, never a zero and never a line through it. A band
marks a time of another kind behind the line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: A position along the line (an index, or seconds), and a whole number or None if not known.
Point = tuple[int, int | None]
#: What a band marks, and the positions at which that begins and ends.
Stretch = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the line, from the pixel `x` on and `width` pixels wide."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line in a box of `width` by `height` pixels whose origin is at the top left.

    `segments` are the `points` of a polyline each, parted by what is not known; `dots` are known
    values that stand alone. `guide` is the height of the guide value, `low` and `high` the values
    at the bottom and the top of the box. `bands` go from its top to its bottom.
    """

    width: int
    height: int
    segments: tuple[str, ...]
    dots: tuple[tuple[int, int], ...]
    guide: int | None
    low: int
    high: int
    bands: tuple[Band, ...] = ()


def line_chart(
    points: Sequence[Point],
    *,
    width: int,
    height: int,
    guide: int | None = None,
    end: int | None = None,
    stretches: Iterable[Stretch] = (),
) -> LineChart | None:
    """Return the line through `points`, which come in order; None if no value is known.

    `guide` is a value that is always in view, such as the one below which a number is bad. The box
    ends with the last point, or with the position `end`; `stretches` are marked as far as they are
    in it.
    """
    known = [value for _, value in points if value is not None]
    if not known:
        return None
    in_view = known if guide is None else [*known, guide]
    low, high = min(in_view), max(in_view)
    first, last = points[0][0], points[-1][0] if end is None else end

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
        bands=tuple(_bands(stretches, first, last, width)),
    )


def _bands(stretches: Iterable[Stretch], first: int, last: int, width: int) -> Iterator[Band]:
    """Yield the parts of `stretches` from `first` until `last`, each at least one pixel wide."""
    for kind, start, end in stretches:
        if end < first or start > last:
            continue
        left = _scaled(max(start, first) - first, last - first, width) if last > first else 0
        right = _scaled(min(end, last) - first, last - first, width) if last > first else width
        left = min(left, width - 1)
        yield Band(kind, left, max(right - left, 1))


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
