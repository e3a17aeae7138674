"""Tables: how a part hands over what it measured, and how docs/performance.md is kept."""

import io
import os
import platform
import re
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
PEERS = (
    *("sksoftmax", "numpy", "scipy", "scikit-learn", "onnxruntime"),
    *("lightgbm", "xgboost-cpu", "catboost", "netcal", "probmetrics"),
    *("modAL-python", "scikit-activeml"),
)
HEADING = """# Performance

Every table below was written by `make bench`; each names the command that repeats it, the machine
and the versions. Tools take turns in one process (A B A B), times are medians where a table does
not say otherwise, and no time is compared before the answers agree. A ratio carries its target and
whether it was met.
"""


@dataclass(frozen=True)
class Ratio:
    """How much longer a peer takes (or we do), and the promise about it if there is one."""

    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self):
        """True or False, or None where nothing was promised."""
        if self.at_least is not None:
            return bool(self.value >= self.at_least)
        return None if self.at_most is None else bool(self.value <= self.at_most)

    def __str__(self):
        if self.met is None:
            return f"{self.value:.2f}x"
        promise = f">= {self.at_least:g}" if self.at_most is None else f"<= {self.at_most:g}"
        return f"{self.value:.2f}x ({promise}: {'met' if self.met else 'SHORT'})"


@dataclass
class Table:
    """What one process of a part measured; cells are strings or `Ratio`."""

    columns: list
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    found: dict = field(default_factory=dict)  # for the next thread setting
    environment: dict = field(default_factory=dict)
    n_met: int = 0
    n_promised: int = 0

    def add(self, *cells):
        """Append a row and count the promises in it."""
        promises = [cell.met for cell in cells if isinstance(cell, Ratio) and cell.met is not None]
        self.n_met += sum(promises)
        self.n_promised += len(promises)
        self.rows.append([str(cell) for cell in cells])

    def to_dict(self):
        """JSON-able, for the way from the measuring process to the writing one."""
        return asdict(self)

    def markdown(self):
        """The table with its columns aligned, so that it reads well in a terminal too."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        rule = ["-" * width for width in widths]
        padded = [
            " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            for line in [self.columns, rule, *self.rows]
        ]
        return "\n".join(f"| {line} |" for line in padded)


def environment():
    """The machine, the versions and the kernel of this process."""
    import sksoftmax

    with redirect_stdout(io.StringIO()) as shown:
        sksoftmax.show_kernel()
    return {
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, "
        f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(
            [f"Python {platform.python_version()}"]
            + [f"{peer} {_version(peer)}" for peer in PEERS if _version(peer)]
        ),
        "kernel": ", ".join(
            re.sub(r"\s+", " ", line) for line in shown.getvalue().splitlines()[1:]
        ),
    }


def _version(distribution):
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor():
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown processor"
    names = re.findall(r"^model name\s*: (.*)$", info, re.M)
    models = re.findall(r"^model\s*: (.*)$", info, re.M)
    return f"{names[0]} (model {models[0]})" if names and models else platform.machine()


def section(name, title, what, tables, options=""):
    """The section of one part: `tables` maps a number of threads to its `Table`."""
    about = next(iter(tables.values())).environment
    lines = [f"## {title}", "", what, ""]
    for n_threads, table in tables.items():
        lines += [f"**{_threads(n_threads)}**", "", table.markdown(), ""]
        lines += [f"- {note}" for note in table.notes] + [""] * bool(table.notes)
    lines += [
        f"Measured {date.today().isoformat()} with `make bench ONLY={name}{options}`.",
        f"Machine: {about['machine']}.",
        f"Versions: {about['versions']}.",
        f"Native code: {about['kernel']}.",
    ]
    return "\n".join(lines)


def _threads(n_threads):
    return "1 thread each" if n_threads == 1 else f"{n_threads} threads each"


def write(name, text, parts, page=PAGE):
    """Replace the section `name` of `page`, in the order of `parts`; leave the others alone."""
    old = page.read_text() if page.exists() else ""
    sections = {part: _find(part, old) for part in parts} | {name: text}
    marked = [
        f"<!-- begin {part} -->\n{body}\n<!-- end {part} -->\n"
        for part, body in sections.items()
        if body
    ]
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n".join([HEADING, *marked]))


def _find(part, text):
    found = re.search(rf"<!-- begin {part} -->\n(.*?)\n<!-- end {part} -->", text, re.S)
    return found and found[1]
