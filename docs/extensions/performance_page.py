"""What docs/performance.md shows beyond its tables: a picture per table, and where we lose.

Both are read off the tables at build time, so they cannot say anything else.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

SECTION = re.compile(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", re.S)
TABLE = re.compile(r"\*\*(.+?)\*\*\n\n((?:\|.*\|\n)+)")
RATIO = re.compile(r"([\d.]+)x(?: \((>=|<=) ([\d.]+): (met|SHORT)\))?$")
FLOORS = {"copy", "sum"}  # bounds, not tools that one could use instead


@dataclass
class Comparison:
    """One cell of a table: how many times faster we are than a tool, and whether as promised."""

    row: str
    against: str
    faster: float
    cell: str
    short: bool


def comparisons(table):
    """The comparisons in a table, row by row; ratios to a floor are left out."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|\n").split(" | ")] for line in table.splitlines()
    ]
    for cells in rows:
        label = " ".join(cell for cell in cells[: _first_number(rows)] if cell not in ("", "-"))
        for column, cell in zip(head, cells, strict=True):
            names = column.split(" / ")
            if len(names) != 2 or FLOORS & set(names):
                continue
            found = RATIO.match(cell)
            if not found or float(found[1]) == 0:
                if "SHORT" in cell:
                    yield Comparison(label, names[0], math.nan, f"{column} {cell}", short=True)
                continue
            ours_first = names[0] == "ours"
            ratio = float(found[1])
            yield Comparison(
                row=label,
                against=names[1] if ours_first else names[0],
                faster=1 / ratio if ours_first else ratio,
                cell=f"{column} {cell}",
                short=found[4] == "SHORT",
            )


def _first_number(rows):
    """The first column that holds a measurement: what stands before names the row."""
    number = re.compile(r"-?[\d.]+(e[-+]\d+)?x?( |$)|[\d,]+$|-$|not ")
    for column in range(len(rows[0])):
        if all(number.match(row[column]) for row in rows):
            return max(column, 1)
    return 1


def losses(text):
    """A list, in Markdown, of what is slower than a peer or short of its promise."""
    lines = []
    for _, body in SECTION.findall(text):
        title = re.search(r"^## (.*)$", body, re.M)[1]
        for threads, table in TABLE.findall(body):
            where = f"- [{title}](#{_anchor(title)}), {threads}"
            lines += [
                f"{where}, {c.row}: {c.cell.replace('SHORT', 'short')}"
                for c in comparisons(table)
                if c.short or c.faster < 1
            ]
    if not lines:
        return ""
    return (
        "## Where we lose\n\nEvery ratio on this page that is short of its target, or in which the "
        "other tool is faster.\n\n" + "\n".join(lines) + "\n\n"
    )


def _anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


def with_pictures(text, folder):
    """The page with a picture after each table that compares."""

    def section(found):
        name, body = found[1], found[2]
        number = iter(range(1, 100))

        def table(match):
            compared = [c for c in comparisons(match[2]) if not math.isnan(c.faster)]
            if not compared:
                return match[0]
            path = folder / f"{name}-{next(number)}.svg"
            draw(compared, path)
            alt = f"Bars: times faster than each peer, {match[1]}"
            return f"{match[0]}\n![{alt}](generated/performance/{path.name})\n"

        return TABLE.sub(table, body)

    return SECTION.sub(section, text)


def draw(compared, path):
    """Horizontal bars on a log scale from 1, as fast as the peer; to the right we are faster."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tools = list(dict.fromkeys(c.against for c in compared))
    colors = dict(zip(tools, plt.get_cmap("tab10").colors, strict=False))
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.28 * len(compared)), layout="constrained")
    seen = set()
    for i, c in enumerate(compared):
        axes.barh(
            i,
            c.faster - 1,
            left=1,
            height=0.75,
            color=colors[c.against],
            alpha=0.45 if c.short else 0.95,
            label=None if c.against in seen else f"faster than {c.against}",
        )
        seen.add(c.against)
        right = c.faster >= 1
        axes.annotate(
            f"{c.faster:.3g}x",
            (c.faster, i),
            xytext=(4 if right else -4, 0),
            textcoords="offset points",
            va="center",
            ha="left" if right else "right",
            fontsize=8,
        )
    axes.set_yticks(range(len(compared)), [c.row for c in compared], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    low, high = min(c.faster for c in compared), max(c.faster for c in compared)
    axes.set_xlim(min(0.8, low / 1.6), max(2.0, high * 1.8))
    axes.axvline(1, color="0.3", linewidth=1)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x")
    axes.minorticks_off()
    peer = tools[0] if len(tools) == 1 and tools != ["tool"] else "the peer"
    pale = " (pale: short of the target)" if any(c.short for c in compared) else ""
    axes.set_xlabel(f"times faster than {peer}{pale}", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if len(tools) > 1:
        figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def add_to_page(app, docname, source):
    """Sphinx hands the text of each page; ours is one of them."""
    if docname != "performance":
        return
    text = source[0]
    head, rest = text.split("<!-- begin", 1) if "<!-- begin" in text else (text, "")
    lost = losses(text)
    folder = Path(app.srcdir, "generated", "performance")
    source[0] = head + lost + with_pictures("<!-- begin" + rest if rest else "", folder)


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", add_to_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
