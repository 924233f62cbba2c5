"""Divergence: the limits of theory against the updates themselves, maps against fits, replays against training."""

import dataclasses
from itertools import pairwise

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

import mlpnb
from mlpnb import (
    KERAS_1,
    KERAS_2,
    MATCHED,
    SKLEARN,
    Data,
    InputError,
    Settings,
    StabilityMap,
    critical_learning_rate,
    curvature,
    linear_boundaries,
    load_data,
    momentum_limit,
    replay,
    stability,
)
from mlpnb.divergence import outcome, scale_target, start_curvature
from mlpnb.draws import draw, draw_key
from mlpnb.fit import fit_keras, fit_sklearn
from mlpnb.settings import ACTIVATIONS

LINEAR = Settings(
    activation="identity", hidden_layer_sizes=(), batch_size=331, alpha=0.0, dtype="float64", max_iter=300
)
SMALL = Settings(activation="identity", max_iter=15, dtype="float64")
RATES = np.geomspace(1e-4, 3e-2, 6)


@pytest.fixture(scope="module")
def data():
    return load_data("diabetes")


@pytest.fixture(scope="module")
def plane(data):
    return stability(data, SMALL, learning_rates=RATES, target_scales=[0.01, 1, 10])


@pytest.fixture(scope="module")
def over_alpha(data):
    return stability(data, SMALL, learning_rates=RATES, alphas=[1, 1000])


def blank(outcomes, **changes):
    """A map by hand: outcomes of shape (n_recipes, n_values, n_rates)."""
    n_recipes, n_values, n_rates = np.shape(outcomes)
    whole = StabilityMap(
        load_data("diabetes"), SMALL, (MATCHED, KERAS_2)[:n_recipes], np.geomspace(1e-3, 1, n_rates), "target scale",
        np.geomspace(0.1, 1, n_values), np.array(outcomes), np.ones((n_recipes, n_values, 2)),
    )  # fmt: skip
    return dataclasses.replace(whole, **changes)


# ---------------------------------------------------------------------------------------------------------------------
# What theory expects

POINTS = [(1.0, 0.0), (0.0, 1.0)]  # weight and velocity: the columns of one update's matrix


def updated_by_sklearn(a, momentum, nesterov):
    """One update each by scikit-learn's own optimizer, on a·w²/2 with a learning rate of 1."""
    columns = []
    for weight, velocity in POINTS:
        w = np.array([weight])
        optimizer = SGDOptimizer([w], 1.0, momentum=momentum, nesterov=nesterov)
        optimizer.velocities = [np.array([velocity])]
        optimizer.update_params([w], [a * w])
        columns.append((w[0], optimizer.velocities[0][0]))
    return np.array(columns).T


def updated_by_keras(a, momentum, nesterov):
    columns = []
    for weight, velocity in POINTS:
        w = keras.Variable([weight], dtype="float64")
        optimizer = keras.optimizers.SGD(1.0, momentum=np.float64(momentum), nesterov=nesterov)
        optimizer.build([w])
        optimizer.momentums[0].assign([velocity])
        optimizer.apply([a * w], [w])
        columns.append((w.numpy()[0], optimizer.momentums[0].numpy()[0]))
    return np.array(columns).T


@pytest.mark.parametrize(
    ("update", "lowest"), [(updated_by_sklearn, 0.0), (updated_by_keras, 0.01)], ids=["scikit-learn", "Keras"]
)
@pytest.mark.parametrize("nesterov", [True, False])
def test_the_limit_is_where_the_libraries_own_updates_stop_being_stable(update, lowest, nesterov):
    """Below it the update's matrix shrinks every start, above it does not. Keras has no velocity at a momentum of 0."""

    @hypothesis_settings(max_examples=15, deadline=None, derandomize=True)
    @given(momentum=st.floats(lowest, 1))
    def check(momentum):
        limit = momentum_limit(momentum, nesterov=nesterov)
        below, at, above = (
            np.abs(np.linalg.eigvals(update(part * limit, momentum, nesterov))).max() for part in (0.999, 1, 1.001)
        )
        assert below < 1 or (momentum > 0.999 and below < 1 + 1e-9)  # at a momentum of 1 nothing ever comes to rest
        assert at == pytest.approx(1, abs=1e-6)
        assert above > 1 + 1e-6

    check()


def test_limits_everyone_knows():
    assert momentum_limit(0.0, nesterov=False) == momentum_limit(0.0, nesterov=True) == 2
    assert momentum_limit(0.9, nesterov=False) == pytest.approx(3.8)
    assert momentum_limit(0.9, nesterov=True) == pytest.approx(3.8 / 2.8)


def table(n_rows=60, n_features=3):
    random = np.random.default_rng(0)
    X = random.normal(size=(n_rows, n_features))
    y = 3 * np.sin(X[:, 0]) + X[:, 1]
    return Data(X[10:], X[:10], y[10:], y[:10], tuple("abcd"[:n_features]), "y", "table")


def loss_by_hand(packed, data, settings, recipe):
    """The recipe's loss over all rows as a function of all weights in one vector, which may be complex."""
    n_rows = len(data.y_train)
    sizes = (data.X_train.shape[1], *settings.hidden_layer_sizes, 1)
    n_layers = len(sizes) - 1
    activation = {
        "tanh": np.tanh,
        "softplus": lambda z: np.log1p(np.exp(z)),
    }[settings.activation]
    hidden, penalty, start = data.X_train, 0, 0
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        kernel = packed[start : start + n_in * n_out].reshape(n_in, n_out)
        bias = packed[start + n_in * n_out : start + (n_in + 1) * n_out]
        start += (n_in + 1) * n_out
        hidden = hidden @ kernel + bias
        if layer < n_layers - 1:
            hidden = activation(hidden)
        if recipe.penalised_kernels == "all" or layer < n_layers - 1:
            penalty = penalty + settings.alpha / 2 * np.sum(kernel**2)
    data_factor = 0.5 if recipe.data_term == "half" else 1.0
    rows = n_rows if recipe.penalty_scale == "per row" else 1
    return data_factor * np.mean((data.y_train - hidden[:, 0]) ** 2) + penalty / rows


def hessian_by_hand(packed, *problem):
    """Central differences of a gradient by complex steps, which has no rounding to speak of."""
    n, tiny, step = len(packed), 1e-30, 1e-5

    def gradient(at):
        return np.array([loss_by_hand(at + 1j * tiny * axis, *problem).imag / tiny for axis in np.eye(n)])

    columns = [(gradient(packed + step * axis) - gradient(packed - step * axis)) / (2 * step) for axis in np.eye(n)]
    return np.array(columns)


@pytest.mark.parametrize("recipe", [MATCHED, KERAS_1, KERAS_2], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize(("activation", "hidden"), [("tanh", (4,)), ("softplus", (3, 2))], ids=str)
def test_the_curvature_is_the_hessians_largest_eigenvalue(activation, hidden, recipe):
    """With a penalty so large that leaving it out, or on a kernel too many, would show."""
    settings = Settings(activation=activation, hidden_layer_sizes=hidden, dtype="float64", alpha=4.0)
    start = draw(draw_key(settings, recipe, *table().X_train.shape))
    weights = [array for pair in zip(start.kernels, start.biases, strict=True) for array in pair]
    packed = np.concatenate([array.ravel() for array in weights])
    hessian = hessian_by_hand(packed, table(), settings, recipe)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)
    largest = np.linalg.eigvalsh(hessian)[-1]
    # eigsh and the differences agree to six figures and more; the scalars' rounding is 1e-8
    assert start_curvature(table(), settings, recipe) == pytest.approx(largest, rel=1e-6)
    assert curvature(table(), settings, recipe, start.kernels, start.biases) == pytest.approx(largest, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 50.0])
def test_the_linear_models_curvature_is_that_of_its_inputs(data, alpha):
    """(2 · data factor) / n · (X, 1)ᵀ(X, 1), and the penalty on the kernel alone; whatever the weights are."""
    settings = LINEAR.replace(alpha=alpha)
    inputs = np.column_stack([data.X_train, np.ones(331)])
    gram = inputs.T @ inputs / 331
    on_kernel = np.diag([*np.ones(10), 0.0])
    anywhere = [np.full((10, 1), 7.0)], [np.array([-3.0])]
    for recipe, hessian in (
        (MATCHED, gram + alpha / 331 * on_kernel),
        (KERAS_2, 2 * gram + alpha * on_kernel),
        (KERAS_1, 2 * gram),  # its only kernel is the output's
    ):
        expected = pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-9)
        assert start_curvature(data, settings, recipe) == expected
        assert curvature(data, settings, recipe, *anywhere) == expected


# ---------------------------------------------------------------------------------------------------------------------
# Boundaries by real fits


def test_the_linear_models_boundary_is_the_predicted_one_and_keras_has_half_of_it(data):
    """Measured on `MLPRegressor` and Keras over 1000 epochs; predicted here by NumPy."""
    boundaries = linear_boundaries(data, [(0.9, True)])
    inputs = np.column_stack([data.X_train, np.ones(331)])
    largest = np.linalg.eigvalsh(inputs.T @ inputs / 331)[-1]
    (row,) = (row for _, row in boundaries.iterrows())
    assert row["predicted learning rate"] == pytest.approx(3.8 / 2.8 / largest, rel=1e-9)
    assert row["MLPRegressor, measured"] == pytest.approx(3.8 / 2.8 / largest, rel=0.01)
    assert row["Keras, measured"] == pytest.approx(3.8 / 2.8 / largest / 2, rel=0.01)
    assert row["Keras / predicted"] == pytest.approx(0.5, abs=0.005)


def test_a_boundary_has_trainings_that_work_on_one_side_and_fail_on_the_other(data):
    settings = LINEAR.replace(alpha=3.0)
    rate = critical_learning_rate(data, settings, KERAS_2, low=1e-3, high=10)
    below, above = (
        fit_keras(data, [settings.replace(learning_rate_init=rate * part)], [KERAS_2])[0] for part in (0.99, 1.01)
    )
    assert outcome(below) == 0
    assert outcome(above) > 0
    # the penalty, undivided, is on the kernel's curvature
    assert rate < 3.8 / 2.8 / start_curvature(data, LINEAR, KERAS_2)


@pytest.mark.parametrize(
    ("recipe", "changes", "rates", "message"),
    [
        (KERAS_2, {}, {"low": 1.0, "high": 2.0}, "learning rate 1 does not train on 'diabetes'.*smaller low"),
        (KERAS_2, {}, {"low": 1e-5, "high": 1e-3}, "learning rate 0.001 trains on 'diabetes'.*larger high"),
        (SKLEARN, {}, {"low": 1.0, "high": 2.0}, "learning rate 1 does not train"),
        (KERAS_2, {}, {"low": -1.0, "high": 1.0}, "learning_rate_init is -1.0"),
        (KERAS_2, {}, {"low": 1e-3, "high": 1.0, "rtol": 0.0}, "rtol is 0.0.*1e-3"),
        (KERAS_2, {}, {"low": 1e-3, "high": 1.0, "rtol": float("nan")}, "rtol is nan"),
        (SKLEARN, {"activation": "softplus"}, {"low": 1e-4, "high": 1.0}, "activation 'softplus' is not one of scikit"),
    ],
    ids=str,
)
def test_what_cannot_be_narrowed_down_is_said_in_a_sentence(data, recipe, changes, rates, message):
    with pytest.raises(InputError, match=message):
        critical_learning_rate(data, LINEAR.replace(**changes), recipe, **rates)


# ---------------------------------------------------------------------------------------------------------------------
# Maps


@pytest.mark.parametrize("name", ["plane", "over_alpha"])
def test_each_cell_of_a_map_is_the_fit_of_its_settings(name, request, data):
    """Trained by itself, from settings written by hand."""
    plane = request.getfixturevalue(name)
    kinds = set()
    for index, recipe in enumerate((MATCHED, KERAS_2)):
        for row, value in enumerate(plane.values):
            for column, rate in enumerate(RATES):
                settings, place = SMALL.replace(learning_rate_init=rate), data
                if plane.across == "alpha":
                    settings = settings.replace(alpha=value)
                else:
                    place = dataclasses.replace(data, y_train=value * data.y_train, y_test=value * data.y_test)
                (fit,) = fit_keras(place, [settings], [recipe])
                ended = fit.loss_curve[-1] > fit.loss_curve[0]
                expected = 2 if fit.diverged_at is not None else int(ended)
                assert plane.outcomes[index, row, column] == expected
                kinds.add(expected)
    assert {0, 2} <= kinds


def test_the_curvatures_of_a_map_are_those_at_the_start_and_at_the_largest_stable_rate(plane, data):
    for index, recipe in enumerate(plane.recipes):
        place = scale_target(data, 1.0)
        assert plane.curvatures[index, 1, 0] == pytest.approx(start_curvature(place, SMALL, recipe), rel=1e-6)
        stable = RATES[np.flatnonzero(plane.outcomes[index, 1] == 0)[-1]]
        settings = SMALL.replace(learning_rate_init=stable)
        (end,) = fit_keras(place, [settings], [recipe])
        at_end = curvature(place, settings, recipe, end.coefs, end.intercepts)
        assert plane.curvatures[index, 1, 1] == pytest.approx(at_end, rel=1e-6)
        np.testing.assert_allclose(plane.predicted()[index], 3.8 / 2.8 / plane.curvatures[index])


def test_where_no_rate_trains_there_is_no_boundary_and_no_end(data):
    plane = stability(data, SMALL, learning_rates=RATES * 1e6, target_scales=[1, 2])
    assert (plane.outcomes == 2).all()
    assert (plane.boundary() == 0).all()
    assert np.isnan(plane.curvatures[..., 1]).all()
    assert np.isfinite(plane.curvatures[..., 0]).all()
    assert np.isnan(plane.factor()).all()
    assert "nan" not in plane.describe()


def test_a_larger_target_and_the_undivided_penalty_diverge_at_smaller_rates(plane, over_alpha):
    assert (np.diff(plane.boundary(), axis=1) < 0).all()
    matched, keras_2 = over_alpha.boundary()
    assert matched[0] == matched[1]  # divided by 200 rows, a thousandfold penalty is little
    assert keras_2[1] < keras_2[0]
    assert over_alpha.factor()[0] == pytest.approx(np.median(matched / keras_2))


@hypothesis_settings(max_examples=100, deadline=None, derandomize=True)
@given(
    outcomes=arrays(np.int64, st.tuples(st.just(2), st.integers(1, 3), st.integers(2, 6)), elements=st.integers(0, 2))
)
def test_the_boundary_is_between_the_first_rate_that_fails_and_the_one_before(outcomes):
    plane = blank(outcomes)
    for index, rows in enumerate(outcomes):
        for row, cells in enumerate(rows):
            failing = [rate for rate, cell in zip(plane.learning_rates, cells, strict=True) if cell != 0]
            if not failing:
                assert plane.boundary()[index, row] == np.inf
            elif cells[0] != 0:
                assert plane.boundary()[index, row] == 0
            else:
                before = plane.learning_rates[plane.learning_rates < failing[0]][-1]
                assert plane.boundary()[index, row] == pytest.approx(np.sqrt(before * failing[0]))
    assert all(np.isnan(part) or part > 0 for part in plane.factor())


def test_the_factor_counts_rows_with_both_boundaries_on_the_map():
    plane = blank([[[0, 0, 0, 2], [0, 0, 2, 2], [0, 0, 0, 0]], [[0, 2, 2, 2], [0, 0, 2, 2], [0, 2, 2, 2]]])
    np.testing.assert_allclose(plane.factor(), (50.5, 1, 100))  # rates are ten apart
    assert "50.50 times the learning rate of that of Keras 2 (median; from 1.00 to 100.00)" in plane.describe()
    table = plane.to_frame()
    assert list(table["target scale"]) == list(plane.values)
    np.testing.assert_allclose(table["factor"], [100, 1, np.inf])


def test_a_map_of_one_recipe_has_no_factor():
    plane = blank([[[0, 0, 2]]])
    assert np.isnan(plane.factor()).all()
    assert "factor" not in plane.to_frame()
    assert "times" not in plane.describe()


def test_the_limit_of_momentum_is_not_claimed_of_adam():
    plane = blank([[[0, 0, 2]]])
    assert np.isfinite(plane.predicted()).all()
    assert np.isnan(dataclasses.replace(plane, settings=SMALL.replace(solver="adam")).predicted()).all()


def test_where_the_loss_curves_nowhere_upwards_every_rate_is_expected_to_be_stable():
    plane = blank([[[0, 0, 2]]], curvatures=np.array([[[-1.0, 0.0]]]))
    assert (plane.predicted() == np.inf).all()


def test_mlpregressor_confirms_the_map_also_next_to_the_boundary(plane, data):
    confirmed = plane.confirm(14, seed=3)
    assert confirmed["agree"].all()
    assert set(confirmed["by MLPRegressor"]) == {"trains", "diverges"}
    assert len(confirmed) == len(confirmed[["learning rate", "target scale"]].drop_duplicates()) == 14
    near = confirmed[confirmed["next to the boundary"]]
    assert set(near["by MLPRegressor"]) == {"trains", "diverges"}
    for _, row in near.iterrows():
        rates = plane.learning_rates
        (at,) = np.flatnonzero(rates == row["learning rate"])
        cells = plane.outcomes[0, list(plane.values).index(row["target scale"])]
        others = [cells[other] for other in (at - 1, at + 1) if 0 <= other < len(rates)]
        assert any((cell == 0) != (cells[at] == 0) for cell in others)
        fit = fit_sklearn(scale_target(data, row["target scale"]),
                          SMALL.replace(learning_rate_init=row["learning rate"]), SKLEARN)  # fmt: skip
        assert (fit.diverged_at is not None) == (row["by MLPRegressor"] == "diverges")
    assert len(plane.confirm(1000)) == plane.outcomes[0].size  # no more than there are


def test_mlpregressor_confirms_the_penaltys_map_too(over_alpha):
    confirmed = over_alpha.confirm(12)
    assert confirmed["agree"].all()
    assert set(confirmed["alpha"]) == {1.0, 1000.0}


def test_a_map_that_is_wrong_is_not_confirmed(plane):
    """Were the map upside down, MLPRegressor would say so in every cell."""
    wrong = dataclasses.replace(plane, outcomes=np.where(plane.outcomes == 0, 2, 0))
    assert not wrong.confirm(18)["agree"].any()


def test_without_a_column_or_an_activation_of_scikit_learns_there_is_nothing_to_confirm(plane):
    with pytest.raises(InputError, match=r"no recipe of this map is scikit-learn's.*add MATCHED"):
        dataclasses.replace(plane, recipes=(KERAS_1, KERAS_2)).confirm()
    with pytest.raises(InputError, match="activation 'softplus' is not one of scikit-learn's"):
        dataclasses.replace(plane, settings=SMALL.replace(activation="softplus")).confirm()


NOT_AN_AXIS = {
    "one value": [0.1], "none": [], "no width": [0.1, 0.1], "unsorted": [0.2, 0.1], "zero": [0, 0.1],
    "negative": [-0.1, 0.1], "NaN": [0.1, np.nan], "infinite": [0.1, np.inf], "words": ["a", "b"],
    "numbers as text": ["0.1", "0.2"], "a word": "0.1", "a number": 0.1, "two axes": [[0.1, 0.2]],
    "ragged": [[0.1], [0.2, 0.3]], "complex": [0.1, 0.2j], "many": np.linspace(1, 0, 1000),
}  # fmt: skip


@pytest.mark.parametrize("axis", ["learning_rates", "target_scales", "alphas"])
@pytest.mark.parametrize("values", NOT_AN_AXIS.values(), ids=NOT_AN_AXIS)
def test_what_is_no_axis_is_said_in_a_sentence_before_training(data, monkeypatch, axis, values):
    monkeypatch.setattr("mlpnb.divergence.fit_keras", lambda *args: pytest.fail("trained"))
    with pytest.raises(
        InputError, match=rf"^{axis} is .*, but it must be two or more finite numbers above 0"
    ) as caught:
        stability(data, SMALL, **{axis: values})
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_scales": [1, 2], "alphas": [1, 2]}, "both target_scales and alphas"),
        ({"recipes": ()}, "one or more that Keras trains"),
        ({"recipes": (SKLEARN, KERAS_2)}, r"'scikit-learn'.*StabilityMap.confirm"),
        ({"recipes": (KERAS_2, KERAS_2)}, "each with a name of its own"),
    ],
    ids=["both axes", "no recipe", "scikit-learn itself", "two of a name"],
)
def test_what_cannot_be_a_map_is_said_in_a_sentence(data, monkeypatch, options, message):
    monkeypatch.setattr("mlpnb.divergence.fit_keras", lambda *args: pytest.fail("trained"))
    with pytest.raises(InputError, match=message):
        stability(data, SMALL, **options)


# ---------------------------------------------------------------------------------------------------------------------
# Replays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_replay_ends_at_the_step_that_overflows(data, dtype):
    settings = Settings(activation="identity", learning_rate_init=2e-3, max_iter=40, dtype=dtype)
    steps = replay(data, settings)
    (fit,) = fit_keras(data, [settings], [KERAS_2])
    assert np.isfinite(steps["loss"].iloc[:-1]).all()
    assert not np.isfinite(steps["loss"].iloc[-1])
    assert steps["epoch"].iloc[-1] == fit.diverged_at < 40
    assert list(steps.index) == list(range(len(steps)))
    assert steps["loss"].iloc[-2] > 1e10 > steps["loss"].iloc[0]


def test_a_replay_is_the_training_that_it_replays(data):
    """Its losses, averaged over the rows of an epoch, are the loss curve; its norms are those of the weights."""
    settings = Settings(activation="tanh", hidden_layer_sizes=(4,), batch_size=100, dtype="float64", max_iter=6)
    steps = replay(data, settings, MATCHED)
    assert len(steps) == 6 * 4
    assert list(steps["epoch"]) == [epoch for epoch in range(1, 7) for _ in range(4)]
    short, fit = fit_keras(data, [settings.replace(max_iter=5), settings], [MATCHED] * 2)
    rows = np.array([100, 100, 100, 31])
    averaged = steps["loss"].to_numpy().reshape(6, 4) @ rows / 331
    np.testing.assert_allclose(averaged, fit.loss_curve, rtol=1e-12)
    after_five = steps[steps["epoch"] == 6].iloc[0]
    for layer in range(2):
        kernel, bias = short.coefs[layer], short.intercepts[layer]
        assert after_five[f"kernel {layer + 1} norm"] == pytest.approx(np.linalg.norm(kernel), rel=1e-12)
        assert after_five[f"bias {layer + 1} norm"] == pytest.approx(np.linalg.norm(bias), rel=1e-12)
    start = draw(draw_key(settings, MATCHED, *data.X_train.shape))
    assert steps["kernel 1 norm"].iloc[0] == pytest.approx(np.linalg.norm(start.kernels[0]))


def test_mlpregressor_shows_no_steps(data):
    with pytest.raises(InputError, match="library of the recipe 'scikit-learn' is not known: choose one of keras"):
        replay(data, SMALL, SKLEARN)


def test_a_scaled_target_is_the_target_in_another_unit(data):
    scaled = scale_target(data, 0.25)
    np.testing.assert_array_equal(scaled.y_train, data.y_train / 4)
    np.testing.assert_array_equal(scaled.y_test, data.y_test / 4)
    np.testing.assert_array_equal(scaled.X_train, data.X_train)
    assert "multiplied by 0.25" in scaled.summary
    assert scaled.fingerprint != data.fingerprint
    np.testing.assert_array_equal(data.y_train, load_data("diabetes").y_train)
    with pytest.raises(InputError, match="must be a finite array"):
        scale_target(data, float("inf"))


def test_each_remedy_by_itself_keeps_keras_from_diverging(data):
    """At a hundred times the question's penalty; scikit-learn's recipe trains for every seed."""
    settings = Settings(activation="relu", alpha=100.0, max_iter=60)
    table = mlpnb.remedies(data, settings, seeds=range(8)).set_index("remedy")
    diverged = table["diverged [networks]"]
    assert diverged["Keras 2, as asked"] > 0
    assert (diverged.drop("Keras 2, as asked") == 0).all()
    assert np.isfinite(table["R² of the others"]).all()
    assert (table["of [networks]"] == 8).all()


def test_there_is_a_map_an_activation_and_a_factor_a_map(data):
    planes = mlpnb.stability_by_activation(data, Settings(max_iter=20), n_steps=4)
    table = mlpnb.boundary_factors(planes)
    assert table["activation"].tolist() == [plane.settings.activation for plane in planes] == list(ACTIVATIONS)
    assert table["factor, median"].tolist() == pytest.approx([plane.factor()[0] for plane in planes], nan_ok=True)
    share = 100 * np.mean(planes[0].outcomes[1] != 0)
    assert table["Keras 2 does not train [% of the map]"][0] == pytest.approx(share)
    alt = mlpnb.plot_stability(*planes).alt
    assert all(activation in alt for activation in ACTIVATIONS)


def test_what_cannot_be_confirmed_says_why_and_the_rest_counts(data):
    rates = np.geomspace(1e-3, 1, 4)
    planes = {
        activation: stability(
            data, Settings(activation=activation, max_iter=10), learning_rates=rates, target_scales=[0.1, 1]
        )
        for activation in ("relu", "softplus")
    }
    assert planes["relu"].confirmation(5).startswith("5 of 5 points end as the map says")
    assert "softplus" in planes["softplus"].confirmation(5)
