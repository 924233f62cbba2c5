"""Reading a Keras model: its plan, or a sentence that names what scikit-learn has nothing like.

keras is imported when this module is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from mlpnb.custom import Batches, DensePerRow, PoissonDeviance, ScikitLearnStopping
from mlpnb.errors import InputError
from mlpnb.plan import KERAS_ACTIVATION, Plan

_ACTIVATION = {keras: sklearn for sklearn, keras in KERAS_ACTIVATION.items()}
_OUTPUT = {"identity": "squared_error", "exp": "poisson", "logistic": "binary_log_loss", "softmax": "log_loss"}
_INSTEAD = {
    "Dropout": "remove it, and use alpha against overfitting",
    "BatchNormalization": "remove it, and standardise the inputs with a StandardScaler",
    "Normalization": "remove it, and standardise the inputs with a StandardScaler",
}
# Options of every Keras optimizer that scikit-learn's have not.
_OPTIMIZER_OPTIONS = (
    "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "loss_scale_factor",
    "gradient_accumulation_steps", "amsgrad",
)  # fmt: skip
_FIT_ARGUMENTS = ("x", "y", "batch_size", "epochs", "shuffle", "callbacks", "verbose", "validation_data",
                  "validation_freq", "validation_batch_size", "validation_steps")  # fmt: skip


def read(model: Any, fit_arguments: Mapping[str, Any]) -> Plan:
    """The plan of a compiled model; see `mlpnb.translate.read_model`."""
    if not isinstance(model, keras.Model):
        name = model.__name__ if isinstance(model, type) else type(model).__name__
        raise InputError(f"model is a {name}, but it must be a keras.Model: give a compiled one.")
    if not model.compiled or model.optimizer is None or model.loss is None:
        raise InputError(
            f"model {model.name!r} is not compiled, so its training is unknown: call "
            "model.compile(optimizer=..., loss=...)."
        )
    layers, activation = _layers(model)
    dtypes = {layer.compute_dtype for layer in layers} | {layer.variable_dtype for layer in layers}
    if not dtypes <= {"float32", "float64"} or len(dtypes) > 1:
        raise InputError(
            f"model {model.name!r} computes in {', '.join(sorted(dtypes))}, but scikit-learn computes in float32 or "
            "float64 throughout: give every layer one of them."
        )
    dtype = dtypes.pop()
    loss, data_scale = _loss(model, activation[-1], layers[-1].units)
    optimizer = _optimizer(model.optimizer)
    penalty = tuple(_penalty(layer) for layer in layers)
    per_row = {_is_a(layer, DensePerRow) for layer, factor in zip(layers, penalty, strict=True) if factor}
    if len(per_row) > 1:
        raise InputError(
            "some layers of the model divide their penalty by the rows of a batch and some do not, but scikit-learn "
            "divides all: use DensePerRow for each or for none."
        )
    floatx = {str(model.optimizer.learning_rate.dtype), _loss_dtype(model)}
    batches = fit_arguments.get("x")
    if dtype == "float64" and (keras.config.floatx() == "float64" or _is_a(batches, Batches)):
        narrow = "float32" in floatx
    else:
        narrow = True
    return Plan(
        units=(int(layers[0].kernel.shape[0]), *(int(layer.units) for layer in layers)),
        activation=activation,
        loss=loss,
        data_scale=data_scale,
        penalty=penalty,
        per_row=per_row == {True},
        **optimizer,
        **_fit(fit_arguments),
        dtype="float32" if narrow else "float64",
        exact=_is_exact(model.optimizer, layers),
        start=tuple(model.get_weights()) if int(model.optimizer.iterations) == 0 else None,
    )


def _is_a(thing: Any, cls: type) -> bool:
    """Whether `thing` is one of mlpnb's, or of the copy in a script that ``to_keras(..., as_code=True)`` made."""
    return isinstance(thing, cls) or (type(thing).__name__ == cls.__name__ and isinstance(thing, cls.__mro__[1]))


def _layers(model: Any) -> tuple[list[Any], tuple[str, ...]]:
    """The model's `Dense` layers in a chain, and the activation of each in scikit-learn's words."""
    if not model.built:
        raise InputError(
            f"model {model.name!r} has no weights yet, as it knows no inputs: begin it with keras.Input((n_features,))."
        )
    if len(getattr(model, "inputs", None) or []) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"model {model.name!r} is not a chain from one input to one output, but scikit-learn's networks are: give "
            "a keras.Sequential."
        )
    dense: list[Any] = []
    activation: list[str] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        name = type(layer).__name__
        if type(layer) is keras.layers.Activation and activation and activation[-1] == "identity":
            activation[-1] = _activation(layer)
        elif type(layer) is keras.layers.Dense or _is_a(layer, DensePerRow):
            _check_dense(layer)
            dense.append(layer)
            activation.append(_activation(layer))
        else:
            instead = _INSTEAD.get(name, "use Dense layers only")
            raise InputError(f"layer {layer.name!r} is a {name}, which scikit-learn's MLPs have not: {instead}.")
    if not dense:
        raise InputError(f"model {model.name!r} has no Dense layer: give it one or more.")
    graph = getattr(model, "_functional", None) or model  # of layers with one input each: a chain, unless one is shared
    if len(graph._nodes) != len(graph.layers):
        raise InputError(
            f"model {model.name!r} uses a layer twice, but scikit-learn's networks do not: give a keras.Sequential."
        )
    return dense, tuple(activation)


def _activation(layer: Any) -> str:
    name = keras.activations.serialize(layer.activation)
    name = name if isinstance(name, str) else getattr(layer.activation, "__name__", str(name))
    if name not in _ACTIVATION:
        raise InputError(
            f"layer {layer.name!r} has activation {name!r}, which scikit-learn's MLPs have not: use one of "
            "sigmoid, tanh, relu, linear."
        )
    return _ACTIVATION[name]


def _check_dense(layer: Any) -> None:
    wrong = [
        name
        for name in ("bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint",
                     "quantization_mode", "lora_rank")
        if getattr(layer, name, None) is not None
    ]  # fmt: skip
    if not layer.use_bias:
        wrong.append("use_bias=False")
    if not layer.trainable:
        wrong.append("trainable=False")
    if wrong:
        raise InputError(f"layer {layer.name!r} has {wrong[0]}, which scikit-learn's MLPs have not: leave it out.")


def _penalty(layer: Any) -> float:
    """The factor c of the layer's penalty c · Σ kernel², which is tried out where it is a function."""
    regularizer = layer.kernel_regularizer
    own = layer.alpha / 2 if _is_a(layer, DensePerRow) else 0.0
    if regularizer is None:
        return float(own)
    name = getattr(regularizer, "__name__", type(regularizer).__name__)
    if own:
        raise InputError(
            f"layer {layer.name!r} is a DensePerRow with kernel_regularizer {name!r} as well: leave that out."
        )
    if type(regularizer) is keras.regularizers.L2:
        return float(regularizer.l2)
    if type(regularizer) is keras.regularizers.L1L2 and not regularizer.l1:
        return float(regularizer.l2)
    random = np.random.default_rng(0)
    shape = tuple(layer.kernel.shape)
    one = np.zeros(shape)
    one[0, 0] = 1
    kernels = [one, np.zeros(shape), random.normal(size=shape), 3 * random.normal(size=shape)]
    values = _tried(regularizer, kernels)
    factor = values[0] if values else math.nan
    expected = [factor * np.sum(kernel**2) for kernel in kernels]
    if not values or not np.allclose(values, expected, rtol=1e-5, atol=1e-12) or factor < 0:
        raise InputError(
            f"layer {layer.name!r} has kernel_regularizer {name!r}, which is no multiple of the sum of squares, the "
            "penalty that scikit-learn has: use keras.regularizers.L2."
        )
    return factor


def _tried(function: Any, *arguments: list[Any]) -> list[float]:
    """The function's values, in float64 or, if it has constants of float32, in that; none if it fails."""
    for dtype in ("float64", "float32"):
        try:
            return [
                float(
                    np.mean(keras.ops.convert_to_numpy(function(*(keras.ops.convert_to_tensor(a, dtype) for a in one))))
                )
                for one in zip(*arguments, strict=True)
            ]
        except Exception:  # the user's own function may raise anything
            continue
    return []


def _loss(model: Any, output: str, n_outputs: int) -> tuple[str, float]:
    """scikit-learn's name of the loss, and how many times its gradient this one's is."""
    loss = model.loss
    if isinstance(loss, list | tuple | dict):
        losses = list(loss.values()) if isinstance(loss, dict) else list(loss)
        if len(losses) != 1:
            raise InputError(f"the model has {len(losses)} losses, but scikit-learn's have one: compile it with one.")
        loss = losses[0]
    label = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None) or type(loss).__name__
    plain = {
        "MeanSquaredError": ("squared_error", 2 / n_outputs),
        "BinaryCrossentropy": ("binary_log_loss", 1 / n_outputs),
        "CategoricalCrossentropy": ("log_loss", 1.0),
        "SparseCategoricalCrossentropy": ("log_loss", 1.0),
        "PoissonDeviance": ("poisson", 1.0),
    }
    camel = "".join(part.capitalize() for part in name.split("_"))
    known = _is_a(loss, PoissonDeviance) or getattr(type(loss), "__module__", "").startswith("keras.")
    known = known or getattr(loss, "__module__", "").startswith("keras.")
    found = plain.get(camel if "_" in name else name) if known else None
    if found is None and not isinstance(loss, keras.losses.Loss) and output == "identity":
        found = _tried_loss(loss, n_outputs)
    if found is None:
        raise InputError(
            f"the model's loss is {label!r}, which scikit-learn's MLPs have not: use mean_squared_error for numbers, "
            "binary_crossentropy after a sigmoid, categorical_crossentropy after a softmax."
        )
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    for option, allowed in (("from_logits", False), ("label_smoothing", 0.0), ("ignore_class", None)):
        if config.get(option, allowed) != allowed:
            fix = "give the last layer its activation instead" if option == "from_logits" else "leave it out"
            raise InputError(f"the model's loss has {option}={config[option]!r}, which scikit-learn has not: {fix}.")
    if config.get("reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "mean"):
        raise InputError(
            f"the model's loss has reduction={config['reduction']!r}, but scikit-learn takes the mean over rows: leave "
            "it out."
        )
    kind, scale = found
    if _OUTPUT.get(output) != kind:
        needed = next(KERAS_ACTIVATION[activation] for activation, needs in _OUTPUT.items() if needs == kind)
        raise InputError(
            f"the output's activation is {KERAS_ACTIVATION[output]!r} and the loss {label!r}, a pair that scikit-learn "
            f"has not: with this loss, make it {needed!r}."
        )
    weights = model._compile_loss._user_loss_weights
    weights = list(weights.values()) if isinstance(weights, dict) else np.ravel(1.0 if weights is None else weights)
    return kind, scale * float(weights[0])


def _tried_loss(loss: Any, n_outputs: int) -> tuple[str, float] | None:
    """A loss function of the user's own, if it is a multiple of the squared error."""
    random = np.random.default_rng(0)
    pairs = [random.normal(size=(2, 3, n_outputs)) for _ in range(3)]
    values = _tried(loss, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    means = [float(np.mean((pair[0] - pair[1]) ** 2)) for pair in pairs]
    if not values or values[0] <= 0 or not np.allclose(np.divide(values, means), values[0] / means[0], rtol=1e-5):
        return None
    factor = values[0] / means[0]
    near = round(factor * n_outputs * 2) / (n_outputs * 2)  # 0.5 rather than 0.4999999999999999
    return "squared_error", 2 / n_outputs * (near if math.isclose(near, factor, rel_tol=1e-6) else factor)


def _loss_dtype(model: Any) -> str:
    loss = model.loss
    narrowest = {str(model._compile_loss.dtype)}
    if isinstance(loss, keras.losses.Loss):
        narrowest.add(str(loss.dtype))
    return "float32" if "float32" in narrowest else "float64"


def _optimizer(optimizer: Any) -> dict[str, Any]:
    name = type(optimizer).__name__
    if type(optimizer) not in (keras.optimizers.SGD, keras.optimizers.Adam):
        raise InputError(f"the model's optimizer is {name}, which scikit-learn's MLPs have not: use SGD or Adam.")
    for option in _OPTIMIZER_OPTIONS:
        if getattr(optimizer, option, None):
            raise InputError(
                f"the model's optimizer has {option}={getattr(optimizer, option)!r}, which scikit-learn's have not: "
                "leave it out."
            )
    rate = optimizer._learning_rate
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) or callable(rate):
        raise InputError(
            f"the model's learning rate is a {type(rate).__name__}, which scikit-learn has not: use a number."
        )
    adam = isinstance(optimizer, keras.optimizers.Adam)
    return {
        "solver": "adam" if adam else "sgd",
        "learning_rate_init": float(str(rate.value.numpy())),  # the shortest number that float32 rounds to this one
        "momentum": 0.9 if adam else float(optimizer.momentum),
        "nesterovs_momentum": True if adam else bool(optimizer.nesterov),
        "beta_1": float(optimizer.beta_1) if adam else 0.9,
        "beta_2": float(optimizer.beta_2) if adam else 0.999,
        "epsilon": float(optimizer.epsilon) if adam else 1e-8,
    }


def _is_exact(optimizer: Any, layers: list[Any]) -> bool:
    """Whether no Python float goes through `keras.ops.cast`, which rounds it to float32."""
    adam = isinstance(optimizer, keras.optimizers.Adam)
    numbers = [optimizer.beta_1, optimizer.beta_2] if adam else [optimizer.momentum]
    for layer in layers:
        numbers.append(getattr(layer.kernel_regularizer, "l2", 0.0))
    return all(isinstance(number, np.float64) or float(np.float32(number)) == number for number in numbers)


def _fit(fit_arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the arguments of ``model.fit`` say."""
    for name, value in fit_arguments.items():
        if name not in _FIT_ARGUMENTS and value is not None:
            raise InputError(
                f"fit argument {name!r} is {value!r}, which scikit-learn has nothing like: leave it out, or choose "
                f"from {', '.join(_FIT_ARGUMENTS)}."
            )
    for name in ("batch_size", "epochs"):
        value = fit_arguments.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
            raise InputError(f"{name} is {value!r}, but it must be a whole number, 1 or more: give such a number.")
    batches: Any = fit_arguments.get("x")
    batch_size = int(fit_arguments.get("batch_size") or 32)
    order = "shuffled by Keras" if fit_arguments.get("shuffle", True) else "as given"
    if _is_a(batches, Batches):
        batch_size, order = batches.batch_size, "as given" if batches.random is None else "shuffled by NumPy"
    elif batches is not None and not isinstance(batches, np.ndarray):
        order = f"that of a {type(batches).__name__}"
    stopping: tuple[float, float] | None = None
    early_stopping = False
    schedule: tuple[str, float] = ("constant", 0.0)
    for callback in fit_arguments.get("callbacks") or []:
        if _is_a(callback, ScikitLearnStopping):
            stopping = (callback.tol, callback.n_iter_no_change)
            early_stopping = callback.validation is not None
            schedule = (callback.schedule, callback.power_t if callback.schedule == "invscaling" else 0.0)
        elif isinstance(
            callback, keras.callbacks.EarlyStopping | keras.callbacks.ReduceLROnPlateau
            | keras.callbacks.LearningRateScheduler,
        ):  # fmt: skip
            raise InputError(
                f"callback {type(callback).__name__} has another rule than scikit-learn's: leave it out, or use that "
                "of mlpnb.to_keras(estimator, X, y).fit_arguments."
            )
    return {
        "batch_size": batch_size,
        "epochs": int(fit_arguments.get("epochs") or 1),
        "schedule": schedule,
        "stopping": stopping,
        "early_stopping": early_stopping,
        "order": order,
    }
