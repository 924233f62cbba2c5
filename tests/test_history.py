"""Grids recorded epoch by epoch: the same fits, their curves, the animation, and the legend's factors."""

import io

import numpy as np
import pytest
from PIL import Image

import mlpnb
from mlpnb.fit import Fit, NotFitted, load_training
from mlpnb.history import animation, frames

SHORT = mlpnb.Settings(max_iter=12)


@pytest.fixture(scope="module")
def data():
    return mlpnb.load_data("friedman1")


@pytest.fixture(scope="module")
def history(data):
    return mlpnb.record_grid(data, SHORT)


def test_the_last_epoch_is_the_grid_itself(data, history):
    grid = mlpnb.fit_grid(data, SHORT)
    last = history.at(history.epochs)
    assert history.epochs == 12
    for row in range(2):
        for column in range(3):
            one, other = last[row, column], grid[row, column]
            # one compiled program, stacked otherwise: sums of float32 may differ in their last bits
            np.testing.assert_allclose(one.prediction, other.prediction, rtol=1e-4)
            np.testing.assert_allclose(one.loss_curve, other.loss_curve, rtol=1e-4)


def test_an_earlier_epoch_is_a_shorter_training(data, history):
    """Adam and SGD know no schedule, so twelve epochs stopped after five are five."""
    five = mlpnb.fit_grid(data, SHORT.replace(max_iter=5))
    for row in range(2):
        for column in range(3):
            one, other = history.at(5)[row, column], five[row, column]
            np.testing.assert_allclose(one.prediction, other.prediction, rtol=1e-4)
            assert one.n_iter == other.n_iter == 5
            assert one.r2 == pytest.approx(other.r2, abs=1e-4)
            for a, b in zip(one.coefs, other.coefs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_the_start_has_no_loss_and_the_norms_are_those_of_the_kernels(history):
    start = history.at(0)[1, "Keras 2"]
    assert (start.n_iter, len(start.loss_curve)) == (0, 0)
    one = history.histories[1][2]
    assert one.kernel_norms.shape == (13, 2)
    assert one.kernel_norms[-1, 0] == pytest.approx(np.sqrt((one.fit.coefs[0].astype(float) ** 2).sum()))


def test_a_network_that_stops_earlier_stays_as_it_ended(data):
    history = mlpnb.record_grid(data, mlpnb.Settings(max_iter=60, learning_rate_init=1e-9))
    n_iter = [history.at(history.epochs)[0, c].n_iter for c in range(3)]
    assert n_iter[0] < n_iter[1] == 60
    assert history.at(59)[0, 0] is history.at(60)[0, 0]


def test_divergence_and_an_activation_that_is_not_there(data):
    history = mlpnb.record_grid(
        data, mlpnb.Settings(max_iter=8, learning_rate_init=1.0, activation="softplus"), [mlpnb.SKLEARN, mlpnb.KERAS_2]
    )
    assert isinstance(history.at(3)[0, 0], NotFitted)
    last = history.at(8)[1, "Keras 2"]
    assert isinstance(last, Fit)
    assert last.diverged_at is not None
    assert "diverged at epoch" in history.describe()
    figure = mlpnb.plot_history(history, 2)
    assert Image.open(io.BytesIO(figure.png())).text["Description"] == figure.alt
    assert history.at(0)[1, "Keras 2"].diverged_at is None


def test_the_animation_shows_the_epochs_in_order(history):
    picture = Image.open(io.BytesIO(animation(history)))
    assert picture.format == "GIF"
    assert picture.n_frames == len(frames(history.epochs)) == 13
    picture.seek(0)
    first = np.asarray(picture.convert("L"), dtype=float)
    picture.seek(12)
    assert np.abs(np.asarray(picture.convert("L"), dtype=float) - first).max() > 100


def test_frames_are_bounded_and_denser_at_the_start():
    many = frames(1000)
    assert len(many) <= 40
    assert (many[0], many[-1]) == (0, 1000)
    assert many[1] - many[0] < many[-1] - many[-2]


def test_the_legends_factors_are_those_of_the_gradients(data):
    """Measured: the gradients of one and the same start, with a difference open and closed."""
    training = load_training()
    settings = mlpnb.Settings(max_iter=1, alpha=1.0)

    def gradient(recipe, alpha):
        seen = training.trace(data, settings.replace(alpha=alpha, dtype="float64"), recipe, lambda step: step.gradients)
        return seen[0][0]

    open_data = mlpnb.MATCHED.replace(name="open", data_term="full")
    open_penalty = mlpnb.MATCHED.replace(name="open", penalty_scale="whole")
    data_ratio = gradient(open_data, 0.0) / gradient(mlpnb.MATCHED, 0.0)
    np.testing.assert_allclose(data_ratio, 2, rtol=1e-6)
    closed = gradient(mlpnb.MATCHED, 1.0) - gradient(mlpnb.MATCHED, 0.0)
    whole = gradient(open_penalty, 1.0) - gradient(open_penalty, 0.0)
    np.testing.assert_allclose(whole.sum() / closed.sum(), 200, rtol=1e-6)
    words = mlpnb.legend(data, settings)
    assert "Keras 2: twice the gradient, 200 times the penalty." in words
    assert "Keras 1: twice the gradient, 200 times the penalty on the hidden kernels" in words
    assert "50 times the penalty" in mlpnb.legend(data, settings.replace(batch_size=50))
    assert "once the gradient, once the penalty" in mlpnb.legend(data, settings, [mlpnb.MATCHED])
