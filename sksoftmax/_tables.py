"""Tables of text, of HTML and of LaTeX: the same cells for the terminal, a notebook, a paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """The cells of a row: the first is its name, to the left; `heading` spans the table."""

    cells: Sequence[str]
    heading: bool = False


class Table(NamedTuple):
    """A title, names of columns, rows of text, and what stands below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """For the terminal: numbers to the right, cells of several lines below each other."""
        lines = [line for row in self.rows if not row.heading for line in _lines(row.cells)]
        indent = 2 if any(row.heading for row in self.rows) else 0
        widths = [max(map(len, column)) for column in zip(self.columns, *lines, strict=True)]
        widths[0] = max([widths[0] + indent, *(len(r.cells[0]) for r in self.rows if r.heading)])
        out = [
            self.title,
            "",
            _line(self.columns, widths),
            "-" * (sum(widths) + 2 * len(widths) - 2),
        ]
        for row in self.rows:
            if row.heading:
                out.append(row.cells[0])
                continue
            for first, *others in _lines(row.cells):
                out.append(_line([" " * indent + first, *others], widths))
        out += [""] * bool(self.notes) + [*self.notes]
        return "\n".join(line.rstrip() for line in out)

    def html(self) -> str:
        """For notebooks: a table of its own style, every text escaped."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(self._html_row(row) for row in self.rows)
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return (
            '<div style="overflow-x:auto">'
            f'<table style="border-collapse:collapse;text-align:right">'
            f'<caption style="text-align:left;font-weight:bold">{escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f'<div style="opacity:.75;font-size:.9em;margin-top:.4em">{notes}</div></div>'
        )

    def _html_row(self, row: Row) -> str:
        left = 'style="text-align:left;white-space:pre"'
        name = escape(row.cells[0])
        if row.heading:
            span = f'colspan="{len(self.columns)}"'
            return f'<tr><th {span} style="text-align:left">{name}</th></tr>'
        cells = "".join(f"<td>{_html_cell(cell)}</td>" for cell in row.cells[1:])
        return f"<tr><th {left}>{name}</th>{cells}</tr>"


def _html_cell(cell: str) -> str:
    """The lines of a cell below each other, all but the first smaller."""
    first, *others = cell.split("\n")
    small = "".join(
        f'<br><span style="opacity:.7;font-size:.85em;white-space:nowrap">{escape(line)}</span>'
        for line in others
    )
    return escape(first) + small


def _lines(cells: Sequence[str]) -> list[list[str]]:
    """The cells of each line of text."""
    parts = [cell.split("\n") for cell in cells]
    height = max(map(len, parts))
    return [[part[i] if i < len(part) else "" for part in parts] for i in range(height)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first.ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join(padded)


# Numbers as text


def number(value: float, decimals: int = 3) -> str:
    """A number with `decimals`, "inf", or "-" where there is none; no minus before zero."""
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    if abs(value) >= 1e4:  # an estimate of nothing: its digits would only widen the table
        return f"{value:.0e}"
    return f"{value + 0.0:.{decimals}f}" if round(value, decimals) else f"{0:.{decimals}f}"


def p_text(p_value: float) -> str:
    """A p-value of three decimals, "<.001" below."""
    if np.isnan(p_value):
        return "-"
    return "<.001" if p_value < 0.0005 else f"{p_value:.3f}".lstrip("0") if p_value < 1 else "1"


def count(n: int) -> str:
    """1,797."""
    return f"{n:,}"


def plural(n: int, word: str) -> str:
    """1 row, 2 rows, 3 classes."""
    return (
        f"{count(n)} {word}" if n == 1 else f"{count(n)} {word}{'es' if word[-1] == 's' else 's'}"
    )


def import_pandas(method: str) -> Any:
    """Return pandas, or say what to install."""
    try:
        import pandas
    except ImportError:
        raise ImportError(
            f"{method} needs pandas: install it, or sksoftmax with the extra: "
            'pip install "sksoftmax[pandas]".'
        ) from None
    return pandas
