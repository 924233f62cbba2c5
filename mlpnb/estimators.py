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
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import shuffle
from sklearn.utils.validation import check_is_fitted

from mlpnb.fit import load_training

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlpnb.single import Network, Scalars, State

# What Keras calls a choice that scikit-learn has too.
_KERAS_NAMES = {
    "activation": {"sigmoid": "logistic", "linear": "identity"},
    "solver": {"SGD": "sgd", "Adam": "adam"},
    "loss": {"mean_squared_error": "squared_error", "mse": "squared_error", "MeanSquaredError": "squared_error"},
}


class _TrainedByKeras:
    """The training methods of ``BaseMultilayerPerceptron``, by Keras layers and a Keras optimizer.

    ``self._optimizer`` stays scikit-learn's own object: it holds the schedule and, between calls, what the Keras
    optimizer remembers. So an estimator is made of NumPy arrays, and can be pickled and copied.
    """

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
        validation: tuple[Any, ...] = (None, None, None)
        if self.early_stopping:
            X, y, sample_weight, *validation = self._split(X, y, sample_weight)
        n_samples = X.shape[0]
        batch_size = self._batch_rows(n_samples)
        epoch, state = self._program(X, y, sample_weight, params, batch_size)
        order = np.arange(n_samples)
        try:
            self.n_iter_ = 0
            for _ in range(self.max_iter):
                if self.shuffle:
                    order = shuffle(order, random_state=self._random_state)
                _check_weights(sample_weight, order, batch_size)
                state, self.loss_ = epoch(state, order=order, scalars=_scalars(self._optimizer, self.alpha))
                if self.early_stopping:  # the score is that of the weights so far
                    _write(state.weights, params)
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
            _write(state.weights, params)
            _remember(self._optimizer, state)
        if self.early_stopping:
            self.coefs_ = self._best_coefs
            self.intercepts_ = self._best_intercepts

    def _fit_lbfgs(
        self, X: Any, y: Any, sample_weight: Any, activations: Any, deltas: Any, coef_grads: Any, intercept_grads: Any,
        layer_units: Any,
    ) -> None:  # fmt: skip
        """SciPy's L-BFGS, called by scikit-learn, on Keras's loss and gradient, in float64 for any input."""
        self._check_layers(layer_units)
        _check_weights(sample_weight, np.arange(X.shape[0]), X.shape[0])
        single = _load_single()
        network = self._network(np.dtype(np.float64))
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
        self._unpack(packed_coef_inter)
        loss, gradients = loss_and_gradient(self.coefs_ + self.intercepts_)
        return loss, np.concatenate([gradient.ravel() for gradient in gradients])

    def _program(
        self, X: Any, y: Any, sample_weight: Any, params: list[Any], batch_size: int
    ) -> tuple[partial[tuple[State, np.floating[Any]]], State]:
        """The compiled epoch on these rows, and what it starts from."""
        single = _load_single()
        dtype = params[0].dtype
        weights_dtype = X.dtype if sample_weight is None else sample_weight.dtype
        network = self._network(dtype, np.result_type(dtype, X.dtype, y.dtype, weights_dtype))
        layout = single.lay_out(X.shape[0], batch_size, _row_bytes(X, network))
        table = single.Table(X, self._like_outputs(y), sample_weight, network, layout)
        slots = [[array.astype(dtype) for array in arrays] for arrays in _slots(self._optimizer)]
        state = single.State(params, slots, np.array(getattr(self._optimizer, "t", 0)))
        return partial(single.trainer(network, _keras_name(self._optimizer), layout).epoch, table=table), state

    def _network(self, *dtypes: Any) -> Network:
        """What the weights at hand compute; the first of `dtypes` is theirs, the widest is the loss's."""
        single = _load_single()
        binary = self.loss == "log_loss" and self.out_activation_ == "logistic"
        return single.Network(
            layer_units=(*(len(coef) for coef in self.coefs_), self.coefs_[-1].shape[1]),
            activation=self.activation,
            out_activation=self.out_activation_,
            loss="binary_log_loss" if binary else self.loss,
            dtype=dtypes[0].name,
            loss_dtype=np.result_type(*dtypes).name,
        )

    def _new_optimizer(self, params: list[Any]) -> Any:
        if self.solver == "adam":
            return AdamOptimizer(params, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return SGDOptimizer(
            params, self.learning_rate_init, self.learning_rate, self.momentum, self.nesterovs_momentum, self.power_t
        )

    def _split(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
        """X, y and weights to train on, then those to validate on; the draw is scikit-learn's."""
        arrays = (X, y) if sample_weight is None else (X, y, sample_weight)
        parts = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and self.n_outputs_ == 1 else None,
        )
        train, held_out = parts[::2], parts[1::2]
        if held_out[0].shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if is_classifier(self):
            held_out[1] = self._label_binarizer.inverse_transform(held_out[1])
        none = [None] * (3 - len(arrays))
        return (*train, *none, *held_out, *none)

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


class KerasMLPRegressor(_TrainedByKeras, MLPRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """`MLPRegressor`, trained by Keras.

    Parameters, attributes, methods, warnings and errors are those of `sklearn.neural_network.MLPRegressor`, as
    installed, and so are the results, to rounding.
    """


class KerasMLPClassifier(_TrainedByKeras, MLPClassifier):  # type: ignore[misc]
    """`MLPClassifier`, trained by Keras.
    """


def _load_single() -> ModuleType:
    """Import the trainer, and with it TensorFlow; a sentence for the user if that is not there."""
    load_training()
    from mlpnb import single

    return single


def _slots(optimizer: Any) -> tuple[Any, ...]:
    """What an optimizer of scikit-learn's remembers, in the order of Keras's slots."""
    return (optimizer.ms, optimizer.vs) if isinstance(optimizer, AdamOptimizer) else (optimizer.velocities,)


def _remember(optimizer: Any, state: State) -> None:
    """Put what Keras's optimizer remembers into scikit-learn's."""
    slots = [[np.array(array) for array in arrays] for arrays in state.slots]
    if isinstance(optimizer, AdamOptimizer):
        optimizer.ms, optimizer.vs = slots
        optimizer.t = int(state.step)
    else:
        (optimizer.velocities,) = slots


def _keras_name(optimizer: Any) -> str:
    if isinstance(optimizer, AdamOptimizer):
        return "Adam"
    return "Nesterov" if optimizer.nesterov else "SGD"


def _scalars(optimizer: Any, alpha: float) -> Scalars:
    """The numbers of this epoch."""
    single = _load_single()
    if isinstance(optimizer, AdamOptimizer):
        return single.Scalars(
            alpha,
            optimizer.learning_rate_init,
            beta_1=optimizer.beta_1,
            beta_2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
        )
    return single.Scalars(alpha, optimizer.learning_rate, momentum=optimizer.momentum)


def _write(weights: Any, params: list[NDArray[Any]]) -> None:
    """Into the arrays themselves, as scikit-learn updates them: a list of best weights may hold the same ones."""
    for param, weight in zip(params, weights, strict=True):
        param[...] = weight


def _check_weights(sample_weight: NDArray[Any] | None, order: NDArray[Any], batch_size: int) -> None:
    """What ``np.average`` raises in scikit-learn's losses."""
    if sample_weight is None:
        return
    sums = np.add.reduceat(sample_weight[order], np.arange(0, len(order), batch_size))
    if not sums.all():
        raise ZeroDivisionError("Weights sum to zero, can't be normalized: a batch has no sample with a weight")


def _row_bytes(X: Any, network: Network) -> int:
    """Of a sparse row made dense; 0 for dense rows."""
    return X.shape[1] * np.dtype(network.dtype).itemsize if sparse.issparse(X) else 0


def _keras_hint(name: str, value: object) -> str:
    """What to do instead of a choice that Keras has and scikit-learn has not, or calls otherwise."""
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__.startswith("keras."):
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
