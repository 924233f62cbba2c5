"""The ladder: it closes what it says, measures what it says, and ends at scikit-learn itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPRegressor

import mlpnb
from mlpnb import DIFFERENCES, KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Settings, ladder, load_data
from mlpnb.climb import climb, open_differences, rms_distance
from mlpnb.fit import fit_keras, fit_reference
from mlpnb.plots import plot_climb, plot_ladder
from mlpnb.settings import ACTIVATIONS

R2, RMS, IN_SD, WEIGHTS, DIVERGED = (
    "R²",
    "RMS distance [target units]",
    "RMS distance [SD of the target]",
    "weight difference [relative]",
    "diverged at epoch",
)
OF_SGD = [name for name, difference in DIFFERENCES.items() if "sgd" in difference.solvers]
DOUBLE = Settings(dtype="float64", batch_size=331, learning_rate_init=5e-4)
QUICK = Settings(activation="identity", hidden_layer_sizes=(), batch_size=331, dtype="float64", max_iter=8)
BLOWS_UP = Settings(activation="identity", learning_rate_init=2e-3, max_iter=20)


@pytest.fixture(scope="module")
def data():
    return load_data("diabetes")


@pytest.fixture(scope="module")
def as_asked(data):
    """The question's settings, float32 for Keras."""
    return ladder(data)


@pytest.fixture(scope="module")
def blown_up(data):
    """A ladder whose first rung diverges, and no other."""
    return climb(data, BLOWS_UP, KERAS_2, KERAS_2.differences("sgd"))


def assert_at_rounding(table):
    last = table.iloc[-1]
    assert last[WEIGHTS] < 1e-10
    assert last[IN_SD] < 1e-10
    assert last[R2] == pytest.approx(table.attrs["reference R²"], abs=1e-10)


def test_a_rung_closes_one_difference_after_the_other(as_asked):
    named = [d.name for d in KERAS_2.differences("sgd")]
    assert list(as_asked["closes"]) == ["nothing yet (Keras 2)", *(DIFFERENCES[name].title for name in named)]
    assert list(as_asked["change"]) == ["", *(f"{DIFFERENCES[n].keras} → {DIFFERENCES[n].sklearn}" for n in named)]
    assert as_asked.attrs["reference"] == "scikit-learn"


def test_the_questions_ladder_ends_at_scikit_learn_and_not_before(as_asked):
    """float32 in the rungs before: they can't be nearer than its rounding."""
    assert_at_rounding(as_asked)
    assert (as_asked[WEIGHTS].iloc[:-1] > 1e-8).all()
    assert as_asked[WEIGHTS].iloc[0] > 0.1


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activations_ladder_ends_at_rounding(data, activation):
    """Without a penalty, with the question's and with thirty times that; softplus by the reference of its recipe."""
    for alpha in (0.0, 1.0, 30.0):
        table = ladder(data, DOUBLE.replace(activation=activation, alpha=alpha))
        assert_at_rounding(table)
        assert table[WEIGHTS].iloc[0] > 1e-3
        assert table.attrs["reference"] == ("Keras matched" if activation == "softplus" else "scikit-learn")


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_layer_sizes": (), "batch_size": 331, "nesterovs_momentum": False},
        {"hidden_layer_sizes": (5, 4), "batch_size": 100, "solver": "adam", "learning_rate_init": 0.01},
        {"activation": "relu", "batch_size": 330, "momentum": 0.5},  # a last batch of one row
    ],
    ids=str,
)
def test_other_layers_batches_and_optimizers_end_at_rounding_too(data, changes):
    assert_at_rounding(ladder(data, DOUBLE.replace(max_iter=50, **changes)))


def test_epsilon_is_a_rung_for_adam_only(data, as_asked):
    adam = open_differences(KERAS_2, Settings(solver="adam"), None)
    assert "epsilon" in {difference.name for difference in adam}
    assert "epsilon" not in set(as_asked["closes"])


def test_rungs_are_the_networks_that_keras_trains_by_those_recipes(data):
    """One by one, and measured here by hand against an `MLPRegressor` fitted here."""
    settings = QUICK.replace(hidden_layer_sizes=(5,), activation="tanh")
    close = ["draws", "penalty_scale", "data_term"]
    table = ladder(data, settings, KERAS_1, close=close)
    own = MLPRegressor(
        hidden_layer_sizes=(5,), activation="tanh", solver="sgd", alpha=1.0, batch_size=331, max_iter=8, random_state=0
    )
    with pytest.warns(match="Maximum iterations"):
        own.fit(data.X_train, data.y_train)
    recipe = KERAS_1
    for rung, name in enumerate([None, *close]):
        if name is not None:
            recipe = recipe.replace(**{name: DIFFERENCES[name].sklearn})
        (fit,) = fit_keras(data, [settings], [recipe])
        row = table.iloc[rung]
        distance = np.sqrt(np.mean((fit.prediction - own.predict(data.X_test)) ** 2))
        ours, theirs = (*fit.coefs, *fit.intercepts), (*own.coefs_, *own.intercepts_)
        departure = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))
        assert row[R2] == pytest.approx(fit.r2, rel=1e-9)
        assert row[RMS] == pytest.approx(distance, rel=1e-9)
        assert row[IN_SD] == pytest.approx(distance / np.std(data.y_test), rel=1e-9)
        assert row[WEIGHTS] == pytest.approx(departure, rel=1e-9)


@hypothesis_settings(max_examples=15, deadline=None, derandomize=True)
@given(close=st.permutations(OF_SGD))
def test_in_whatever_order_the_differences_close_the_ends_are_the_same(close):
    data = load_data("diabetes")
    table = ladder(data, QUICK, KERAS_1, close=close)
    assert list(table["closes"])[1:] == [DIFFERENCES[name].title for name in close]
    (start,) = fit_keras(data, [QUICK], [KERAS_1])
    assert table[R2].iloc[0] == pytest.approx(start.r2, rel=1e-10)
    assert_at_rounding(table)


def test_a_recipe_of_ones_own_closes_what_it_has_open(data):
    own = MATCHED.replace(name="mine", bias_start="zeros", data_term="full")
    table = ladder(data, QUICK, own)
    assert list(table["closes"]) == ["nothing yet (mine)", "data term", "bias start"]
    assert_at_rounding(table)
    one = ladder(data, QUICK, own, close="bias_start")
    assert list(one["closes"]) == ["nothing yet (mine)", "bias start"]
    assert one[WEIGHTS].iloc[-1] > 1e-6  # the data term is open still


def test_with_nothing_to_close_a_climb_is_one_rung(data):
    climbed = climb(data, QUICK, MATCHED, ())
    assert len(climbed.table) == len(climbed.fits) == 1
    assert_at_rounding(climbed.table)


def test_a_rung_that_diverged_has_its_epoch_and_spoils_no_other(blown_up):
    table = blown_up.table
    first = table.iloc[0]
    assert first[DIVERGED] == blown_up.fits[0].diverged_at > 1
    assert first[[R2, RMS, IN_SD, WEIGHTS]].isna().all()
    assert table[DIVERGED].iloc[1:].isna().all()
    assert np.isfinite(table[[R2, RMS, IN_SD, WEIGHTS]].iloc[1:].to_numpy(float)).all()
    assert_at_rounding(table)


def test_the_pictures_name_the_rung_that_diverged(data, blown_up):
    words = f"diverged at epoch {blown_up.fits[0].diverged_at}"
    for figure in (plot_ladder(blown_up.table), plot_climb(data, blown_up)):
        assert [text.get_text() for ax in figure.axes for text in ax.texts].count(words) == 1
        assert f"nothing yet (Keras 2): {words}" in figure.alt
        assert "nan" not in figure.alt
        figure.png()


def test_where_all_diverge_the_reference_too_there_is_a_table_and_a_picture(data):
    settings = BLOWS_UP.replace(learning_rate_init=1e3, dtype="float64", max_iter=5)
    assert fit_reference(data, settings).diverged_at is not None
    climbed = climb(data, settings, KERAS_2, KERAS_2.differences("sgd")[:1])
    assert climbed.table[DIVERGED].notna().all()
    assert climbed.table[WEIGHTS].isna().all()
    for figure in (plot_ladder(climbed.table), plot_climb(data, climbed)):
        assert figure.alt.startswith("The ladder to scikit-learn, which diverged.")
        assert figure.alt.count("diverged at epoch") == 2
        assert "nan" not in figure.alt
        figure.png()


def test_a_rung_on_its_way_to_overflow_is_told_in_a_short_number(data):
    """An epoch before it overflows, R² is finite, and some thirty digits long."""
    table = ladder(data, BLOWS_UP.replace(max_iter=4), close="data_term")
    assert table[R2].iloc[0] < -1e10
    figure = plot_ladder(table)
    assert max(map(len, figure.alt.split())) < 20
    figure.png()


def test_distances_are_root_mean_squares():
    assert rms_distance(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 0
    assert rms_distance(np.array([3.0, 4.0], np.float32), np.zeros(2)) == pytest.approx(np.sqrt(12.5))
    assert rms_distance(np.array([1e200]), np.array([0.0])) == np.inf


@pytest.mark.parametrize(
    ("start", "close", "message"),
    [
        (MATCHED, None, r"recipe 'Keras matched' has every difference closed already.*start from KERAS_1"),
        (SKLEARN, None, r"recipe 'scikit-learn' has every difference closed already"),
        (KERAS_2, ["penalised_kernels"], r"'penalised_kernels' is not open in 'Keras 2'.*data_term, penalty_scale"),
        (KERAS_2, ["epsilon"], r"'epsilon' is not open in 'Keras 2' for solver 'sgd'"),
        (KERAS_2, ["penalty"], r"difference 'penalty' is not known.*did you mean 'penalty_scale'\?"),
        (KERAS_2, ["draws", "draws"], r"differences are \['draws', 'draws'\].*each once"),
        (KERAS_2, [], r"differences are \[\].*one or more"),
    ],
)
def test_what_cannot_be_closed_is_said_in_a_sentence_before_training(data, monkeypatch, start, close, message):
    monkeypatch.setattr("mlpnb.climb.fit_keras", lambda *args: pytest.fail("trained"))
    with pytest.raises(InputError, match=message):
        ladder(data, QUICK, start, close=close)


def test_beyond_the_questions_settings_the_matched_network_is_scikit_learns_too(data):
    """Momentum of each kind, Keras's batch size, a short last batch, and Adam; a short training will do."""
    table = mlpnb.variants(data, Settings(max_iter=20))
    assert len(table) == 8
    assert (table["weight difference, matched [relative]"] < 1e-12).all()
    assert table["R² Keras matched"].tolist() == pytest.approx(table["R² scikit-learn"].tolist(), abs=1e-9)
    assert table["R² scikit-learn"].nunique() == 8
