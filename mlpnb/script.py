"""An estimator's training as a script in plain Keras, which a user pastes into a project of their own."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any

from mlpnb.errors import InputError
from mlpnb.plan import KERAS_ACTIVATION
from mlpnb.translate import check_can_be_trained, hidden_sizes, load_custom


def script(estimator: Any) -> str:
    """The source of a script that defines ``fit(X, y)``, which returns the trained `keras.Sequential`.

    Raises
    ------
    InputError
        If Keras can't follow the training, or `random_state` can't be written down.
    """
    check_can_be_trained(estimator)
    custom = load_custom()
    if estimator.random_state is not None and not isinstance(estimator.random_state, int):
        raise InputError(
            f"random_state is {estimator.random_state!r}, which a script can't hold: give a whole number, or None."
        )
    classifier = hasattr(estimator, "predict_proba")
    poisson = estimator.loss == "poisson"
    objects = [*(["DensePerRow"] if estimator.alpha else []), *(["PoissonDeviance"] if poisson else [])]
    judged = estimator.early_stopping
    scores = ["share_of_classes", "share_of_labels"] if judged and classifier else []
    parts = [
        _HEAD.format(name=type(estimator).__name__, imports=_imports(judged, classifier)),
        *(_source(custom, name) for name in (*objects, "Batches", "ScikitLearnStopping", *scores)),
        _fit(estimator, classifier, poisson),
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


_HEAD = '''
"""Trains in Keras as scikit-learn's {name} does: weights equal to rounding. Made by mlpnb (BSD 3-Clause)."""

import keras
import numpy as np
{imports}
keras.config.set_floatx("float64")  # before any layer is made; scikit-learn computes in float64
keras.config.set_dtype_policy("float64")
'''

_FIT = """
def fit(X, y, verbose=0):
    X = np.asarray(X, "float64")
{targets}
    random = np.random.RandomState({seed})
    sizes = [X.shape[1], {hidden}y.shape[1]]
    weights = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        bound = np.sqrt({factor} / (n_in + n_out))
        weights += [random.uniform(-bound, bound, (n_in, n_out)), random.uniform(-bound, bound, n_out)]
{split}    activations = [{activation!r}] * (len(sizes) - 2) + [{output}]
    layers = [{layer} for n, act in zip(sizes[1:], activations)]
    model = keras.Sequential([keras.Input((sizes[0],)), *layers])
    model.set_weights(weights)
    batch_size = {batch_size}
    model.compile(
        optimizer={optimizer},  # Keras rounds a Python float to float32
        loss={loss},
        loss_weights=[{loss_weight}],  # Keras takes the mean over outputs, scikit-learn {sklearn_loss}
        metrics={metrics},
        steps_per_execution=-(-len(X) // batch_size),
    )
    batches = Batches(X, y, batch_size, {random})
    stopping = ScikitLearnStopping({stopping})
    model.fit(batches, epochs={epochs}, callbacks=[stopping], shuffle=False, verbose=verbose)
    return model
"""

_SPLIT = """
    X, X_set_aside, y, y_set_aside = train_test_split(
        X, y, random_state=random, test_size={validation_fraction!r}, stratify={stratify}
    )
"""


def _imports(judged: bool, classifier: bool) -> str:
    """scikit-learn is needed only to set the same rows aside."""
    split = "from sklearn.model_selection import train_test_split\n" if judged else ""
    return ("" if not judged or classifier else "from sklearn.metrics import r2_score\n") + split


_NUMBERS = """
    y = np.asarray(y, "float64").reshape(len(X), -1)
"""
_LABELS = """
    y = np.asarray(y)
    several = y.ndim == 2 and y.shape[1] > 1  # labels that do not exclude each other: a column each, 0 or 1
    if not several:
        classes = np.unique(y)
        y = np.ravel(y)[:, None] == (classes if len(classes) > 2 else classes[1:])
    y = y.astype("float64")
    binary = several or y.shape[1] == 1
"""


def _fit(estimator: Any, classifier: bool, poisson: bool) -> str:
    if classifier:
        loss, weight = (
            "keras.losses.BinaryCrossentropy() if binary else keras.losses.CategoricalCrossentropy()",
            "float(y.shape[1]) if binary else 1.0",
        )
        output = '"sigmoid" if binary else "softmax"'
    elif poisson:
        loss, weight, output = "PoissonDeviance()", "1.0", '"exponential"'
    else:
        loss, weight, output = "keras.losses.MeanSquaredError()", "y.shape[1] / 2", '"linear"'
    mean_squares = not classifier and not poisson
    if estimator.solver == "adam":
        optimizer = (
            f"keras.optimizers.Adam({float(estimator.learning_rate_init)!r}, np.float64({float(estimator.beta_1)!r}), "
            f"np.float64({float(estimator.beta_2)!r}), epsilon={float(estimator.epsilon)!r})"
        )
    else:
        optimizer = (
            f"keras.optimizers.SGD({float(estimator.learning_rate_init)!r}, np.float64({float(estimator.momentum)!r}), "
            f"nesterov={bool(estimator.nesterovs_momentum)})"
        )
    unlimited = estimator.n_iter_no_change == float("inf")
    stopping = f"{float(estimator.tol)!r}, {'np.inf' if unlimited else int(estimator.n_iter_no_change)}"
    if estimator.solver == "sgd" and estimator.learning_rate != "constant":
        stopping += f", {estimator.learning_rate!r}, {float(estimator.power_t)!r}, len(X)"
    if mean_squares:
        stopping += ", n_outputs=y.shape[1]"
    split = ""
    if estimator.early_stopping:
        stratify = "y if y.shape[1] == 1 else None" if classifier else "None"
        split = _SPLIT.format(validation_fraction=float(estimator.validation_fraction), stratify=stratify).lstrip("\n")
        score = "share_of_labels if binary else share_of_classes" if classifier else "r2_score"
        stopping += f", validation=(X_set_aside, y_set_aside), score={score}"
    alpha = f", alpha={float(estimator.alpha)!r}"
    return _FIT.format(
        targets=(_LABELS if classifier else _NUMBERS).strip("\n"),
        seed=estimator.random_state,
        hidden="".join(f"{units}, " for units in hidden_sizes(estimator)),
        split=split,
        factor=2 if estimator.activation == "logistic" else 6,
        activation=KERAS_ACTIVATION[estimator.activation],
        output=output,
        layer=f"DensePerRow(n, act{alpha})" if estimator.alpha else "keras.layers.Dense(n, act)",
        batch_size=f"min({200 if estimator.batch_size == 'auto' else int(estimator.batch_size)}, len(X))",
        optimizer=optimizer,
        loss=loss,
        loss_weight=weight,
        sklearn_loss="half the sum" if mean_squares else "the sum",
        metrics='["mean_squared_error"]' if mean_squares else "None",
        random="random" if estimator.shuffle else "None",
        stopping=stopping,
        epochs=int(estimator.max_iter),
    )


def _source(module: ModuleType, name: str) -> str:
    """A class of `module` as it stands there, without its decorator and types, which a script has no need of."""
    source = inspect.getsource(getattr(module, name))
    source = source.replace(
        '@keras.saving.register_keras_serializable("mlpnb")', "@keras.saving.register_keras_serializable()"
    )
    source = re.sub(r"  # type: ignore\[.*?\]|  # Keras has no types|  # fmt: skip", "", source)
    return re.sub(r"def (\w+)\((.*?)\) -> [^:]+:", lambda m: f"def {m[1]}({_bare(m[2])}):", source, flags=re.DOTALL)


def _bare(parameters: str) -> str:
    """Parameters without their types: ``x: int = 1`` becomes ``x=1``."""
    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", parameters) if part.strip()]
    return ", ".join(re.sub(r":\s*[^=]+?\s*(=\s*|$)", lambda m: "=" if m[1] else "", part) for part in parts)
