"""Tables of text, of HTML and of LaTeX: the same cells for the terminal, a notebook, a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

_CELL = 'style="padding:.1em .5em"'
_NAME = 'style="padding:.1em .5em .1em 0;text-align:left;white-space:pre"'


class Row(NamedTuple):
    """The cells of a row: the first is its name; `heading` spans the table, and a row that `begins`
    something new has a rule above it."""

    cells: Sequence[str]
    heading: bool = False
    begins: bool = False


class Table(NamedTuple):
    """A title, names of columns, rows of text, and what stands below; `left` are the columns whose
    cells stand to the left, as names do, and not to the right, as numbers do."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    left: Sequence[int] = (0,)

    def text(self) -> str:
        """For the terminal: numbers to the right, cells of several lines below each other."""
        lines = [line for row in self.rows if not row.heading for line in _lines(row.cells)]
        indent = 2 if any(row.heading for row in self.rows) else 0
        widths = [max(map(len, column)) for column in zip(self.columns, *lines, strict=True)]
        widths[0] = max([widths[0] + indent, *(len(r.cells[0]) for r in self.rows if r.heading)])
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        out = [
            *([self.title, ""] if self.title else []),
            *([self._line(self.columns, widths)] if any(self.columns) else []),
            rule,
        ]
        for row in self.rows:
            out += [rule] * row.begins
            if row.heading:
                out.append(row.cells[0])
                continue
            for first, *others in _lines(row.cells):
                out.append(self._line([" " * indent + first, *others], widths))
        out += [""] * bool(self.notes) + [*self.notes]
        return "\n".join(line.rstrip() for line in out)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        return "  ".join(
            cell.ljust(width) if j in self.left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )

    def html(self) -> str:
        """For notebooks: a table of its own style, every text escaped."""
        head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in self.columns)
        head = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        body = "".join(self._html_row(row) for row in self.rows)
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return (
            '<div style="overflow-x:auto">'
            f'<table style="border-collapse:collapse;text-align:right">'
            f'<caption style="text-align:left;font-weight:bold">{escape(self.title)}</caption>'
            f"{head}<tbody>{body}</tbody></table>"
            f'<div style="opacity:.75;font-size:.9em;margin-top:.4em">{notes}</div></div>'
        )

    def latex(self) -> str:
        """A tabular for the LaTeX package booktabs; the title is a comment above it."""
        out = [f"% {self.title}"] if self.title else []
        sides = "".join("l" if j in self.left else "r" for j in range(len(self.columns)))
        out += [rf"\begin{{tabular}}{{{sides}}}", r"\toprule"]
        if any(self.columns):
            out += [_latex_line(self.columns), r"\midrule"]
        for row in self.rows:
            out += [r"\midrule"] * row.begins
            if row.heading:
                out.append(
                    rf"\multicolumn{{{len(self.columns)}}}{{l}}{{{_latex(row.cells[0])}}} \\"
                )
            else:
                out += [_latex_line(cells) for cells in _lines(row.cells)]
        out.append(r"\bottomrule")
        for note in self.notes:
            out.append(
                rf"\multicolumn{{{len(self.columns)}}}{{l}}{{\footnotesize {_latex(note)}}} \\"
            )
        return "\n".join([*out, r"\end{tabular}"])

    def _html_row(self, row: Row) -> str:
        if row.heading:
            name = escape(row.cells[0])
            return f'<tr><th {_NAME} colspan="{len(self.columns)}">{name}</th></tr>'
        cells = ""
        for j, cell in enumerate(row.cells):
            if j in self.left:
                cells += f"<th {_NAME}>{escape(cell)}</th>"
            else:
                cells += f"<td {_CELL}>{_html_cell(cell)}</td>"
        rule = ' style="border-top:1px solid"' if row.begins else ""
        return f"<tr{rule}>{cells}</tr>"


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        **{sign: "\\" + sign for sign in "&%$#_{}"},
    }
)
_NEGATIVE_NUMBER = re.compile(r"(?<![\w.)-])-(?=[.\d])")


def _latex(cell: str) -> str:
    """Text as LaTeX sets it: signs escaped, the minus of numbers a minus and no hyphen."""
    return _NEGATIVE_NUMBER.sub("$-$", cell.strip().translate(_LATEX))


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


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
