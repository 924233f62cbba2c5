"""Long work in short: what `make soak` measures, over fewer moves and reports."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("soak")


def steady(rows, names):
    """Whether each of these is, in the second half, what it was at the half."""
    half = rows[len(rows) // 2 :]
    return {name: (half[name].iloc[0], half[name].max()) for name in names if half[name].max() > half[name].iloc[0]}


def test_a_kernel_whose_sliders_are_moved_does_not_grow(soak):
    # Few programs are compiled, so that all that are have been made well before the second half.
    rows = soak.slider_moves(150, "from mlpnb import programs; programs.COMPILED = 6; programs.NOT_COMPILED = 4")
    assert rows["number"].iloc[-1] == 150
    assert steady(rows, ["open files", "figures"]) == {}
    assert rows["figures"].max() == 1
    assert rows[list(soak.LEFT_OVER)].iloc[-1].tolist() == [0, 0]


def test_reports_in_sequence_leave_nothing_behind(soak):
    rows = soak.reports(5)
    assert len(rows) == 5
    assert steady(rows, ["open files", "threads", "figures", *soak.LEFT_OVER]) == {}
    assert rows[list(soak.LEFT_OVER)].max().tolist() == [0, 0]
