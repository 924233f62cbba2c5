"""The benchmark of growth: what it computes from its measurements."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("scaling_page")
    for name in ("scaling_page", "trainers"):
        sys.modules.pop(name, None)


def test_an_exponent_is_found_above_the_overhead(page):
    sizes = np.array([1e2, 1e3, 1e4, 1e5, 1e6])
    law = page.growth(sizes, 3e-6 * sizes**1.3)
    assert law.exponent == pytest.approx(1.3)
    assert law.scale == pytest.approx(3e-6)
    assert law.r2 == pytest.approx(1)
    assert law.at(1e8) == pytest.approx(3e-6 * 1e8**1.3)
    overhead = page.growth(sizes, np.maximum(1.0, 3e-5 * sizes))  # all overhead to 10,000 rows
    assert (overhead.first, overhead.last) == (pytest.approx(1e4), pytest.approx(1e6))
    constant = page.growth(sizes, np.full(5, 2.0))
    assert constant.exponent == pytest.approx(0)
    assert constant.first == pytest.approx(1e4)


def test_the_operations_of_a_known_network(page):
    # 3 inputs, 4 hidden units, 2 outputs: products of 12 and 8 multiplications and as many additions
    assert page.flops((3, 4, 2)) == (24 + 16) + (24 + 16) + 16
    assert page.flops((5, 1)) == 20


def test_a_case_is_measured_in_a_process_of_its_own():
    case = {"library": "scikit-learn", "rows": 1000, "features": 5, "hidden": 3}
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "trainers.py"), json.dumps(case)], capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    assert found["data"] == 8 * 1000 * (5 + 1)
    assert 0 < found["later"] < found["ready"]


def test_the_page_says_what_was_measured(page, monkeypatch, tmp_path):
    monkeypatch.setattr(page, "PAGE", tmp_path / "scaling.md")
    (tmp_path / "scaling.md").write_text((BENCHMARKS.parent / "docs" / "scaling.md").read_text())

    def point(library, axis, size):
        setting = {"cells": size} if axis == "cells" else {**page.BASE, axis: size}
        seconds = 1.1e-6 * (size - 10) * (1 if library == "mlpnb" else 3)
        taken = {"ready": 1.0, "first": 2.0, "later": seconds, "data": 800 * size, "beside": 200 * size, "fixed": 1e8}
        return {"library": library, **setting, **taken}

    def worker(library, number):
        seconds = 0.1 * 1.8 ** -(number - 1) * (1 if library == "mlpnb" else 9)
        return {"library": library, "workers": number, "fits": 900, "later": seconds, "data": 0, "beside": 1e9 * number}

    axes = {axis: [point(lib, axis, 10**n) for n in range(2, 7) for lib in page.LIBRARIES] for axis in page.AXES}
    axes["workers"] = [worker(library, number) for library in page.LIBRARIES for number in (1, 2)]
    pieces = {"flops": 1e11, "bandwidth": 1e10, "products": 1e-5, "logistic": 2e-5, "gather": 1e-6}
    results = {
        "axes": axes,
        "roofline": {**pieces, "batch": 9e-5, "identity": 3e-5, "cores": 2},
        "disagreement": {"mlpnb": 1e-16, "Keras": 3e-15, "PyTorch": 1e-17},
    }  # fmt: skip
    page.make_page(results)
    text = (tmp_path / "scaling.md").read_text()
    assert "| rows | mlpnb | 1.00 | 1.000 | 1,000 to 10⁶ |" in text
    assert "| `mlpnb.sweep` | 2 | 900 | 50 s | 18 | 2 GB |" in text
    assert "| workers | Keras | -0.85 | – | 1 to 2 |" in text
    assert "| workers | Keras | 1.00 | – | 1 to 2 |" in text
    for words in (
        "**3 times** as many rows a second",
        "**1.25 times** the data",
        "further off than 10<sup>−14</sup>",
        "are **1.80 times** as fast as one",
        "**9 times** (scikit-learn), **9 times** (Keras), **9 times** (PyTorch) as many fits a second",
        "the 90 % measured from one to two",
        "here most is **the logistic function**",
    ):
        assert words in " ".join(text.split())
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
    page.make_page(results)
    assert (tmp_path / "scaling.md").read_text() == text
