"""Comparing two models: the question's own, what is said of them, and that what is said closes the differences."""

import json

import keras
import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import mlpnb
from mlpnb import InputError, compare, to_keras

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's own
]

ALPHA = 1.0


@pytest.fixture(autouse=True)
def _floatx_is_restored():
    before = keras.config.floatx(), keras.config.dtype_policy()
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def penalty(kernel):
    return ALPHA * 0.5 * keras.ops.sum(kernel**2)


REGULARIZERS = {"function": penalty, "L2": keras.regularizers.L2(ALPHA / 2)}


def question_estimator(**changes):
    settings = {
        "hidden_layer_sizes": (10,), "activation": "logistic", "solver": "sgd", "alpha": ALPHA, "max_iter": 60,
        "learning_rate_init": 0.001, "momentum": 0.9, "nesterovs_momentum": True, "random_state": 0,
    }  # fmt: skip
    return MLPRegressor(**settings | changes)


def question_model(hidden=None, output=None):
    layers = [
        keras.layers.Dense(10, activation="sigmoid", kernel_regularizer=hidden),
        keras.layers.Dense(1, activation="linear", kernel_regularizer=output),
    ]
    model = keras.Sequential([keras.Input((10,)), *layers])
    optimizer = keras.optimizers.SGD(learning_rate=0.001, momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return model


FIT = {"batch_size": 200, "epochs": 60}


@pytest.fixture(scope="module")
def data():
    return mlpnb.load_data("friedman1")


def names(comparison):
    return list(comparison.table["difference"])


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("both", [False, True], ids=["Keras 1", "Keras 2"])
def test_the_question(regularizer, both):
    """As read, without data."""
    penalty = REGULARIZERS[regularizer]
    model = question_model(penalty, penalty if both else None)
    comparison = compare(question_estimator(), model, fit_arguments=FIT)
    kernels = [] if both else ["penalised kernels"]
    assert names(comparison) == [
        "data term", *kernels, "penalty scale", "dtype", "scalar rounding", "start weights", "stopping and schedule",
        "batch order",
    ]  # fmt: skip
    assert comparison.agree is None
    scale = comparison.table.set_index("difference").loc["penalty scale"]
    assert scale["scikit-learn"].startswith("0.5 · Σ kernel² / rows")
    assert scale["Keras"] == "0.5 · Σ kernel²"
    assert scale["effect"] == "200 times the penalty"


@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("both", [False, True], ids=["Keras 1", "Keras 2"])
@pytest.mark.parametrize("n_rows", [750, 600], ids=["short last batch", "equal batches"])
def test_what_the_table_says_closes_the_differences(data, regularizer, both, n_rows):
    """The fixes are run as they stand in the table, and the two then agree to rounding."""
    X, y = data.X_train[:n_rows], data.y_train[:n_rows]
    penalty = REGULARIZERS[regularizer]
    estimator = question_estimator(random_state=None)
    comparison = compare(estimator, question_model(penalty, penalty if both else None), X, y, fit_arguments=FIT)
    assert comparison.agree is False
    fix = comparison.table.set_index("difference")["fix"]
    layers = fix["penalty scale"].split("  #")[0]
    optimizer, *more = fix["scalar rounding"].splitlines()
    lines = [
        "import keras, mlpnb, numpy as np",
        fix["dtype"],
        f"model = keras.Sequential([keras.Input((10,)), {layers}])",
        *more,
        f"model.compile({optimizer}, loss='mse')",
        fix["data term"],
        fix["start weights"],
        fix["batch order"],
    ]
    scope = {"estimator": estimator, "X": X, "y": y}
    exec("\n".join(lines), scope)
    closed = compare(estimator, scope["model"], X, y, fit_arguments=scope["fit_arguments"])
    assert closed.verdict.startswith("Nothing differs: trained on your data")
    assert closed.agree is True
    assert closed.table.empty


def test_effects_are_measured_and_the_ladder_ends_in_rounding(data):
    model = question_model(penalty, penalty)
    before = model.get_weights()
    arguments = {"X_test": data.X_test, "y_test": data.y_test, "fit_arguments": FIT | {"epochs": 200}}
    comparison = compare(question_estimator(max_iter=200), model, data.X_train, data.y_train, **arguments)
    effects = comparison.table.set_index("difference")["effect"]
    assert "R² 0.5" in effects["penalty scale"]  # the question's Keras 2
    assert all("closed alone" in effect for effect in effects)
    ladder = comparison.ladder()
    assert len(ladder) == len(comparison.table) + 1
    assert ladder["weight difference [relative]"].iloc[-1] < 1e-12
    assert ladder["weight difference [relative]"].iloc[0] > 0.1
    assert mlpnb.plot_ladder(ladder).alt
    for weight, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_divergence_is_told_with_its_epoch():
    """The question's own network on diabetes, whose targets are in the hundreds."""
    data = mlpnb.load_data("diabetes")
    settings = mlpnb.Settings(activation="identity", learning_rate_init=2e-3)
    estimator, model, arguments = mlpnb.example_models(data, settings)
    comparison = compare(estimator, model, data.X_train, data.y_train, fit_arguments=arguments | {"epochs": 40})
    ladder = comparison.ladder()
    epoch = ladder["diverged at epoch"].iloc[0]
    assert 1 < epoch < 40
    assert f"diverged at epoch {epoch} for Keras" in comparison.verdict
    assert "nan" not in str(comparison)
    assert f"diverged at epoch {epoch}" in mlpnb.plot_ladder(ladder).alt


def test_a_classifiers_ladder_is_drawn_by_its_accuracy(data):
    X, y = data.X_train[:300], np.digitize(data.y_train[:300], [11, 17])
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    comparison = compare(MLPClassifier((5,), max_iter=30, random_state=0), model, X, y, fit_arguments={"epochs": 30})
    ladder = comparison.ladder()
    assert ladder["accuracy"].iloc[-1] == ladder.attrs["reference accuracy"]
    assert ladder["weight difference [relative]"].iloc[-1] < 1e-10
    figure = mlpnb.plot_ladder(ladder)
    assert figure.axes[0].get_xlabel() == "accuracy on the test part"
    assert "accuracy" in figure.alt


CHANGES = {
    "learning rate": {"learning_rate_init": 0.01},
    "momentum": {"momentum": 0.5},
    "nesterovs momentum": {"nesterovs_momentum": False},
    "optimizer": {"solver": "adam"},
    "activation": {"activation": "tanh"},
    "layers": {"hidden_layer_sizes": (10, 3)},
    "batch size": {"batch_size": 150},
    "epochs": {"max_iter": 61},
    "stopping and schedule": {"tol": 1e-3},
    "start weights": {"random_state": 1},
    "penalty scale": {"alpha": 0.5},
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_difference_is_found(data, name):
    X, y = data.X_train[:300], data.y_train[:300]
    translation = to_keras(question_estimator(max_iter=3), X, y)
    other = question_estimator(**{"max_iter": 3} | CHANGES[name])
    comparison = compare(other, translation.model, X, y, fit_arguments=translation.fit_arguments)
    assert name in names(comparison)
    assert comparison.agree is False


@pytest.mark.parametrize("kind", ["regression", "binary", "classes"])
def test_a_translation_differs_in_nothing_and_is_left_as_it_is(data, kind):
    X, y = data.X_train[:330], data.y_train[:330]
    estimator = question_estimator(max_iter=5)
    if kind != "regression":
        y = np.digitize(y, [14] if kind == "binary" else [11, 17])
        estimator = MLPClassifier((5,), alpha=0.3, max_iter=5, random_state=0)
    translation = to_keras(estimator, X, y)
    for _ in range(2):
        comparison = compare(estimator, translation.model, X, y, fit_arguments=translation.fit_arguments)
        assert comparison.agree is True
    assert not hasattr(estimator, "coefs_")


def test_early_stopping_is_a_difference_until_it_is_shared(data):
    X, y = data.X_train[:330], data.y_train[:330]
    estimator = question_estimator(max_iter=30, early_stopping=True, n_iter_no_change=2, tol=0.5)
    translation = to_keras(estimator, X, y)
    closed = compare(estimator, translation.model, X, y, fit_arguments=translation.fit_arguments)
    assert closed.agree is True
    other = to_keras(estimator.set_params(early_stopping=False), X, y)
    estimator.set_params(early_stopping=True)
    open_ = compare(estimator, other.model, X, y, fit_arguments=other.fit_arguments)
    row = open_.table.set_index("difference").loc["stopping and schedule"]
    assert "score of rows set aside" in row["scikit-learn"]
    assert row["Keras"].startswith("once the loss")
    assert row["fix"] == "fit_arguments = mlpnb.to_keras(estimator, X, y).fit_arguments"
    assert open_.ladder()["weight difference [relative]"].iloc[-1] < 1e-12


def test_nothing_differs_is_not_said_of_what_was_not_trained_to_agree(data, monkeypatch):
    """A layer that computes something else than it says."""
    X, y = data.X_train[:300], data.y_train[:300]
    estimator = question_estimator(alpha=0.0, max_iter=3)
    translation = to_keras(estimator, X, y)
    call = keras.layers.Dense.call
    monkeypatch.setattr(keras.layers.Dense, "call", lambda self, inputs, training=None: 1.001 * call(self, inputs))
    comparison = compare(estimator, translation.model, X, y, fit_arguments=translation.fit_arguments)
    assert comparison.agree is False
    assert "nothing that mlpnb reads explains it" in comparison.verdict


def test_a_softmax_of_two_classes_is_another_network_for_the_same_task(data):
    X, y = data.X_train[:230], (data.y_train[:230] > 14).astype(int)
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    comparison = compare(MLPClassifier((5,), max_iter=4, random_state=0), model, X, y, fit_arguments={"epochs": 4})
    assert names(comparison)[0] == "layers"
    assert not any("nan" in effect for effect in comparison.table["effect"])


def test_a_trained_models_start_is_not_known(data):
    X, y = data.X_train[:300], data.y_train[:300]
    model = question_model()
    model.fit(X, y, verbose=0)
    comparison = compare(question_estimator(alpha=0.0), model, fit_arguments=FIT)
    start = comparison.table.set_index("difference").loc["start weights"]
    assert "trained already" in start["Keras"]


def test_tables_are_written_as_html_and_json():
    comparison = compare(question_estimator(), question_model(penalty, penalty), fit_arguments=FIT)
    found = json.loads(comparison.to_json())
    assert [row["difference"] for row in found["differences"]] == names(comparison)
    assert "<script" not in comparison.to_html()
    assert "penalty scale" in comparison.to_html()
    assert "penalty scale" in str(comparison)


def test_bad_input_is_refused(data):
    X, y = data.X_train, data.y_train
    model = question_model()
    with pytest.raises(InputError, match="X and y go together"):
        compare(question_estimator(), model, X)
    with pytest.raises(InputError, match="takes 10 inputs, but X has 4 columns"):
        compare(question_estimator(), model, X[:, :4], y)
    with pytest.raises(InputError, match="different tasks"):
        compare(MLPClassifier(), model)
    with pytest.raises(InputError, match="epochs is 0"):
        compare(question_estimator(), model, fit_arguments={"epochs": 0})
    with pytest.raises(InputError, match="fit argument 'class_weight'"):
        compare(question_estimator(), model, fit_arguments={"class_weight": {0: 1}})
    with pytest.raises(InputError, match="callback EarlyStopping"):
        compare(question_estimator(), model, fit_arguments={"callbacks": [keras.callbacks.EarlyStopping()]})
    with pytest.raises(InputError, match="no data to climb"):
        compare(question_estimator(), model).ladder()
