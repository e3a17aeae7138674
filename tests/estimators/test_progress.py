"""verbose: a tqdm bar where tqdm is installed, plain lines elsewhere, and silence by default."""

import sys
import types

import pytest

from sksoftmax import MultinomialLogit


class Bar:
    """Stands for tqdm and remembers what it was told."""

    made: list = []

    def __init__(self, total, desc, unit):
        self.total, self.desc, self.n, self.shown = total, desc, 0, None
        self.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.closed = True

    def set_postfix(self, refresh, **shown):
        self.shown = shown

    def update(self, steps):
        self.n += steps

    def refresh(self):
        pass


@pytest.fixture
def bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    Bar.made = []
    return Bar


def test_silence_is_the_default(three_classes, bar, capfd):
    MultinomialLogit().fit(*three_classes)
    assert not bar.made
    assert capfd.readouterr() == ("", "")


def test_a_bar_counts_the_iterations_and_ends_full(three_classes, bar, capfd):
    model = MultinomialLogit(verbose=1).fit(*three_classes)
    (shown,) = bar.made
    assert shown.desc == "MultinomialLogit"
    assert shown.n == shown.total == model.n_iter_[0]
    assert float(shown.shown["objective"]) == pytest.approx(model.objective_, rel=1e-3)
    assert shown.closed
    assert capfd.readouterr().out == ""


def test_plain_lines_are_printed_without_tqdm(three_classes, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    model = MultinomialLogit(verbose=1).fit(*three_classes)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    assert lines[0].startswith("MultinomialLogit: iteration 1, objective ")
