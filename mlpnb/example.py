"""The question's two models, for a reader to put their own in the place of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlpnb.fit import SKLEARN_ACTIVATIONS, load_training
from mlpnb.settings import Settings

if TYPE_CHECKING:
    from mlpnb.data import Data


def example_models(data: Data, settings: Settings | None = None) -> tuple[Any, Any, dict[str, Any]]:
    """The question's `MLPRegressor` and *Keras 2*, as one writes them, not trained.

    Parameters
    ----------
    data : Data
    settings : Settings, optional
        The question's, if left out. An activation that scikit-learn lacks is replaced by relu in both.

    Returns
    -------
    estimator : MLPRegressor
    model : keras.Sequential
        Compiled, in the dtype of the settings; L2(alpha / 2) on every kernel.
    fit_arguments : dict
        ``batch_size`` and ``epochs``.

    Raises
    ------
    InputError
        If TensorFlow is not there, or `batch_size` is above the training rows.
    """
    settings = settings or Settings()
    keras_name = load_training().KERAS_ACTIVATION
    import keras
    from sklearn.neural_network import MLPRegressor

    activation = settings.activation if settings.activation in SKLEARN_ACTIVATIONS else "relu"
    estimator = MLPRegressor(
        hidden_layer_sizes=settings.hidden_layer_sizes,
        activation=activation,
        solver=settings.solver,
        alpha=settings.alpha,
        batch_size=settings.batch_size,
        learning_rate_init=settings.learning_rate_init,
        max_iter=settings.max_iter,
        random_state=settings.random_state,
        momentum=settings.momentum,
        nesterovs_momentum=settings.nesterovs_momentum,
    )
    options = {"kernel_regularizer": keras.regularizers.L2(settings.alpha / 2), "dtype": settings.dtype}
    hidden = [keras.layers.Dense(units, keras_name[activation], **options) for units in settings.hidden_layer_sizes]
    inputs = keras.Input((data.X_train.shape[1],), dtype=settings.dtype)
    model = keras.Sequential([inputs, *hidden, keras.layers.Dense(1, **options)])
    if settings.solver == "adam":
        optimizer = keras.optimizers.Adam(settings.learning_rate_init)
    else:
        optimizer = keras.optimizers.SGD(
            settings.learning_rate_init, momentum=settings.momentum, nesterov=settings.nesterovs_momentum
        )
    model.compile(optimizer=optimizer, loss="mean_squared_error")
    return estimator, model, {"batch_size": settings.batch_rows(len(data.y_train)), "epochs": settings.max_iter}
