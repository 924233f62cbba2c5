"""The question's grid: what stands where, and the question's own answer in it."""

import time

import numpy as np
import pandas as pd
import pytest

from mlpnb import (
    KERAS_1,
    KERAS_2,
    MATCHED,
    SKLEARN,
    Fit,
    InputError,
    NotFitted,
    Settings,
    fit_grid,
    load_data,
    weight_difference,
)
from mlpnb.fit import fit_keras, fit_sklearn

COLUMNS = ["scikit-learn", "Keras 1", "Keras 2"]
QUICK = Settings(max_iter=10)


@pytest.fixture(scope="module")
def friedman1():
    return load_data("friedman1")


@pytest.fixture(scope="module")
def grid(friedman1):
    """The question as asked."""
    return fit_grid(friedman1)


@pytest.fixture(scope="module")
def diverged():
    """A grid in which Keras diverges and scikit-learn does not: diabetes, identity, alpha 1."""
    return fit_grid(load_data("diabetes"), Settings(activation="identity", random_state=16))


def assert_same_bits(one, other):
    for a, b in zip((*one.coefs, *one.intercepts), (*other.coefs, *other.intercepts), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.prediction, other.prediction)
    np.testing.assert_array_equal(one.loss_curve, other.loss_curve)


def test_rows_are_without_and_with_the_penalty_and_columns_are_the_recipes(grid):
    assert grid.alphas == (0.0, 1.0)
    assert [recipe.name for recipe in grid.recipes] == COLUMNS
    assert [len(row) for row in grid.fits] == [3, 3]
    for row, alpha in enumerate(grid.alphas):
        for column, recipe in enumerate(grid.recipes):
            fit = grid[row, column]
            assert fit.recipe is recipe
            assert fit.settings == Settings(alpha=alpha)
            assert grid[row, recipe.name] is fit
    assert grid[-1, -1] is grid[1, "Keras 2"]


def test_the_grids_fits_are_those_of_the_libraries_alone(grid, friedman1):
    """Trained at the same time in two threads, yet not a bit other than one after the other."""
    for row, alpha in enumerate(grid.alphas):
        settings = Settings(alpha=alpha)
        assert_same_bits(grid[row, 0], fit_sklearn(friedman1, settings, SKLEARN))
        for column, fit in enumerate(fit_keras(friedman1, [settings] * 2, [KERAS_1, KERAS_2]), start=1):
            assert_same_bits(grid[row, column], fit)


def test_columns_come_in_the_order_they_are_asked_for(friedman1):
    recipes = (KERAS_2, SKLEARN, MATCHED)
    grid = fit_grid(friedman1, QUICK, recipes)
    assert [fit.recipe for fit in grid.fits[1]] == list(recipes)
    assert list(grid.to_frame()["column"]) == ["Keras 2", "scikit-learn", "Keras matched"] * 2


@pytest.mark.parametrize("recipes", [(SKLEARN,), (KERAS_1,)], ids=lambda recipes: recipes[0].name)
def test_one_library_alone_makes_a_grid(friedman1, recipes):
    grid = fit_grid(friedman1, QUICK, recipes)
    assert [[fit.recipe for fit in row] for row in grid.fits] == [list(recipes)] * 2


@pytest.mark.parametrize("seed", range(5))
def test_the_questions_answer_holds_for_every_seed(friedman1, seed):
    """With the penalty scikit-learn is best and Keras 2 worst by far; without it there is little between them.

    Keras's penalty is not divided by the rows, so it is the stronger the more kernels it is put on.
    """
    grid = fit_grid(friedman1, Settings(random_state=seed))
    without, with_penalty = ([fit.r2 for fit in row] for row in grid.fits)
    assert max(without) - min(without) < 0.05
    sklearn, keras_1, keras_2 = with_penalty
    assert sklearn > keras_1 > keras_2
    assert sklearn - keras_2 > 0.15
    assert without[0] - sklearn < 0.01  # the same alpha hardly moves scikit-learn


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_a_matched_column_is_scikit_learns(friedman1, activation):
    """The fourth column answers the question: Keras with scikit-learn's recipe is scikit-learn."""
    grid = fit_grid(friedman1, Settings(activation=activation), (SKLEARN, KERAS_1, KERAS_2, MATCHED))
    for row in range(2):
        own, keras_1, _, matched = grid.fits[row]
        assert weight_difference(matched, own) < 1e-10
        assert matched.r2 == pytest.approx(own.r2, abs=1e-10)
        assert matched.n_iter == own.n_iter
        assert weight_difference(keras_1, own) > 0.1
    text = grid.agreement()
    assert text.count("\n") == 5  # a line a row for each of the three Keras columns
    assert "Keras matched differs from scikit-learn's by more than" in text


def test_without_a_penalty_the_rows_are_equal(friedman1):
    grid = fit_grid(friedman1, QUICK.replace(alpha=0))
    assert grid.alphas == (0.0, 0.0)
    for above, below in zip(*grid.fits, strict=True):
        assert_same_bits(above, below)
    assert len(grid.to_frame()) == 6
    assert list(grid.predictions()) == ["truth", *(f"{name}, alpha 0" for name in COLUMNS)]


def test_two_processes_give_the_same_bits_as_one(friedman1):
    one, two = (fit_grid(friedman1, QUICK, n_jobs=n_jobs) for n_jobs in (1, 2))
    for a, b in zip(sum(one.fits, ()), sum(two.fits, ()), strict=True):
        assert_same_bits(a, b)


def test_the_table_holds_the_scores_a_row_a_panel(grid):
    frame = grid.to_frame()
    assert list(frame) == ["alpha", "column", "R²", "RMSE [target units]", "epochs", "diverged at epoch", "note"]
    assert list(zip(frame["alpha"], frame["column"], strict=True)) == [(a, c) for a in (0.0, 1.0) for c in COLUMNS]
    fits = sum(grid.fits, ())
    assert list(frame["R²"]) == [fit.r2 for fit in fits]
    assert list(frame["RMSE [target units]"]) == [fit.rmse for fit in fits]
    assert list(frame["epochs"]) == [200] * 6
    assert frame["diverged at epoch"].isna().all()
    assert set(frame["note"]) == {""}


def test_the_predictions_stand_beside_the_truth(grid, friedman1):
    frame = grid.predictions()
    np.testing.assert_array_equal(frame["truth"], friedman1.y_test)
    assert len(frame.columns) == 7
    for row, alpha in ((0, "0"), (1, "1")):
        for name in COLUMNS:
            np.testing.assert_array_equal(frame[f"{name}, alpha {alpha}"], grid[row, name].prediction)


def test_the_grid_in_words_tells_every_panel(grid):
    text = grid.describe()
    assert "friedman1" in text
    assert "logistic" in text
    assert "float32" in text
    for row, alpha in ((0, "0"), (1, "1")):
        for name in COLUMNS:
            assert f"{name} at alpha {alpha}: R² {grid[row, name].r2:.3f}" in text
    assert repr(grid) == text


def test_the_remarks_rank_the_columns(grid):
    r2 = {name: f"{name} {grid[1, name].r2:.3f}" for name in COLUMNS}
    lines = grid.remarks().splitlines()
    assert any(", ".join(r2[name] for name in COLUMNS) in line for line in lines)
    moved = [line for line in lines if "moves by" in line]
    assert len(moved) == 3
    assert f"−{grid[0, 2].r2 - grid[1, 2].r2:.3f}" in moved[2]


def test_a_column_that_diverged_says_so_everywhere(diverged):
    """No NaN stands for a score, and no score is told that there is not."""
    fit = diverged[1, "Keras 2"]
    assert fit.diverged_at is not None
    frame = diverged.to_frame()
    assert frame["diverged at epoch"].iloc[5] == fit.diverged_at
    assert frame["diverged at epoch"].isna().tolist()[3]  # scikit-learn
    assert np.isnan(frame["R²"].iloc[5])
    for text in (diverged.describe(), diverged.remarks()):
        assert f"Keras 2 at alpha 1: diverged at epoch {fit.diverged_at}" in text or (
            f"alpha = 1, Keras 2: diverged at epoch {fit.diverged_at}" in text
        )
        assert "nan" not in text
    agreement = diverged.agreement()
    assert "nan" not in agreement
    assert f"Keras 2: diverged at epoch {fit.diverged_at}" in agreement


def test_a_column_that_is_not_there_is_named_with_those_that_are(diverged):
    with pytest.raises(InputError, match=r"column 'Keras' is not known: choose one of scikit-learn, Keras 1, Keras 2"):
        diverged[0, "Keras"]


def test_the_table_holds_numbers_also_where_nothing_was_fitted(friedman1):
    frame = fit_grid(friedman1, QUICK.replace(activation="softplus"), [SKLEARN]).to_frame()
    assert frame["R²"].dtype == frame["RMSE [target units]"].dtype == float


def test_softplus_leaves_scikit_learns_panels_empty_and_says_why(friedman1):
    grid = fit_grid(friedman1, QUICK.replace(activation="softplus"))
    for row in range(2):
        assert isinstance(grid[row, 0], NotFitted)
        assert isinstance(grid[row, 1], Fit)
        assert isinstance(grid[row, 2], Fit)
    frame = grid.to_frame()
    assert frame.loc[frame["column"] == "scikit-learn", "note"].str.contains("no softplus").all()
    assert frame["R²"].isna().tolist() == [True, False, False] * 2
    assert frame["epochs"].isna().tolist() == [True, False, False] * 2
    assert frame["R²"].dtype == float
    assert frame["epochs"].dtype == pd.Int64Dtype()
    assert "no softplus" in grid.describe()
    assert "no softplus" in grid.remarks()
    assert not any(name.startswith("scikit-learn") for name in grid.predictions())


@pytest.mark.parametrize(
    ("settings", "recipes", "message"),
    [
        (QUICK, (), "one or more"),
        (QUICK, (KERAS_1, KERAS_1), "own name"),
        (QUICK, (SKLEARN, MATCHED.replace(name="scikit-learn")), "own name"),
        (QUICK.replace(batch_size=751), (SKLEARN, KERAS_1), "above the 750 training rows"),
    ],
    ids=["no column", "a column twice", "two of a name", "too large a batch"],
)
def test_what_cannot_be_a_grid_is_refused_before_training(friedman1, monkeypatch, settings, recipes, message):
    monkeypatch.setattr("mlpnb.grid.fit_keras", lambda *args: pytest.fail("trained by Keras"))
    monkeypatch.setattr("mlpnb.grid.fit_sklearn", lambda *args: pytest.fail("trained by scikit-learn"))
    with pytest.raises(InputError, match=message):
        fit_grid(friedman1, settings, recipes)


def test_an_error_in_one_library_ends_the_others_training(friedman1, monkeypatch):
    """It comes through, and nobody waits for a column that will not be shown: ten seconds of Keras are left."""
    reached = []

    def fail(*args):
        raise RuntimeError("scikit-learn failed")

    def train(data, settings, recipes, watch):
        for epoch in range(1000):
            reached.append(epoch)
            watch(epoch)
            time.sleep(0.01)

    monkeypatch.setattr("mlpnb.grid.fit_sklearn", fail)
    monkeypatch.setattr("mlpnb.grid.fit_keras", train)
    with pytest.raises(RuntimeError, match="scikit-learn failed"):
        fit_grid(friedman1, QUICK)
    assert len(reached) < 500
