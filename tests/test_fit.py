"""One fit: scikit-learn's is `MLPRegressor` to the bit, and divergence, a missing activation or being left are told."""

import importlib.util
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.neural_network import MLPRegressor

import mlpnb
from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, Data, Fit, InputError, NotFitted, Settings, load_data
from mlpnb.fit import SKLEARN_ACTIVATIONS, fit_keras, fit_sklearn, load_training

LIBRARIES = ("scikit-learn", "Keras")


@pytest.fixture(scope="module")
def diabetes():
    return load_data("diabetes")


def fit(library, data, settings, watch=None):
    if library == "scikit-learn":
        return fit_sklearn(data, settings, SKLEARN, watch)
    return fit_keras(data, [settings], [KERAS_2], watch)[0]


def assert_same_bits(fit, regressor):
    for ours, own in zip(fit.coefs + fit.intercepts, regressor.coefs_ + regressor.intercepts_, strict=True):
        assert ours.dtype == own.dtype
        np.testing.assert_array_equal(ours, own)
    np.testing.assert_array_equal(fit.loss_curve, regressor.loss_curve_)
    assert fit.n_iter == regressor.n_iter_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the plain fit's own
@pytest.mark.parametrize("watch", [None, lambda epoch: None], ids=["alone", "watched"])
@pytest.mark.parametrize(
    "changes",
    [
        *({"activation": activation} for activation in SKLEARN_ACTIVATIONS),
        {"hidden_layer_sizes": (), "batch_size": 50},
        {"hidden_layer_sizes": (7, 3), "momentum": 0.5, "nesterovs_momentum": False, "alpha": 0.0},
        {"learning_rate_init": 1e-4, "random_state": 2**32 - 1, "alpha": 30},
    ],
    ids=str,
)
def test_scikit_learns_fit_is_a_plain_mlpregressor_bit_for_bit(diabetes, changes, watch):
    """Watched or not, and the global random state plays no part."""
    settings = Settings(max_iter=40).replace(**changes)
    arguments = {"max_iter": 40, "alpha": 1.0, "activation": "logistic", "hidden_layer_sizes": (10,), **changes}
    plain = MLPRegressor(solver="sgd", **{"random_state": 0, **arguments}).fit(diabetes.X_train, diabetes.y_train)
    ours = fit_sklearn(diabetes, settings, SKLEARN, watch)
    assert_same_bits(ours, plain)
    np.testing.assert_array_equal(ours.prediction, plain.predict(diabetes.X_test))
    assert ours.r2 == pytest.approx(plain.score(diabetes.X_test, diabetes.y_test))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_questions_default_settings_are_scikit_learns_defaults():
    """What `Settings` leaves to its defaults is what `MLPRegressor` does by itself, but for alpha and the question."""
    data = load_data("friedman1")
    plain = MLPRegressor(hidden_layer_sizes=(10,), activation="logistic", solver="sgd", alpha=1.0, random_state=0).fit(
        data.X_train, data.y_train
    )
    assert_same_bits(fit_sklearn(data, Settings(), SKLEARN), plain)


@pytest.mark.parametrize("library", LIBRARIES)
def test_float32_data_are_fitted_in_float32(diabetes, library):
    arrays = (a.astype(np.float32) for a in (diabetes.X_train, diabetes.X_test, diabetes.y_train, diabetes.y_test))
    data = Data(*arrays, diabetes.feature_names, diabetes.target_name, "float32")
    result = fit(library, data, Settings(max_iter=5))
    assert {array.dtype for array in (*result.coefs, *result.intercepts, result.prediction)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_scores_are_those_of_the_prediction_on_the_test_part(diabetes, library):
    result = fit(library, diabetes, Settings(activation="relu", max_iter=50))
    assert result.diverged_at is None
    assert result.n_iter == len(result.loss_curve) == 50
    assert result.prediction.shape == diabetes.y_test.shape
    assert result.r2 == pytest.approx(r2_score(diabetes.y_test, result.prediction))
    assert result.rmse == pytest.approx(root_mean_squared_error(diabetes.y_test, result.prediction))
    assert result.seconds > 0
    assert f"R² {result.r2:.3f} after 50 epochs" in repr(result)


def test_scikit_learn_has_no_softplus_and_the_panel_says_so(diabetes):
    settings = Settings(activation="softplus", max_iter=5)
    missing = fit_sklearn(diabetes, settings, SKLEARN)
    assert isinstance(missing, NotFitted)
    assert "softplus" in missing.reason
    assert "MLPRegressor" in missing.reason
    assert isinstance(fit("Keras", diabetes, settings), Fit)


@pytest.mark.parametrize("learning_rate", [0.01, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_fit_that_diverges_is_a_fit_that_says_when(diabetes, library, dtype, learning_rate):
    """Not an error: scikit-learn raises one at the end of such a fit, Keras goes on in silence. Both columns tell."""
    settings = Settings(activation="identity", learning_rate_init=learning_rate, dtype=dtype)
    result = fit(library, diabetes, settings)
    assert isinstance(result, Fit)
    assert 1 < result.diverged_at < 10
    assert np.isfinite(result.loss_curve[: result.diverged_at - 1]).all()
    assert not np.isfinite(result.loss_curve[result.diverged_at - 1])
    assert not np.isfinite(result.coefs[0]).all()
    assert np.isnan([result.r2, result.rmse]).all()
    assert f"diverged at epoch {result.diverged_at}" in repr(result)


def test_scikit_learn_itself_ends_such_a_fit_with_an_error(diabetes):
    """The premise of the test above; should a later scikit-learn return instead, `fit_sklearn` is to be looked at."""
    regressor = MLPRegressor(
        hidden_layer_sizes=(10,), activation="identity", solver="sgd", learning_rate_init=1.0, random_state=0
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="non-finite parameter weights"):
            regressor.fit(diabetes.X_train, diabetes.y_train)


def test_other_errors_of_scikit_learn_are_not_taken_for_divergence(diabetes, monkeypatch):
    def fail(self, X, y):
        raise ValueError("something else")

    monkeypatch.setattr(MLPRegressor, "fit", fail)
    with pytest.raises(ValueError, match="something else"):
        fit_sklearn(diabetes, Settings(), SKLEARN)


def test_the_questions_nan_keras_diverges_where_scikit_learn_trains(diabetes):
    """diabetes, identity, alpha 1: one in twenty seeds; with scikit-learn's recipe, Keras trains there too."""
    settings = Settings(activation="identity", random_state=16)
    keras_1, keras_2, matched = fit_keras(diabetes, [settings] * 3, [KERAS_1, KERAS_2, MATCHED])
    assert keras_1.diverged_at is not None
    assert keras_2.diverged_at is not None
    for trained in (fit_sklearn(diabetes, settings, SKLEARN), matched):
        assert trained.diverged_at is None
        assert trained.r2 > 0.3


def test_at_twice_the_learning_rate_keras_diverges_for_every_seed_and_scikit_learn_for_none(diabetes):
    """The gradient that Keras follows is twice as steep, so it leaves the stable learning rates at half of them."""
    cells = [Settings(activation="identity", learning_rate_init=0.002, random_state=seed) for seed in range(5)]
    assert all(fit.diverged_at is not None for fit in fit_keras(diabetes, cells, [KERAS_2] * 5))
    assert all(fit_sklearn(diabetes, settings, SKLEARN).diverged_at is None for settings in cells)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("learning_rate", [1e-3, 1.0])
def test_no_warning_reaches_the_notebook(diabetes, library, learning_rate):
    """Neither of not having converged nor of overflow: what there is to know stands in the `Fit`."""
    settings = Settings(activation="identity", learning_rate_init=learning_rate, max_iter=5)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        fit(library, diabetes, settings)
    assert [str(warning.message) for warning in caught] == []


class Left(Exception):
    """What a widget raises to leave a fit that nobody waits for any more."""


def test_scikit_learns_fit_is_watched_epoch_by_epoch(diabetes):
    epochs = []
    result = fit_sklearn(diabetes, Settings(activation="identity"), SKLEARN, epochs.append)
    assert result.n_iter < 200  # it stops by itself
    assert epochs == list(range(result.n_iter))


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_watch_raises_ends_the_fit(diabetes, library):
    """Within 50 epochs of a fit that would train 100,000, and comes through as it was raised."""
    epochs = []

    def watch(epoch):
        epochs.append(epoch)
        if epoch >= 100:
            raise Left

    with pytest.raises(Left):
        fit(library, diabetes, Settings(max_iter=100_000 if library == "scikit-learn" else 1000), watch)
    assert 100 <= epochs[-1] < 150


def test_cells_of_one_call_are_the_fits_of_their_settings_and_recipes(diabetes):
    cells = [(Settings(max_iter=3), KERAS_2), (Settings(max_iter=5, alpha=0), MATCHED), (Settings(max_iter=4), KERAS_1)]
    fits = fit_keras(diabetes, *zip(*cells, strict=True))
    assert [(fit.settings, fit.recipe) for fit in fits] == cells
    assert [fit.n_iter for fit in fits] == [3, 5, 4]
    with pytest.raises(ValueError, match="shorter"):
        fit_keras(diabetes, [Settings()] * 2, [KERAS_1])


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_batch_of_more_rows_than_there_are_is_refused(diabetes, library):
    """scikit-learn would clip it with a warning, and the columns would be trained with different batches."""
    with pytest.raises(InputError, match=r"batch_size is 332, above the 331 training rows"):
        fit(library, diabetes, Settings(batch_size=332))


def test_without_tensorflow_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as Python marks what can't be imported
    monkeypatch.delitem(sys.modules, "mlpnb.training", raising=False)
    monkeypatch.delattr(mlpnb, "training", raising=False)
    with pytest.raises(InputError, match="pip install tensorflow-cpu"):
        load_training()


def test_another_keras_backend_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.delitem(sys.modules, "mlpnb.training", raising=False)
    monkeypatch.delattr(mlpnb, "training", raising=False)
    with pytest.raises(
        InputError, match=r"Keras runs on 'jax', but mlpnb trains on TensorFlow.*KERAS_BACKEND=tensorflow"
    ):
        load_training()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_that_is_not_installed_is_named_with_the_way_back(backend):
    code = (
        "from mlpnb.fit import load_training\ntry:\n    load_training()\nexcept ValueError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    if importlib.util.find_spec(backend) is None:
        assert f"a backend that needs '{backend}', which is not installed" in run.stdout
    assert "KERAS_BACKEND=tensorflow" in run.stdout


@pytest.mark.parametrize("library", LIBRARIES)
def test_ctrl_c_ends_a_fit_and_is_handed_on(diabetes, library):
    """`MLPRegressor` alone would warn and pass the half trained network for a fit."""

    def watch(epoch):
        if epoch >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(library, diabetes, Settings(), watch)


def test_another_threads_warning_filters_do_not_end_a_fit(diabetes):
    """Filters are the whole process's: a thread that leaves its `catch_warnings` undoes those of all others."""
    settings = Settings(max_iter=5)
    expected = fit("scikit-learn", diabetes, settings)
    with warnings.catch_warnings():
        found = fit("scikit-learn", diabetes, settings, lambda epoch: warnings.simplefilter("error"))
    np.testing.assert_array_equal(found.prediction, expected.prediction)


def test_many_shapes_in_a_row_say_nothing_on_stderr():
    """TensorFlow would warn of retracing from the fifth program on."""
    code = (
        "import mlpnb\nfrom mlpnb.fit import fit_keras\ndata = mlpnb.load_data('diabetes')\n"
        "for units in range(1, 9):\n"
        "    fit_keras(data, [mlpnb.Settings(hidden_layer_sizes=(units,), max_iter=1)], [mlpnb.MATCHED])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
