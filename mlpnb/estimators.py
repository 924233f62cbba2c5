"""`KerasMLPRegressor` and `KerasMLPClassifier`: scikit-learn's estimators, trained by Keras.

Validation, random draws, stopping rules, schedules, predictions and errors are inherited from `MLPRegressor` and
`MLPClassifier`; what is replaced are the private methods that train, from
``neural_network/_multilayer_perceptron.py`` of scikit-learn 1.9.1.
"""

from __future__ import annotations

import warnings
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils.validation import check_is_fitted

from mlpnb.fit import load_training

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.single import Network, State

_Rows = tuple[Any, Any, Any]  # X, y, sample weights

# What Keras calls a choice that scikit-learn has too.
_KERAS_NAMES = {
    "activation": {"sigmoid": "logistic", "linear": "identity"},
    "solver": {"SGD": "sgd", "Adam": "adam"},
    "loss": {"mean_squared_error": "squared_error", "mse": "squared_error", "MeanSquaredError": "squared_error"},
}


class _TrainedByKeras(BaseMultilayerPerceptron):  # type: ignore[misc]  # scikit-learn has no types
    """The training methods of ``BaseMultilayerPerceptron``, by Keras layers and a Keras optimizer.

    ``self._optimizer`` stays scikit-learn's own object: it holds the schedule and, between calls, what the Keras
    optimizer remembers. So an estimator is made of NumPy arrays, and can be pickled and copied.
    """

    coefs_: list[NDArray[np.floating]]
    intercepts_: list[NDArray[np.floating]]
    _no_improvement_count: int

    @property
    def model_(self) -> Any:
        """The fitted network as a `keras.Sequential` of `Dense` layers, made anew each time it is asked for.

        Its ``predict`` gives what `predict` gives for a regressor, and the probabilities (of the second class, if
        there are two) for a classifier; shape (n_samples, n_outputs).
        """
        check_is_fitted(self)
        single = _load_single()
        network = self._network(self.coefs_[0].dtype)
        model = single.keras_model(network, network.out_activation)
        for layer, coef, intercept in zip(model.layers, self.coefs_, self.intercepts_, strict=True):
            layer.set_weights([coef, intercept])
        return model

    def _fit_stochastic(
        self, X: Any, y: Any, sample_weight: Any, activations: Any, deltas: Any, coef_grads: Any, intercept_grads: Any,
        layer_units: Any, incremental: bool,
    ) -> None:  # fmt: skip
        """Train epoch by epoch: the loop is scikit-learn's, what happens within an epoch is Keras's."""
        self._check_layers(layer_units)
        params = self.coefs_ + self.intercepts_
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = self._new_optimizer(params)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        train, validation = (X, y, sample_weight), (None, None, None)
        if self.early_stopping:
            train, validation = self._split(X, y, sample_weight)
        X, y, sample_weight = train
        n_samples = X.shape[0]
        batch_size = self._batch_rows(n_samples)
        epoch, state, loss_type = self._program(X, y, sample_weight, params, batch_size)
        order = np.arange(n_samples)
        try:
            self.n_iter_ = 0
            for _ in range(self.max_iter):
                if self.shuffle:
                    self._random_state.shuffle(order)  # as `sklearn.utils.shuffle` does, in place
                _check_weights(sample_weight, order, batch_size)
                state, loss = epoch(state, order=order, **_scalars(self._optimizer, self.alpha))
                self.loss_ = loss_type(loss)
                _warn_of_overflow(loss)
                if self.early_stopping:  # the score is that of the weights so far
                    _unpack(state.packed, params)
                self.n_iter_ += 1
                self.t_ += n_samples
                self.loss_curve_.append(self.loss_)
                if self.verbose:
                    print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
                self._update_no_improvement_count(self.early_stopping, *validation)
                self._optimizer.iteration_ends(self.t_)
                if self._no_improvement_count > self.n_iter_no_change:
                    if self._optimizer.trigger_stopping(self._no_improvement(), self.verbose):
                        break
                    self._no_improvement_count = 0
                if incremental:
                    break
                if self.n_iter_ == self.max_iter:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                        "hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=2,
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        finally:
            _unpack(state.packed, params + _slots(self._optimizer))
            if isinstance(self._optimizer, AdamOptimizer):
                self._optimizer.t = state.step
        if self.early_stopping:
            self.coefs_ = self._best_coefs
            self.intercepts_ = self._best_intercepts

    def _fit_lbfgs(
        self, X: Any, y: Any, sample_weight: Any, activations: Any, deltas: Any, coef_grads: Any, intercept_grads: Any,
        layer_units: Any,
    ) -> None:  # fmt: skip
        """SciPy's L-BFGS, called by scikit-learn, on Keras's loss and gradient in the dtype of the first weights."""
        self._check_layers(layer_units)
        _check_weights(sample_weight, np.arange(X.shape[0]), X.shape[0])
        single = _load_single()
        network = self._network(self.coefs_[0].dtype, X, y, sample_weight)
        layout = single.lay_out_whole(X.shape[0], _row_bytes(X, network))
        loss_and_gradient = partial(
            single.objective(network, layout),
            table=single.Table(X, self._like_outputs(y), sample_weight, network, layout),
            total_weight=X.shape[0] if sample_weight is None else sample_weight.sum(),
            alpha=self.alpha,
        )
        super()._fit_lbfgs(
            loss_and_gradient, y, sample_weight, activations, deltas, coef_grads, intercept_grads, layer_units
        )

    def _loss_grad_lbfgs(self, packed_coef_inter: Any, loss_and_gradient: Any, *_: Any) -> tuple[Any, Any]:
        loss, gradient = loss_and_gradient(packed_coef_inter)
        _warn_of_overflow(loss)
        return loss, gradient

    def _program(
        self, X: Any, y: Any, sample_weight: Any, params: list[Any], batch_size: int
    ) -> tuple[partial[tuple[State, np.float64]], State, type[np.floating[Any]]]:
        """The compiled epoch on these rows, what it starts from, and the type of `loss_`."""
        single = _load_single()
        dtype = params[0].dtype
        network = self._network(dtype, X, y, sample_weight)
        layout = single.lay_out(X.shape[0], batch_size, _row_bytes(X, network))
        table = single.Table(X, self._like_outputs(y), sample_weight, network, layout)
        packed = np.concatenate([array.ravel() for array in params + _slots(self._optimizer)], dtype=dtype)
        state = single.State(packed, getattr(self._optimizer, "t", 0))
        epoch = partial(single.trainer(network, _keras_name(self._optimizer), layout).epoch, table=table)
        # scikit-learn counts a batch's rows by NumPy's int64, which widens a float32, unless the size is "auto".
        narrow = network.loss_dtype == "float32" and self.batch_size == "auto"
        return epoch, state, np.float32 if narrow else np.float64

    def _network(self, dtype: Any, *arrays: Any) -> Network:
        """What the weights at hand compute, in `dtype`, with a loss as wide as scikit-learn's of these `arrays`."""
        widest = np.result_type(dtype, *(array.dtype for array in arrays if array is not None))
        # SciPy's `xlogy` of labels, which are booleans, is float64 whatever the probabilities are.
        narrow = widest == np.float32 and self.loss != "log_loss"
        binary = self.loss == "log_loss" and self.out_activation_ == "logistic"
        network: Network = _load_single().Network(
            layer_units=(*(len(coef) for coef in self.coefs_), self.coefs_[-1].shape[1]),
            activation=self.activation,
            out_activation=self.out_activation_,
            loss="binary_log_loss" if binary else self.loss,
            dtype=dtype.name,
            loss_dtype="float32" if narrow else "float64",
        )
        return network

    def _new_optimizer(self, params: list[Any]) -> Any:
        if self.solver == "adam":
            return AdamOptimizer(params, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return SGDOptimizer(
            params, self.learning_rate_init, self.learning_rate, self.momentum, self.nesterovs_momentum, self.power_t
        )

    def _split(self, X: Any, y: Any, sample_weight: Any) -> tuple[_Rows, _Rows]:
        """X, y and weights to train on, and those to validate on; the draw is scikit-learn's."""
        arrays = (X, y) if sample_weight is None else (X, y, sample_weight)
        parts = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and self.n_outputs_ == 1 else None,
        )
        X, X_val, y, y_val, sample_weight, weight_val = (*parts, None, None)[:6]
        if X_val.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if is_classifier(self):
            y_val = self._label_binarizer.inverse_transform(y_val)
        return (X, y, sample_weight), (X_val, y_val, weight_val)

    def _batch_rows(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
            )
        return int(min(self.batch_size, n_samples))

    def _no_improvement(self) -> str:
        what = "Validation score" if self.early_stopping else "Training loss"
        return f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs."

    def _check_layers(self, layer_units: list[int]) -> None:
        """Refuse a warm start of a network of another depth, as scikit-learn does by the errors that it runs into."""
        if len(layer_units) != self.n_layers_:
            error = TypeError if len(layer_units) > self.n_layers_ else IndexError
            raise error(
                f"hidden_layer_sizes {self.hidden_layer_sizes!r} are not as many as the {self.n_layers_ - 2} hidden "
                "layers fitted before, which are trained on: set them back, or warm_start=False."
            )

    def _like_outputs(self, y: NDArray[Any]) -> NDArray[Any]:
        """Targets with a column for each output: a warm start may bring fewer, which NumPy would broadcast."""
        return np.broadcast_to(y, (y.shape[0], self.coefs_[-1].shape[1]))

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except ValueError as error:
            names = [name for name in _KERAS_NAMES if str(error).startswith(f"The {name!r} parameter")]
            hint = _keras_hint(names[0], getattr(self, names[0])) if names else ""
            if not hint:
                raise
            raise type(error)(f"{error} {hint}") from None


class KerasMLPRegressor(_TrainedByKeras, MLPRegressor):  # type: ignore[misc]
    """`sklearn.neural_network.MLPRegressor`, trained by Keras: the same fit, to rounding.

    Parameters, attributes, methods, warnings and errors are `MLPRegressor`'s, as installed. The first fit imports
    TensorFlow, and the first of its shapes compiles a program in about a second; later ones, with any numbers, use it
    again.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, \
    max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, \
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As for `MLPRegressor`, with its defaults.

    Attributes
    ----------
    model_ : keras.Sequential
        The fitted network, made anew each time that it is asked for.
    coefs_, intercepts_ : list of ndarray, shapes (inputs, outputs) and (outputs,)
        Kernels and biases: float32 if X was, float64 otherwise and after ``solver="lbfgs"``, as in scikit-learn.
    loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, \
    n_features_in_, feature_names_in_, out_activation_
        As for `MLPRegressor`.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        A `ValueError`, when a parameter is not among `MLPRegressor`'s choices; one of Keras's is named as such.
    ValueError
        If the weights end up not finite; a loss that overflows on the way is a `RuntimeWarning`, as NumPy's.
    InputError
        If TensorFlow is not there, or Keras runs on another backend.

    Notes
    -----
    Predictions are computed by NumPy, as in scikit-learn, and import nothing. A large table is copied a small part at a
    time, so that little is held beside it, unless a batch is as large as the table. Ctrl-C ends training with
    scikit-learn's warning and the weights after the last whole epoch.

    Examples
    --------
    >>> from mlpnb import KerasMLPRegressor
    >>> KerasMLPRegressor(hidden_layer_sizes=(10,), random_state=0).fit(X, y).predict(X)  # doctest: +SKIP
    """


class KerasMLPClassifier(_TrainedByKeras, MLPClassifier):  # type: ignore[misc]
    """`sklearn.neural_network.MLPClassifier`, trained by Keras: the same fit, to rounding.

    All that is said of `KerasMLPRegressor` holds here, with `MLPClassifier` in the place of `MLPRegressor`: binary,
    multiclass and multilabel targets, ``predict_proba``, ``partial_fit(classes=...)``.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, \
    shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, \
    validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As for `MLPClassifier`, with its defaults.

    Attributes
    ----------
    model_ : keras.Sequential
        The fitted network, made anew each time that it is asked for.
    classes_ : ndarray or list of ndarray of shape (n_classes,)
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_, \
    n_layers_, n_outputs_, n_features_in_, feature_names_in_, out_activation_
        As for `MLPClassifier`.
    """


def _load_single() -> ModuleType:
    """Import the trainer, and with it TensorFlow; a sentence for the user if that is not there."""
    load_training()
    from mlpnb import single

    return single


def _slots(optimizer: Any) -> list[Any]:
    """The arrays that an optimizer of scikit-learn's remembers, in the order of `State`."""
    return [*optimizer.ms, *optimizer.vs] if isinstance(optimizer, AdamOptimizer) else [*optimizer.velocities]


def _keras_name(optimizer: Any) -> str:
    if isinstance(optimizer, AdamOptimizer):
        return "Adam"
    return "Nesterov" if optimizer.nesterov else "SGD"


def _scalars(optimizer: Any, alpha: float) -> dict[str, float]:
    """The numbers of this epoch, as `Scalars` names them."""
    if isinstance(optimizer, AdamOptimizer):
        names = {"beta_1": optimizer.beta_1, "beta_2": optimizer.beta_2, "epsilon": optimizer.epsilon}
        return {"alpha": alpha, "learning_rate": optimizer.learning_rate_init, **names}
    return {"alpha": alpha, "learning_rate": optimizer.learning_rate, "momentum": optimizer.momentum}


def _unpack(packed: Any, arrays: list[NDArray[Any]]) -> None:
    """Into the arrays themselves, as scikit-learn updates them: a list of best weights may hold the same ones."""
    rest = np.asarray(packed)
    for array in arrays:
        array[...] = rest[: array.size].reshape(array.shape)
        rest = rest[array.size :]


def _check_weights(sample_weight: NDArray[Any] | None, order: NDArray[Any], batch_size: int) -> None:
    """What ``np.average`` raises in scikit-learn's losses."""
    if sample_weight is None:
        return
    sums = np.add.reduceat(sample_weight[order], np.arange(0, len(order), batch_size))
    if not sums.all():
        raise ZeroDivisionError("Weights sum to zero, can't be normalized: a batch has no sample with a weight")


def _warn_of_overflow(loss: Any) -> None:
    """What NumPy does on an overflow, by `np.errstate` a `RuntimeWarning`: Keras's arithmetic says nothing."""
    if not np.isfinite(loss):
        np.multiply(np.finfo(np.float64).max, 2)


def _row_bytes(X: Any, network: Network) -> int:
    """Of a row of inputs, dense."""
    return int(X.shape[1]) * np.dtype(network.dtype).itemsize


def _keras_hint(name: str, value: object) -> str:
    """What to do instead of a choice that Keras has and scikit-learn has not, or calls otherwise."""
    if getattr(value, "__module__", "").startswith("keras."):
        return f"Give a name: {name} takes none of Keras's objects."
    if not isinstance(value, str):
        return ""
    if value in _KERAS_NAMES[name]:
        return f"scikit-learn calls it {_KERAS_NAMES[name][value]!r}."
    load_training()
    import keras

    modules = {"activation": keras.activations, "solver": keras.optimizers, "loss": keras.losses}
    try:
        modules[name].get(value)
    except ValueError:
        return ""
    return f"Keras has {value!r}, but scikit-learn's estimator has not, and this one is its equal."
