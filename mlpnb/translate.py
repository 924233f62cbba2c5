"""From scikit-learn's MLPs to Keras models and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from mlpnb.errors import InputError
from mlpnb.fit import load_training
from mlpnb.plan import KERAS_ACTIVATION, KERAS_LOSS, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERAS_BATCH_SIZE, KERAS_EPOCHS = 32, 1  # the defaults of `keras.Model.fit`, Keras 3.15.1 backend/tensorflow/trainer.py


@dataclass(frozen=True, eq=False)
class Translation:
    """A Keras model, and what its ``fit`` needs: ``translation.model.fit(**translation.fit_arguments)``.

    Attributes
    ----------
    model : keras.Sequential
        Compiled, unless Keras has no such optimizer.
    fit_arguments : dict
        With data: ``x`` (their batches, in scikit-learn's order), ``epochs``, ``callbacks`` (scikit-learn's stopping
        rule and schedule), ``shuffle``. Without: ``batch_size``, ``epochs``, ``shuffle``.
    """

    model: Any
    fit_arguments: dict[str, Any] = field(default_factory=dict)


@overload
def to_keras(estimator: Any, X: Any = ..., y: Any = ..., *, as_code: Literal[False] = ...) -> Translation: ...
@overload
def to_keras(estimator: Any, X: Any = ..., y: Any = ..., *, as_code: Literal[True]) -> str: ...
def to_keras(estimator: Any, X: Any = None, y: Any = None, *, as_code: bool = False) -> Translation | str:
    """A Keras model that trains as scikit-learn's estimator does, or that computes what a fitted one computes.

    Layers, optimizer, loss and regularizers are Keras's own. Two things of scikit-learn's are not in Keras, and come as
    registered objects: `DensePerRow`, a `Dense` layer whose penalty is divided by the rows of the batch at hand, where
    the last batch of an epoch is short (or `X` is not given) and alpha is above 0; `PoissonDeviance`, for
    ``loss="poisson"``. To load a saved model that has one of them, import it first:
    ``from mlpnb import DensePerRow, PoissonDeviance``.

    Parameters
    ----------
    estimator : MLPRegressor, MLPClassifier, KerasMLPRegressor or KerasMLPClassifier
        Left as it is. An unfitted one is translated to its training from the start; a fitted one to its function, its
        optimizer's memory included, so that training goes on as ``partial_fit`` does, an epoch a call.
    X : array-like or sparse matrix of shape (n_samples, n_features), optional
        What to train on; float32 stays float32, all else becomes float64. Needed for an unfitted estimator.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
        Targets or labels; cast to the dtype of `X`.
    as_code : bool, default=False
        Whether to return a script in plain Keras instead, which defines ``fit(X, y)`` and does without mlpnb; without
        scikit-learn, too, but for drawing the rows that early stopping sets aside. It trains from the start, whether
        the estimator is fitted or not.

    Returns
    -------
    Translation or str

    Raises
    ------
    InputError
        If `estimator` is no MLP of scikit-learn's, is not fitted and has no data, or asks for what Keras can't follow:
        ``solver="lbfgs"`` (unless fitted).
    sklearn.utils._param_validation.InvalidParameterError, ValueError
        What scikit-learn raises for parameters and data that it rejects.

    Notes
    -----
    In float64 the weights of ``model.fit`` are scikit-learn's to rounding; in float32, Adam's first steps are off by
    1e-5, since Keras computes ``1 - beta ** step`` in float32 (``optimizers/adam.py``, Keras 3.15.1). ``fit`` and
    ``predict`` cast plain arrays to `keras.config.floatx` (``trainers/data_adapters/array_slicing.py``), float32 by
    default: call ``model(X)``, or set it to "float64". A model that was saved and loaded keeps momentum, betas and
    `L2` as Python floats, which Keras rounds to float32: its function is the same, further training to 1e-7.
    """
    _check_estimator(estimator)
    estimator._validate_params()
    if as_code:
        from mlpnb.script import script

        return script(estimator)
    if not hasattr(estimator, "coefs_"):
        if X is None or y is None:
            raise InputError(
                f"estimator {type(estimator).__name__} is not fitted, and without data its network has no size: give "
                "to_keras(estimator, X, y), or fit it."
            )
        begun = begin(estimator, X, y)
        return Translation(build(begun.plan, begun.part().n_rows), begun.fit_arguments())
    if X is None or y is None:
        return _function(estimator, None)
    return _function(estimator, _validated(estimator, X, y, fresh=False))


@dataclass(frozen=True, eq=False)
class Part:
    """The rows that are trained on, and those set aside to stop by, if any.

    Attributes
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows, n_outputs)
    validation : tuple of ndarray, or None
        As `X` and `y`.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    validation: tuple[NDArray[Any], NDArray[Any]] | None = None

    @property
    def n_rows(self) -> int:
        """Rows that are trained on."""
        return len(self.X)


@dataclass(frozen=True, eq=False)
class Begun:
    """An estimator's training at its beginning: the plan, and what it trains on.

    Attributes
    ----------
    plan : Plan
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
        A column an output, as the network is to compute them.
    random : RandomState or None
        As it is after the start was drawn; None if rows are not shuffled.
    rows : tuple of ndarray, or None
        With early stopping, the numbers of the rows to train on, and of those to judge by.
    """

    plan: Plan
    X: NDArray[Any]
    y: NDArray[Any]
    random: Any
    rows: tuple[NDArray[Any], NDArray[Any]] | None = None

    def part(self) -> Part:
        """What the plan trains on."""
        if self.rows is None or not self.plan.early_stopping:
            return Part(self.X, self.y)
        train, judge = self.rows
        return Part(self.X[train], self.y[train], (self.X[judge], self.y[judge]))

    def fit_arguments(self) -> dict[str, Any]:
        """What ``model.fit`` needs; each call begins anew."""
        keras_objects = load_custom()
        plan, random, part = self.plan, copy.deepcopy(self.random), self.part()
        callbacks = []
        if plan.stopping is not None:
            options: dict[str, Any] = {"n_outputs": plan.n_outputs} if plan.loss == "squared_error" else {}
            if part.validation is not None:
                options |= {"validation": part.validation, "score": _score(plan, keras_objects)}
            stopping = keras_objects.ScikitLearnStopping(*plan.stopping, *plan.schedule, part.n_rows, **options)
            callbacks.append(stopping)
        batches = keras_objects.Batches(part.X, part.y, plan.batch_size, random)
        return {"x": batches, "epochs": plan.epochs, "callbacks": callbacks, "shuffle": False}


def _score(plan: Plan, keras_objects: ModuleType) -> Any:
    """What scikit-learn judges set-aside rows by: ``_score`` of `MLPRegressor` and `MLPClassifier`."""
    from sklearn.metrics import r2_score

    shares = {"log_loss": keras_objects.share_of_classes, "binary_log_loss": keras_objects.share_of_labels}
    return shares.get(plan.loss, r2_score)


def begin(estimator: Any, X: Any, y: Any) -> Begun:
    """Read an estimator's training off it, its random draws included, as ``fit(X, y)`` would begin.

    ``MLPRegressor._validate_input`` and ``_initialize`` do it (scikit-learn 1.9.1,
    ``neural_network/_multilayer_perceptron.py``), on a clone.
    """
    _check_estimator(estimator)
    check_can_be_trained(estimator)
    fresh, X, y = _validated(estimator, X, y, fresh=True)
    sizes = (X.shape[1], *hidden_sizes(fresh), y.shape[1])
    from sklearn.utils import check_random_state

    seeded = fresh.random_state is not None
    fresh._random_state = check_random_state(fresh.random_state if seeded else np.random.RandomState())
    fresh.n_outputs_ = y.shape[1]
    fresh._initialize(y, list(sizes), X.dtype)
    rows = _split(fresh, y) if fresh.early_stopping else None
    random = fresh._random_state if fresh.shuffle else None
    return Begun(_plan(fresh, len(X) if rows is None else len(rows[0])), X, y, random, rows)


def _split(estimator: Any, y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rows to train on and those to stop by, as ``_fit_stochastic`` draws them (scikit-learn 1.9.1)."""
    from sklearn.model_selection import train_test_split

    stratify = y if hasattr(estimator, "predict_proba") and estimator.n_outputs_ == 1 else None
    train, judge = train_test_split(
        np.arange(len(y)), random_state=estimator._random_state, test_size=estimator.validation_fraction,
        stratify=stratify,
    )  # fmt: skip
    if len(judge) < 2:  # scikit-learn's words
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return train, judge


def hidden_sizes(estimator: Any) -> tuple[int, ...]:
    """``hidden_layer_sizes``, which may be one number."""
    sizes = estimator.hidden_layer_sizes
    return tuple(int(units) for units in (sizes if hasattr(sizes, "__iter__") else [sizes]))


def _plan(estimator: Any, n_rows: int | None) -> Plan:
    """The plan of an estimator that has weights."""
    coefs, intercepts = estimator.coefs_, estimator.intercepts_
    loss = estimator.loss
    if loss == "log_loss" and estimator.out_activation_ == "logistic":
        loss = "binary_log_loss"
    schedule = estimator.learning_rate if estimator.solver == "sgd" else "constant"
    batch_size = 200 if estimator.batch_size == "auto" else int(estimator.batch_size)
    return Plan(
        units=(*(len(coef) for coef in coefs), coefs[-1].shape[1]),
        activation=(*[estimator.activation] * (len(coefs) - 1), estimator.out_activation_),
        loss=loss,
        data_scale=1.0,
        penalty=(float(estimator.alpha) / 2,) * len(coefs),
        per_row=True,
        solver=estimator.solver,
        learning_rate_init=float(estimator.learning_rate_init),
        momentum=float(estimator.momentum),
        nesterovs_momentum=bool(estimator.nesterovs_momentum),
        beta_1=float(estimator.beta_1),
        beta_2=float(estimator.beta_2),
        epsilon=float(estimator.epsilon),
        schedule=(schedule, float(estimator.power_t) if schedule == "invscaling" else 0.0),
        batch_size=batch_size if n_rows is None else min(batch_size, n_rows),
        epochs=int(estimator.max_iter),
        stopping=(float(estimator.tol), float(estimator.n_iter_no_change)),
        early_stopping=bool(estimator.early_stopping) and estimator.solver != "lbfgs",
        dtype=coefs[0].dtype.name,
        exact=True,
        start=tuple(np.array(array) for pair in zip(coefs, intercepts, strict=True) for array in pair),
        order=_order(estimator),
    )


def _order(estimator: Any) -> str:
    if not estimator.shuffle:
        return "as given"
    return f"shuffled by NumPy, seed {estimator.random_state!r}"


def _function(estimator: Any, data: tuple[Any, NDArray[Any], NDArray[Any]] | None) -> Translation:
    """A fitted estimator's model, with its optimizer's memory, and ``partial_fit``'s arguments."""
    plan = _plan(estimator, None if data is None else len(data[1]))
    if plan.solver == "lbfgs":
        return Translation(build(plan.replace(penalty=(0.0,) * len(plan.penalty))))
    optimizer = getattr(estimator, "_optimizer", None)
    plan = plan.replace(learning_rate_init=float(getattr(optimizer, "learning_rate", plan.learning_rate_init)))
    if plan.solver == "adam":
        plan = plan.replace(learning_rate_init=float(estimator.learning_rate_init))
    model = build(plan, None if data is None else len(data[1]))
    _remember(model.optimizer, optimizer)
    if data is None:
        arguments = {"batch_size": plan.batch_size, "epochs": plan.epochs, "shuffle": bool(estimator.shuffle)}
        return Translation(model, arguments)
    from sklearn.utils import check_random_state

    _, X, y = data
    custom = load_custom()
    batches = custom.Batches(X, y, plan.batch_size, None)
    if estimator.shuffle:
        random = copy.deepcopy(check_random_state(estimator.random_state))
        if isinstance(estimator.random_state, int | np.integer):  # `partial_fit` seeds anew, an epoch a call
            batches.order = random.permutation(len(X))
        else:
            batches.random = random
    callbacks = []
    if plan.schedule[0] == "invscaling":
        callback = custom.ScikitLearnStopping(0.0, np.inf, *plan.schedule, len(X), 1)
        callback.start, callback.seen = float(estimator.learning_rate_init), estimator.t_
        callbacks.append(callback)
    return Translation(model, {"x": batches, "epochs": plan.epochs, "callbacks": callbacks, "shuffle": False})


def _remember(keras_optimizer: Any, optimizer: Any) -> None:
    """What scikit-learn's optimizer remembers, which it keeps for all kernels, then all biases."""
    if optimizer is None:
        return
    adam = hasattr(optimizer, "ms")
    for slots, arrays in (
        ((keras_optimizer._momentums, optimizer.ms), (keras_optimizer._velocities, optimizer.vs))
        if adam
        else ((keras_optimizer.momentums, optimizer.velocities),)
    ):
        half = len(arrays) // 2
        alternating = [array for pair in zip(arrays[:half], arrays[half:], strict=True) for array in pair]
        for slot, array in zip(slots, alternating, strict=False):  # there are none without momentum
            slot.assign(np.asarray(array, slot.dtype))
    if adam:
        keras_optimizer.iterations.assign(int(optimizer.t))


def build(plan: Plan, n_rows: int | None = None) -> Any:
    """A compiled `keras.Sequential` that trains by `plan`; not compiled if the solver is "lbfgs".

    Parameters
    ----------
    plan : Plan
        One with a start.
    n_rows : int, optional
        Rows to train on, if they are known: then Keras's own `L2` does where they make equal batches.
    """
    custom = load_custom()
    import keras

    plain = plan.plain_penalty(n_rows)
    with _floatx(plan.dtype):
        layers = []
        for units, activation, factor in zip(plan.units[1:], plan.activation, plan.penalty, strict=True):
            options = {"activation": KERAS_ACTIVATION[activation], "dtype": plan.dtype}
            if not plain:
                layers.append(custom.DensePerRow(units, alpha=2 * factor, **options))
                continue
            factor = factor / plan.batch_size if plan.per_row else factor
            regularizer = keras.regularizers.L2(factor) if factor else None
            if regularizer and plan.exact:
                regularizer.l2 = np.float64(factor)  # `L2` makes it a Python float, which `ops.cast` rounds to float32
            layers.append(keras.layers.Dense(units, kernel_regularizer=regularizer, **options))
        model = keras.Sequential([keras.Input((plan.units[0],), dtype=plan.dtype), *layers])
        if plan.start is not None:
            model.set_weights(list(plan.start))
        if plan.solver == "lbfgs":
            return model
        own = plan.loss == "poisson"
        loss = getattr(custom if own else keras.losses, KERAS_LOSS[plan.loss])(dtype=plan.dtype)
        weight = plan.loss_weight()
        several = plan.loss == "squared_error" and plan.n_outputs > 1
        model.compile(
            optimizer=_optimizer(plan),
            loss=loss,
            loss_weights=None if weight == 1 else [weight],
            metrics=[keras.metrics.MeanSquaredError(name="mean_squared_error", dtype=plan.dtype)] if several else None,
            steps_per_execution=1 if n_rows is None else -(-n_rows // plan.batch_size),
        )
        model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(plan: Plan) -> Any:
    import keras

    number = np.float64 if plan.exact else float
    if plan.solver == "adam":
        return keras.optimizers.Adam(
            plan.learning_rate_init, number(plan.beta_1), number(plan.beta_2), epsilon=plan.epsilon
        )
    return keras.optimizers.SGD(
        plan.learning_rate_init, momentum=number(plan.momentum), nesterov=plan.nesterovs_momentum
    )


@contextmanager
def _floatx(dtype: str) -> Iterator[None]:
    """Keras's floatx, for a while: the learning rate and the loss are of that dtype, whatever the layers' is."""
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def load_custom() -> ModuleType:
    """Import mlpnb's Keras objects, and with them TensorFlow; a sentence for the user if that is not there."""
    load_training()
    from mlpnb import custom

    return custom


def _check_estimator(estimator: Any) -> None:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    if isinstance(estimator, MLPRegressor | MLPClassifier):
        return
    name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
    fix = "give its last step, and X as the steps before leave it" if hasattr(estimator, "steps") else "give one"
    if isinstance(estimator, type):
        fix = f"write {name}()"
    raise InputError(
        f"estimator is a {name}, but it must be an MLPRegressor, MLPClassifier, KerasMLPRegressor or "
        f"KerasMLPClassifier: {fix}."
    )


def check_can_be_trained(estimator: Any) -> None:
    if estimator.solver == "lbfgs":
        raise InputError(
            "solver is 'lbfgs', which no optimizer of Keras's follows: use 'sgd' or 'adam', or fit the estimator and "
            "translate its function."
        )


def _validated(estimator: Any, X: Any, y: Any, *, fresh: bool) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """A copy of the estimator, and X and y as scikit-learn's own validation leaves them, y with a column an output."""
    from scipy import sparse
    from sklearn.base import clone

    copied = clone(estimator) if fresh else copy.deepcopy(estimator)
    copied._validate_params()
    if any(units < 1 for units in hidden_sizes(copied)):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {list(hidden_sizes(copied))}.")  # as scikit-learn's
    X, y = copied._validate_input(X, y, incremental=not fresh, reset=fresh)
    X = X.toarray() if sparse.issparse(X) else X
    return copied, X, np.asarray(y.reshape(len(X), -1), X.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Keras to scikit-learn


def from_keras(model: Any, *, batch_size: int = KERAS_BATCH_SIZE, epochs: int = KERAS_EPOCHS) -> Any:
    """The scikit-learn estimator that computes what a Keras model computes, and whose ``fit`` trains as it does.

    Parameters
    ----------
    model : keras.Model
        A compiled chain of `Dense` layers, regularised by L2 or not at all, with SGD or Adam.
    batch_size, epochs : int, default=32 and 1
        What ``model.fit`` is given, which a model does not know; the defaults are Keras's.

    Returns
    -------
    MLPRegressor or MLPClassifier
        With the model's weights; ``predict`` gives its predictions, in the dtype of the layers.

        scikit-learn's loss is half of Keras's 'mse', and its penalty is divided by the rows of a batch. So a model
        whose gradient is g times scikit-learn's becomes an estimator with ``learning_rate_init`` g times the model's
        (for Adam, ``epsilon`` divided by g instead) and ``alpha = 2 · c · batch_size / g`` for a penalty c · Σ kernel².
        It never stops early, as Keras does not. Not in the model, and so scikit-learn's: the start of a new training,
        and a short last batch, where the penalty per row is stronger than Keras's.

    Raises
    ------
    InputError
        If scikit-learn has no such layer, activation, penalty, optimizer, loss or option; it is named.
    """
    plan = read_model(model, {"batch_size": batch_size, "epochs": epochs})
    hidden = set(plan.activation[:-1])
    if len(hidden) > 1:
        raise InputError(
            f"hidden activations are {', '.join(plan.activation[:-1])}, but scikit-learn has one for all hidden "
            "layers: make them alike."
        )
    if (hidden | {"identity"}) - {"identity", "logistic", "tanh", "relu"}:
        raise InputError(
            f"hidden activation {hidden.pop()!r} is not one that scikit-learn has for hidden layers: use sigmoid, "
            "tanh, relu or linear."
        )
    if len(set(plan.penalty)) > 1:
        raise InputError(
            f"kernel penalties are {', '.join(f'{factor:g}' for factor in plan.penalty)} · Σ kernel², but scikit-learn "
            "has one for all kernels, the output's included: give every layer the same regularizer."
        )
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    scale = plan.data_scale
    sgd = plan.solver == "sgd"
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": plan.units[1:-1],
        "activation": next(iter(hidden), "relu"),
        "solver": plan.solver,
        "alpha": 2 * plan.penalty[0] * (1 if plan.per_row else plan.batch_size) / scale,
        "batch_size": plan.batch_size,
        "learning_rate_init": plan.learning_rate_init * (scale if sgd else 1),
        "max_iter": plan.epochs,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
    }
    if sgd:
        parameters |= {"momentum": plan.momentum, "nesterovs_momentum": plan.nesterovs_momentum}
    else:
        parameters |= {"beta_1": plan.beta_1, "beta_2": plan.beta_2, "epsilon": plan.epsilon / scale}
    if plan.loss in ("log_loss", "binary_log_loss"):
        estimator = MLPClassifier(**parameters)
    else:
        estimator = MLPRegressor(loss=plan.loss, **parameters)
    estimator._validate_params()
    return _with_weights(estimator, plan, model)


def _with_weights(estimator: Any, plan: Plan, model: Any) -> Any:
    """The estimator as it is after a fit that ended with the model's weights."""
    if hasattr(estimator, "predict_proba"):
        from sklearn.preprocessing import LabelBinarizer

        multilabel = plan.loss == "binary_log_loss" and plan.n_outputs > 1
        classes = np.arange(max(plan.n_outputs, 2))
        labels = np.eye(plan.n_outputs, dtype=int) if multilabel else classes
        if multilabel:
            labels = np.vstack([labels, np.ones((1, plan.n_outputs), int)])  # more than one at a time
        estimator._label_binarizer = LabelBinarizer().fit(labels)
        estimator.classes_ = estimator._label_binarizer.classes_
    weights = [np.array(array) for array in model.get_weights()]
    estimator.coefs_, estimator.intercepts_ = weights[::2], weights[1::2]
    estimator.n_features_in_, estimator.n_outputs_ = plan.units[0], plan.n_outputs
    estimator.n_layers_, estimator.out_activation_ = len(plan.units), plan.activation[-1]
    estimator.n_iter_, estimator.t_ = 0, 0
    estimator.loss_curve_, estimator.best_loss_, estimator._no_improvement_count = [], np.inf, 0
    estimator.validation_scores_ = estimator.best_validation_score_ = None
    return estimator


def read_model(model: Any, fit_arguments: Mapping[str, Any]) -> Plan:
    """Read a compiled Keras model's training off it.

    Parameters
    ----------
    model : keras.Model
    fit_arguments : mapping
        What ``model.fit`` is given besides the data; Keras's defaults for what is left out.

    Raises
    ------
    InputError
        Where scikit-learn has nothing like it.
    """
    load_custom()
    from mlpnb.reading import read

    return read(model, fit_arguments)


def fan_bounds(plan: Plan) -> list[float]:
    """The bounds within which scikit-learn draws a layer's kernel and bias (``_init_coef``, scikit-learn 1.9.1)."""
    factor = 2.0 if "logistic" in plan.activation[:-1] else 6.0
    return [float(np.sqrt(factor / (fan_in + fan_out))) for fan_in, fan_out in pairwise(plan.units)]
