"""Start weights and batch order: scikit-learn's replayed from its own training, Keras's as its own layers draw them."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPRegressor

from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, Settings
from mlpnb.draws import KEPT_NUMBERS, draw, draw_key
from mlpnb.fit import SKLEARN_ACTIVATIONS

N_ROWS, N_FEATURES = 25, 3


def drawn(settings, recipe, n_rows, n_features):
    return draw(draw_key(settings, recipe, n_rows, n_features))


def order_of(draws):
    return np.stack(list(draws.orders()))


class Spy(MLPRegressor):
    """scikit-learn's own regressor, which notes the rows of every batch: the target is the row's number."""

    def fit(self, X, y):
        self.rows_seen = []
        return super().fit(X, y)

    def _backprop(self, X, y, *args):
        self.rows_seen.extend(y[:, 0].astype(int))
        return super()._backprop(X, y, *args)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", SKLEARN_ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (4,), (6, 2)], ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_scikit_learns_draws_are_replayed_bit_for_bit(activation, hidden, seed):
    """At a learning rate of 1e-300 training moves no weight, so that it ends with those it started from."""
    settings = Settings(activation=activation, hidden_layer_sizes=hidden, random_state=seed, max_iter=4, batch_size=7)
    regressor = Spy(
        hidden_layer_sizes=hidden, activation=activation, solver="sgd", learning_rate_init=1e-300, momentum=0,
        max_iter=4, batch_size=7, random_state=seed,
    )  # fmt: skip
    random = np.random.default_rng(0)
    regressor.fit(random.normal(size=(N_ROWS, N_FEATURES)), np.arange(N_ROWS, dtype=float))
    for recipe in (MATCHED, SKLEARN):
        draws = drawn(settings, recipe, N_ROWS, N_FEATURES)
        for ours, own in zip((*draws.kernels, *draws.biases), regressor.coefs_ + regressor.intercepts_, strict=True):
            np.testing.assert_array_equal(ours, own)
        np.testing.assert_array_equal(order_of(draws), np.reshape(regressor.rows_seen, (4, N_ROWS)))


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
@hypothesis_settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(2, 40), epochs=st.integers(1, 5))
def test_each_epoch_sees_every_row_once(recipe, seed, n_rows, epochs):
    order = order_of(drawn(Settings(random_state=seed, max_iter=epochs, batch_size=1), recipe, n_rows, N_FEATURES))
    assert order.shape == (epochs, n_rows)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(n_rows), (epochs, 1)))


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_epochs_and_seeds_have_orders_of_their_own(recipe):
    one, other = (drawn(Settings(random_state=seed), recipe, 100, N_FEATURES) for seed in (0, 1))
    assert len(np.unique(order_of(one), axis=0)) == 200
    assert not np.any(np.all(order_of(one) == order_of(other), axis=1))
    assert not np.any(one.kernels[0] == other.kernels[0])


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_more_epochs_go_on_where_fewer_ended(recipe):
    """Moving the slider of the epochs shows the same training for longer, not another one."""
    few, many = (drawn(Settings(max_iter=epochs), recipe, 50, N_FEATURES) for epochs in (3, 170))
    np.testing.assert_array_equal(order_of(few), order_of(many)[:3])
    np.testing.assert_array_equal(few.kernels[0], many.kernels[0])


@pytest.mark.parametrize(
    ("recipe", "activation", "factor"),
    [
        (KERAS_2, "logistic", 6),
        (KERAS_2, "relu", 6),
        (KERAS_2.replace(kernel_start="sklearn"), "logistic", 2),
        (KERAS_2.replace(kernel_start="sklearn"), "tanh", 6),
        (MATCHED, "logistic", 2),
        (MATCHED, "softplus", 6),  # which scikit-learn lacks: its rule for all but logistic
        (MATCHED.replace(kernel_start="glorot_uniform"), "logistic", 6),
    ],
)
def test_kernels_fill_their_bound_and_keep_to_it(recipe, activation, factor):
    """A kernel of 20,000 draws comes within a hundredth of ±sqrt(f / (inputs + outputs)), on both sides."""
    settings = Settings(activation=activation, hidden_layer_sizes=(100, 200), max_iter=1, batch_size=1)
    kernels = drawn(settings, recipe, 2, 200).kernels
    for kernel in kernels[:2]:
        bound = np.sqrt(factor / sum(kernel.shape))
        assert -bound <= kernel.min() < -0.99 * bound
        assert 0.99 * bound < kernel.max() <= bound
        assert abs(kernel.mean()) < 0.02 * bound


def test_keras_kernels_are_those_of_a_dense_layers_default_initializer():
    """Seeded alike, ``Dense``'s default draws the very same float64 kernels."""
    settings = Settings(random_state=7, hidden_layer_sizes=(6,))
    draws = drawn(settings, KERAS_1, N_ROWS, N_FEATURES)
    default = type(keras.layers.Dense(1).kernel_initializer)
    first = default(seed=keras.random.SeedGenerator(7))((N_FEATURES, 6), dtype="float64")
    np.testing.assert_array_equal(draws.kernels[0], keras.ops.convert_to_numpy(first))


@pytest.mark.parametrize("activation", ["logistic", "relu"])
@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_biases_start_at_zero_or_within_the_kernels_bound(recipe, activation):
    settings = Settings(activation=activation, hidden_layer_sizes=(400, 300), max_iter=1)
    zeros = drawn(settings, recipe.replace(bias_start="zeros"), N_ROWS, N_FEATURES)
    assert not any(np.any(bias) for bias in zeros.biases)
    factor = 2 if recipe.kernel_start == "sklearn" and activation == "logistic" else 6
    uniform = drawn(settings, recipe.replace(bias_start="uniform"), N_ROWS, N_FEATURES)
    for kernel, bias in list(zip(uniform.kernels, uniform.biases, strict=True))[:2]:
        bound = np.sqrt(factor / sum(kernel.shape))
        assert -bound <= bias.min() < -0.95 * bound
        assert 0.95 * bound < bias.max() <= bound


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_an_order_too_long_to_keep_is_the_same_each_time_and_whatever_the_number_of_epochs(recipe):
    n_rows = KEPT_NUMBERS // 3
    few, many = (drawn(Settings(max_iter=epochs), recipe, n_rows, N_FEATURES) for epochs in (3, 5))
    assert not [block for block in many.blocks() if block.size > KEPT_NUMBERS]
    np.testing.assert_array_equal(order_of(many), order_of(many))
    np.testing.assert_array_equal(order_of(few), order_of(many)[:3])
    np.testing.assert_array_equal(np.sort(order_of(many)[4]), np.arange(n_rows))
    assert len(np.unique(order_of(many)[:, :20], axis=0)) == 5


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_what_starts_the_biases_changes_no_other_draw(recipe):
    """Otherwise closing that one difference would also change the seed, and its effect could not be told."""
    one, other = (
        drawn(Settings(), recipe.replace(bias_start=start), N_ROWS, N_FEATURES) for start in ("uniform", "zeros")
    )
    np.testing.assert_array_equal(order_of(one), order_of(other))
    for a, b in zip(one.kernels, other.kernels, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_the_two_kernel_starts_differ_by_their_bound_alone(recipe):
    """For logistic by the square root of three in every weight; for the others not at all.

    To 1e-7: Keras's initializers round their bound to float32, also for float64 kernels.
    """
    for activation, ratio in (("logistic", np.sqrt(3)), ("tanh", 1)):
        settings = Settings(activation=activation, max_iter=1)
        narrow, wide = (
            drawn(settings, recipe.replace(kernel_start=start), N_ROWS, N_FEATURES)
            for start in ("sklearn", "glorot_uniform")
        )
        np.testing.assert_allclose(wide.kernels[0], ratio * narrow.kernels[0], rtol=1e-7)
        np.testing.assert_array_equal(order_of(narrow), order_of(wide))


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_the_dtype_and_what_does_not_draw_leave_the_draws_alone(recipe):
    """float32 and float64 start from the same weights, rounded, and no slider but the seed's starts another one."""
    first = drawn(Settings(dtype="float64"), recipe, N_ROWS, N_FEATURES)
    changes = [{"dtype": "float32"}, {"alpha": 0}, {"learning_rate_init": 1}, {"momentum": 0}, {"batch_size": 3}]
    before = keras.config.floatx()
    try:
        for change in changes:
            keras.config.set_floatx("float64")
            other = drawn(Settings(**change), recipe, N_ROWS, N_FEATURES)
            for a, b in zip((*first.kernels, *first.biases), (*other.kernels, *other.biases), strict=True):
                assert b.dtype == np.float64
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(order_of(first), order_of(other))
    finally:
        keras.config.set_floatx(before)


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1], ids=lambda recipe: recipe.draws)
def test_draws_cannot_be_changed_by_who_gets_them(recipe):
    """They are kept for the next fit with the same seed, which a change would reach."""
    draws = drawn(Settings(), recipe, N_ROWS, N_FEATURES)
    for array in (*draws.kernels, *draws.biases, *draws.orders()):
        with pytest.raises(ValueError, match="read-only"):
            array += 1
