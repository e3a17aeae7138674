"""Each right-hand side of "coming from another library" runs."""

import doctest
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "migrating.rst"
ROW = re.compile(r"^   \* - (.*)\n     - (.*)$", re.M)


def sections():
    """(title, text) of each section that has a table."""
    if not PAGE.exists():  # the wheel is tested with the pages beside it, an sdist alone without
        return
    parts = re.split(r"^(.+)\n-{4,}\n", PAGE.read_text(), flags=re.M)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


SECTIONS = dict(sections())


def names_before(title):
    """What the examples of this page have defined when the section begins its table."""
    names = {"np": np}
    for other, text in SECTIONS.items():
        for example in doctest.DocTestParser().get_examples(text):
            exec(example.source, names)  # the page is ours
        if other == title:
            return names
    raise KeyError(title)


@pytest.mark.parametrize("title", SECTIONS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_you_write_now_runs(title):
    rows = ROW.findall(SECTIONS[title])
    assert len(rows) > 2, "a table of two columns, its heads first"
    names = names_before(title)
    for _, now in rows[1:]:
        code = re.match(r"``(.+?)``", now)
        assert code, f"{now}: begins with code"
        with warnings.catch_warnings():
            exec(code[1], dict(names))


def test_every_row_has_two_columns():
    for text in SECTIONS.values():
        assert len(ROW.findall(text)) == text.count("   * - ")
