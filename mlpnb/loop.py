"""What ``model.fit`` does with batches of NumPy arrays, an epoch in one compiled program: some ten times quicker.

tensorflow is imported when this module is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from mlpnb.custom import Batches


def train(model: Any, batches: Batches, epochs: int, callbacks: list[Any]) -> list[float]:
    """Train a compiled model.

    Parameters
    ----------
    model : keras.Model
    batches : Batches
    epochs : int
    callbacks : list of keras.callbacks.Callback
        Of which ``on_train_begin``, ``on_epoch_end`` and ``on_train_end`` are called.

    Returns
    -------
    list of float
        The loss by epoch. The first that is not finite ends training, from which nothing comes back.
    """
    dtype = model.layers[-1].compute_dtype
    X, y = (tf.constant(np.asarray(array, dtype)) for array in (batches.X, batches.y))
    n_rows = len(batches.X)
    variables = model.trainable_variables

    def epoch(order: Any) -> tuple[Any, Any]:
        def batch(first: Any, total: Any, squares: Any) -> Any:
            rows = order[first : first + batches.batch_size]
            x, truth = tf.gather(X, rows), tf.gather(y, rows)
            with tf.GradientTape() as tape:
                prediction = model(x, training=True)
                loss = model.compute_loss(x, truth, prediction)
            model.optimizer.apply(tape.gradient(loss, variables), variables)
            total += tf.cast(loss, tf.float64) * tf.cast(tf.size(rows), tf.float64)
            squares += tf.reduce_sum(tf.cast(tf.square(truth - prediction), tf.float64))
            return first + batches.batch_size, total, squares

        zero = tf.zeros([], tf.float64)
        _, total, squares = tf.while_loop(lambda first, *_: first < n_rows, batch, [tf.constant(0), zero, zero])
        return total / n_rows, squares / y.shape.num_elements()

    program = tf.function(epoch, autograph=False).get_concrete_function(tf.TensorSpec([n_rows], tf.int32))
    model.stop_training = False
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    loss_curve: list[float] = []
    for number in range(epochs):
        batches.on_epoch_begin()
        loss, squares = program(tf.constant(batches.order, tf.int32))
        for callback in callbacks:
            callback.on_epoch_end(number, {"loss": loss.numpy(), "mean_squared_error": squares.numpy()})
        loss_curve.append(float(loss))
        if model.stop_training or not np.isfinite(loss_curve[-1]):
            break
    for callback in callbacks:
        callback.on_train_end()
    return loss_curve
