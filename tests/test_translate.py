"""Translations train as scikit-learn does, compute what a fitted estimator computes, and refuse by name."""

import runpy

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from mlpnb import DensePerRow, InputError, KerasMLPRegressor, from_keras, to_keras

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own, when it saves
]

ROUNDING = 1e-10
SMALL = {
    "hidden_layer_sizes": (6, 4), "solver": "sgd", "alpha": 0.3, "activation": "logistic", "random_state": 0,
    "max_iter": 12, "batch_size": 40,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _floatx_is_restored():
    before = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def table(kind="number", n_rows=90, dtype="float64"):
    random = np.random.default_rng(0)
    X = random.normal(size=(n_rows, 4)).astype(dtype)
    y = np.sin(X[:, 0]) + X[:, 1]
    return X, {
        "number": y,
        "numbers": np.column_stack([y, X[:, 2]]),
        "count": random.poisson(np.exp(X[:, 0] / 2)),
        "binary": np.where(y > 0, "yes", "no"),
        "classes": np.digitize(y, [-0.5, 0.5]),
        "labels": (np.column_stack([y, X[:, 2]]) > 0).astype(int),
    }[kind]


def weights_of(estimator):
    return [array for pair in zip(estimator.coefs_, estimator.intercepts_, strict=True) for array in pair]


def apart(weights, expected):
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in zip(weights, expected, strict=True))


KINDS = ["number", "numbers", "binary", "classes", "labels"]


def made(kind, **changes):
    cls = MLPRegressor if kind in ("number", "numbers", "count") else MLPClassifier
    return cls(**SMALL | changes)


def assert_follows(estimator, X, y, rounding=ROUNDING):
    translation = to_keras(estimator, X, y)
    history = translation.model.fit(**translation.fit_arguments, verbose=0)
    estimator.fit(X, y)
    assert len(history.history["loss"]) == estimator.n_iter_
    assert apart(translation.model.get_weights(), weights_of(estimator)) < rounding
    return translation


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_follows(kind, solver):
    assert_follows(made(kind, solver=solver), *table(kind))


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "tanh"},
        {"activation": "relu", "hidden_layer_sizes": 7},
        {"activation": "identity", "hidden_layer_sizes": ()},
        {"alpha": 0.0},
        {"batch_size": 45},
        {"batch_size": "auto"},
        {"shuffle": False, "momentum": 0.0},
        {"nesterovs_momentum": False},
        {"learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"learning_rate": "adaptive", "learning_rate_init": 0.05, "n_iter_no_change": 2, "tol": 0.05, "max_iter": 40},
        {"tol": 0.1, "n_iter_no_change": 2, "max_iter": 60},
    ],
    ids=str,
)
def test_parameters_are_followed(changes):
    assert_follows(made("number", **changes), *table())


def test_poisson():
    translation = assert_follows(MLPRegressor(loss="poisson", **SMALL), *table("count"))
    assert type(translation.model.loss).__name__ == "PoissonDeviance"


EARLY = {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 3, "max_iter": 60, "tol": 0.01}


@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_early_stopping_sets_the_same_rows_aside_and_keeps_the_best_weights(kind):
    X, y = table(kind)
    estimator = made(kind, learning_rate_init=0.05, **EARLY, **({"loss": "poisson"} if kind == "count" else {}))
    assert_follows(estimator, X, y)
    assert estimator.n_iter_ < 60
    assert estimator.n_iter_ > np.argmax(estimator.validation_scores_) + 1  # so the last weights are not the best


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_200_epochs(solver):
    assert_follows(made("number", solver=solver, max_iter=200, tol=0.0), *table())


def test_sparse_rows_are_followed():
    X, y = table()
    X[X < 0] = 0
    assert_follows(made("number"), sparse.csr_matrix(X), y)


def test_poisson_without_a_penalty():
    assert_follows(MLPRegressor(loss="poisson", **SMALL | {"alpha": 0.0}), *table("count"))


def test_float32():
    translation = assert_follows(made("number"), *table(dtype="float32"), rounding=1e-4)
    assert translation.model.layers[0].kernel.dtype == "float32"


def test_own_estimators_are_translated_too():
    assert_follows(KerasMLPRegressor(**SMALL), *table())


def test_layers_are_keras_own_where_batches_are_equal_or_there_is_no_penalty():
    X, y = table()

    def kinds(**changes):
        return {type(layer) for layer in to_keras(made("number", **changes), X, y).model.layers}

    assert kinds(batch_size=45) == kinds(alpha=0.0) == {keras.layers.Dense}
    assert kinds() == {DensePerRow}


@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_a_fitted_one_computes_the_same_and_is_saved_and_exported(kind, tmp_path):
    X, y = table(kind)
    estimator = (MLPRegressor(loss="poisson", **SMALL) if kind == "count" else made(kind)).fit(X, y)
    expected = estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else estimator.predict(X)
    expected = expected[:, 1:] if kind == "binary" else expected.reshape(len(X), -1)
    model = to_keras(estimator).model
    np.testing.assert_allclose(np.asarray(model(X)), expected, rtol=0, atol=1e-13)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(loaded(X)), expected, rtol=0, atol=1e-13)
    model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(np.asarray(saved.serve(X)), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_fitted_one_goes_on_as_partial_fit(solver, shuffle):
    X, y = table()
    estimator = made("number", solver=solver, shuffle=shuffle).fit(X, y)
    translation = to_keras(estimator, X, y)
    translation.model.fit(**translation.fit_arguments | {"epochs": 3}, verbose=0)
    for _ in range(3):
        estimator.partial_fit(X, y)
    assert apart(translation.model.get_weights(), weights_of(estimator)) < ROUNDING


def test_a_saved_one_goes_on_training(tmp_path):
    """Momentum and learning rate are rounded to float32 by then, which is what the docstring says."""
    X, y = table()
    estimator = made("number", shuffle=False).fit(X, y)
    to_keras(estimator).model.save(tmp_path / "model.keras")
    keras.config.set_floatx("float64")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.fit(X, y[:, None], batch_size=40, epochs=3, shuffle=False, verbose=0)
    for _ in range(3):
        estimator.partial_fit(X, y)
    assert apart(loaded.get_weights(), weights_of(estimator)) < 1e-6


def test_the_estimator_is_left_as_it_is():
    X, y = table()
    estimator = made("number", random_state=np.random.RandomState(3))
    before = estimator.random_state.get_state()[1].copy()
    to_keras(estimator, X, y)
    np.testing.assert_array_equal(estimator.random_state.get_state()[1], before)
    assert not hasattr(estimator, "coefs_")


# ---------------------------------------------------------------------------------------------------------------------
# Scripts


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_a_script_runs_without_mlpnb_and_follows(kind, solver, tmp_path):
    X, y = table(kind)
    loss = {"loss": "poisson"} if kind == "count" else {}
    schedule = {"learning_rate": "adaptive"} if solver == "sgd" else {}
    estimator = made(kind, solver=solver, **loss, **schedule)
    source = to_keras(estimator, as_code=True)
    assert "import mlpnb" not in source
    assert "sklearn" not in source.replace("scikit", "")
    (tmp_path / "script.py").write_text(source)
    model = runpy.run_path(str(tmp_path / "script.py"))["fit"](X, y)
    estimator.fit(X, y)
    assert apart(model.get_weights(), weights_of(estimator)) < ROUNDING


@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_a_script_stops_early_on_the_same_rows(kind, tmp_path):
    X, y = table(kind)
    estimator = made(kind, learning_rate_init=0.05, **EARLY, **({"loss": "poisson"} if kind == "count" else {}))
    (tmp_path / "script.py").write_text(to_keras(estimator, as_code=True))
    model = runpy.run_path(str(tmp_path / "script.py"))["fit"](X, y)
    assert apart(model.get_weights(), weights_of(estimator.fit(X, y))) < ROUNDING


def test_a_scripts_model_is_read_back(tmp_path):
    """Its classes are copies of mlpnb's."""
    X, y = table("count")
    estimator = MLPRegressor(loss="poisson", **SMALL)
    (tmp_path / "script.py").write_text(to_keras(estimator, as_code=True))
    back = from_keras(runpy.run_path(str(tmp_path / "script.py"))["fit"](X, y), batch_size=40)
    assert back.alpha == SMALL["alpha"]
    assert back.loss == "poisson"
    np.testing.assert_allclose(back.predict(X), estimator.fit(X, y).predict(X), rtol=1e-10)


def test_a_script_needs_a_seed_that_can_be_written():
    with pytest.raises(InputError, match="random_state is RandomState"):
        to_keras(made("number", random_state=np.random.RandomState(0)), as_code=True)


# ---------------------------------------------------------------------------------------------------------------------
# Keras to scikit-learn


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("kind", [*KINDS, "count"])
def test_there_and_back(kind, solver):
    X, y = table(kind)
    loss = {"loss": "poisson"} if kind == "count" else {}
    estimator = made(kind, solver=solver, **loss).fit(X, y)
    back = from_keras(to_keras(estimator).model, batch_size=40, epochs=12)
    assert type(back) is type(estimator)
    for name in ("hidden_layer_sizes", "activation", "solver", "alpha", "batch_size", "max_iter", "momentum",
                 "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "learning_rate_init"):  # fmt: skip
        value, expected = getattr(back, name), getattr(estimator, name)
        assert value == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected), name
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    np.testing.assert_allclose(getattr(back, method)(X), getattr(estimator, method)(X), rtol=0, atol=1e-13)
    assert back.predict(X).shape == estimator.predict(X).shape


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_plain_keras_model_trains_as_its_translation(optimizer):
    """Twice the gradient is twice the rate, or for Adam half the epsilon."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    X, y = table(n_rows=80)
    l2 = keras.regularizers.L2(0.0078125)  # float32 has it exactly
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, "tanh", kernel_regularizer=l2),
         keras.layers.Dense(1, kernel_regularizer=l2)]
    )  # fmt: skip
    make = {
        "sgd": keras.optimizers.SGD(0.01, momentum=0.5, nesterov=True),
        "adam": keras.optimizers.Adam(0.01, np.float64(0.9), np.float64(0.999)),
    }
    model.compile(make[optimizer], "mse")
    estimator = from_keras(model, batch_size=20, epochs=5)
    estimator.set_params(warm_start=True, shuffle=False)
    estimator.fit(X, y)
    model.fit(X, y[:, None], batch_size=20, epochs=5, shuffle=False, verbose=0)
    assert apart(model.get_weights(), weights_of(estimator)) < ROUNDING


def keras_model(*layers, **compiled):
    layers = layers or (keras.layers.Dense(3, "relu"), keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(**{"optimizer": "sgd", "loss": "mse"} | compiled)
    return model


L = keras.layers


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: keras_model(L.Dense(3, "relu"), L.Dropout(0.5), L.Dense(1)), "is a Dropout, .*use alpha"),
        (lambda: keras_model(L.Dense(3), L.BatchNormalization(), L.Dense(1)), "BatchNormalization, .*StandardScaler"),
        (lambda: keras_model(L.Dense(3, "softplus"), L.Dense(1)), "activation 'softplus'.*sigmoid, tanh, relu"),
        (lambda: keras_model(L.Dense(3, "relu"), L.Dense(3, "tanh"), L.Dense(1)), "one for all hidden layers"),
        (lambda: keras_model(L.Dense(3, "relu", use_bias=False), L.Dense(1)), "use_bias=False"),
        (lambda: keras_model(L.Dense(3, "relu", kernel_regularizer="l2"), L.Dense(1)), "one for all kernels"),
        (lambda: keras_model(L.Dense(3, "relu", kernel_regularizer="l1"), L.Dense(1)), "no multiple of the sum"),
        (lambda: keras_model(optimizer="rmsprop"), "optimizer is RMSprop.*use SGD or Adam"),
        (lambda: keras_model(optimizer=keras.optimizers.SGD(clipnorm=1.0)), "clipnorm=1.0"),
        (lambda: keras_model(optimizer=keras.optimizers.AdamW()), "optimizer is AdamW"),
        (lambda: keras_model(loss="mae"), "loss is 'mae'"),
        (lambda: keras_model(loss="huber"), "loss is 'huber'"),
        (lambda: keras_model(loss="binary_crossentropy"), "make it 'sigmoid'"),
        (lambda: keras_model(loss=keras.losses.BinaryCrossentropy(from_logits=True)), "from_logits=True"),
        (lambda: keras_model(loss=keras.losses.MeanSquaredError(reduction="sum")), "reduction='sum'"),
        (lambda: keras.Sequential([keras.Input((4,)), L.Dense(1)]), "is not compiled"),
        (lambda: MLPRegressor(), "model is a MLPRegressor"),
    ],
)  # fmt: skip
def test_what_scikit_learn_has_not_is_refused_by_name(model, words):
    with pytest.raises(InputError, match=words) as error:
        from_keras(model())
    assert "\n" not in str(error.value)


def test_what_keras_has_not_is_refused_by_name():
    X, y = table()
    for changes, words in (({"solver": "lbfgs"}, "solver is 'lbfgs'"),):
        for call in (lambda e: to_keras(e, X, y), lambda e: to_keras(e, as_code=True)):
            with pytest.raises(InputError, match=words):
                call(made("number", **changes))
    with pytest.raises(InputError, match="is not fitted"):
        to_keras(made("number"))
    with pytest.raises(InputError, match="estimator is a Pipeline"):
        to_keras(make_pipeline(made("number")), X, y)
    with pytest.raises(InputError, match=r"write MLPRegressor\(\)"):
        to_keras(MLPRegressor, X, y)


@pytest.mark.parametrize("changes", [{"alpha": -1}, {"activation": "softplus"}, {"hidden_layer_sizes": (0,)}], ids=str)
def test_what_scikit_learn_rejects_is_rejected_alike(changes):
    X, y = table()
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        made("number", **changes).fit(X, y)
    with pytest.raises(type(expected.value)):
        to_keras(made("number", **changes), X, y)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        to_keras(made("number"), X, y)


def test_lbfgs_once_fitted_is_a_function():
    X, y = table()
    estimator = made("number", solver="lbfgs").fit(X, y)
    translation = to_keras(estimator)
    assert not translation.model.compiled
    np.testing.assert_allclose(np.asarray(translation.model(X))[:, 0], estimator.predict(X), rtol=0, atol=1e-12)
