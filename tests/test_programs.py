"""Compiled programs: made once, no more of them than a process can hold, and the same results without."""

import gc
import math
import mmap
import weakref
from pathlib import Path

import numpy as np
import pytest
from cachetools import LRUCache
from sklearn.exceptions import ConvergenceWarning
from tensorflow.python.framework.func_graph import FuncGraph

from mlpnb import KERAS_1, KERAS_2, MATCHED, KerasMLPRegressor, Settings, load_data, programs, training

QUICK = Settings(max_iter=3, dtype="float64")


@pytest.fixture(scope="module")
def data():
    return load_data("friedman1")


@pytest.fixture
def fresh(monkeypatch):
    """As at the start of a process, but for what XLA holds."""
    monkeypatch.setattr(programs, "_compiled", {})
    monkeypatch.setattr(programs, "_others", LRUCache(math.inf))
    return monkeypatch


def train(data, units, **changes):
    settings = QUICK.replace(hidden_layer_sizes=(units,), **changes)
    return training.train(data, [(settings, recipe) for recipe in (KERAS_1, KERAS_2, MATCHED)])


def fit(data, units):
    with pytest.warns(ConvergenceWarning):
        KerasMLPRegressor(hidden_layer_sizes=(units,), max_iter=12, tol=0, n_iter_no_change=20).fit(
            data.X_train, data.y_train
        )


def graphs():
    gc.collect()
    return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())


@pytest.mark.parametrize(
    ("changes", "rounding"),
    [
        ({}, 1e-12),
        ({"dtype": "float32"}, 1e-4),
        ({"nesterovs_momentum": False, "activation": "relu"}, 1e-12),
        ({"solver": "adam", "activation": "tanh"}, 1e-12),
    ],
)
def test_without_room_for_another_compiled_program_training_is_equal_all_the_same(data, fresh, changes, rounding):
    changes = changes | {"max_iter": 60}
    compiled = train(data, 5, **changes)
    fresh.setattr(programs, "_compiled", {})
    fresh.setattr(programs, "COMPILED", 0)
    without = train(data, 5, **changes)
    assert not programs._compiled
    assert programs._others
    for one, other in zip(compiled, without, strict=True):
        for a, b in zip((*one.coefs, *one.intercepts), (*other.coefs, *other.intercepts), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=rounding * np.abs(b).max())
        np.testing.assert_allclose(one.loss_curve, other.loss_curve, rtol=rounding)


def test_step_by_step_and_curvature_go_without_too(data, fresh):
    settings = QUICK.replace(hidden_layer_sizes=(4,))

    def seen():
        steps = training.trace(data, settings, MATCHED, lambda step: step.loss)
        (trained,) = training.train(data, [(settings, MATCHED)])
        return [*steps, training.largest_curvature(data, settings, MATCHED, trained.coefs, trained.intercepts)]

    compiled = seen()
    fresh.setattr(programs, "_compiled", {})
    fresh.setattr(programs, "COMPILED", 0)
    np.testing.assert_allclose(seen(), compiled, rtol=1e-11)


@pytest.mark.parametrize("work", [train, fit])
def test_the_first_are_compiled_and_stay_and_of_later_ones_the_last(data, fresh, work):
    fresh.setattr(programs, "COMPILED", 2)
    fresh.setattr(programs, "NOT_COMPILED", 2)
    for units in (2, 3, 4, 5, 6, 7):
        work(data, units)
    first = dict(programs._compiled)
    later = dict(programs._others)
    assert len(first) == len(later) == 2
    for units in (7, 2, 6, 3):
        work(data, units)
    assert programs._compiled == first
    assert dict(programs._others) == later


@pytest.mark.parametrize("work", [train, fit])
def test_what_is_forgotten_is_freed(data, fresh, work):
    """Keras's optimizer would keep the graph of every program alive, by a sum over replicas."""
    fresh.setattr(programs, "COMPILED", 0)
    fresh.setattr(programs, "NOT_COMPILED", 1)
    work(data, 2)
    work(data, 3)
    before = graphs()
    (program,) = map(weakref.ref, programs._others.values())
    for units in range(4, 9):
        work(data, units)
    assert graphs() == before
    assert program() is None


def test_half_of_what_linux_lets_a_process_map_is_left_to_others(fresh):
    setting = Path("/proc/sys/vm/max_map_count")
    if not setting.exists() or int(setting.read_text()) > 100_000:
        pytest.skip("only where a process may map little")
    assert programs.may_compile()
    # of turning protection, since Linux makes one of neighbours that are alike
    protections = mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE
    held = [mmap.mmap(-1, mmap.PAGESIZE, prot=protections[n % 2]) for n in range(int(setting.read_text()) // 2)]
    assert not programs.may_compile()
    for piece in held:
        piece.close()
    assert programs.may_compile()
