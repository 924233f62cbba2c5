"""The attribution: shares by the definition, of networks that are what their place in the table says."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import r2_score

from mlpnb import DIFFERENCES, KERAS_1, KERAS_2, MATCHED, InputError, Settings, attribute, fit_subsets, load_data
from mlpnb.attribution import interaction, shapley
from mlpnb.fit import fit_keras, fit_reference

DOUBLE = Settings(dtype="float64", activation="relu", max_iter=60)
THREE = ["data_term", "penalty_scale", "bias_start"]
SHARE, SD = "R² share", "R² SD"


@pytest.fixture(scope="module")
def data():
    return load_data("diabetes")


@pytest.fixture(scope="module")
def subsets(data):
    """Eight subsets of three differences, three seeds."""
    return fit_subsets(data, DOUBLE, differences=THREE, seeds=range(3))


@pytest.fixture(scope="module")
def diverging(data):
    """Twice the gradient at twice the rate: half of these networks diverge."""
    settings = DOUBLE.replace(activation="identity", learning_rate_init=2e-3)
    return fit_subsets(data, settings, differences=["data_term", "kernel_start"], seeds=range(2))


# ---------------------------------------------------------------------------------------------------------------------
# Games


@st.composite
def games(draw, max_players=8):
    """One to three games of one to `max_players` players, the empty coalition not worth nothing."""
    n = draw(st.integers(1, max_players))
    worth = st.floats(-1e6, 1e6, allow_subnormal=False)
    return draw(arrays(np.float64, (draw(st.integers(1, 3)), 2**n), elements=worth))


def n_players(values):
    return int(np.log2(values.shape[1]))


def by_definition(values):
    """What a player adds on joining, averaged over all orders of joining."""
    n = n_players(values)
    shares = np.zeros((len(values), n))
    for order in permutations(range(n)):
        joined = 0
        for player in order:
            shares[:, player] += values[:, joined | 1 << player] - values[:, joined]
            joined |= 1 << player
    return shares / factorial(n)


@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
@given(values=games())
def test_the_shares_sum_to_the_gap(values):
    total = shapley(values).sum(axis=1)
    np.testing.assert_allclose(total, values[:, -1] - values[:, 0], rtol=0, atol=1e-13 * 2e6 * n_players(values))


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(values=games(max_players=5))
def test_the_shares_are_those_of_the_definition(values):
    np.testing.assert_allclose(shapley(values), by_definition(values), rtol=0, atol=1e-7)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(values=games(max_players=5), added=st.floats(-1e6, 1e6))
def test_a_player_who_adds_the_same_to_all_gets_just_that(values, added):
    """A dummy is given nothing of what the others make, and takes nothing from them; also where it adds nothing."""
    with_dummy = np.concatenate([values, values + added], axis=1)  # the last player
    shares = shapley(with_dummy)
    np.testing.assert_allclose(shares[:, -1], added, rtol=0, atol=1e-7)
    np.testing.assert_allclose(shares[:, :-1], shapley(values), rtol=0, atol=1e-7)


@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
@given(n=st.integers(2, 7), worth=st.data())
def test_players_alike_get_alike(n, worth):
    """The worth of a coalition depends on its size alone."""
    by_size = np.array(worth.draw(st.lists(st.floats(-1e6, 1e6), min_size=n + 1, max_size=n + 1)))
    values = by_size[np.bitwise_count(np.arange(2**n))][None]
    np.testing.assert_allclose(shapley(values), (by_size[-1] - by_size[0]) / n, rtol=0, atol=1e-7)


def test_the_glove_game():
    """One left glove, two right ones, and only pairs are worth anything: 2/3 to the left one."""
    values = np.array([[0, 0, 0, 1, 0, 1, 0, 1.0]])  # player 0 has the left glove
    np.testing.assert_allclose(shapley(values), [[2 / 3, 1 / 6, 1 / 6]])


def test_interactions_of_known_games():
    masks = np.arange(16)
    has = [(masks >> player & 1).astype(float) for player in range(4)]
    additive = (3 * has[0] - 2 * has[1] + has[2])[None]
    product = (5 * has[1] * has[3] + has[0])[None]
    unanimity = (has[0] * has[1] * has[2])[None]
    for i in range(4):
        for j in range(4):
            if i != j:
                assert interaction(additive, i, j) == pytest.approx(0, abs=1e-12)
                assert interaction(product, i, j) == pytest.approx(5 if {i, j} == {1, 3} else 0, abs=1e-12)
                # a unanimity game of three gives each of its pairs 1 / (3 - 2 + 1)
                assert interaction(unanimity, i, j) == pytest.approx(0.5 if 3 not in (i, j) else 0, abs=1e-12)
    np.testing.assert_allclose(interaction(np.array([[0, 1, 2, 7.0], [0, 1, 1, 0.0]]), 0, 1), [4, -2])


# ---------------------------------------------------------------------------------------------------------------------
# Networks


def test_bit_i_of_a_place_says_whether_difference_i_is_open(data, subsets):
    """Each place, against a network trained by itself from a recipe written by hand."""
    assert [difference.name for difference in subsets.differences] == THREE
    assert subsets.r2.shape == subsets.distance.shape == subsets.diverged.shape == (3, 8)
    for seed, place in ((0, 0), (0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (2, 7)):
        values = {name: DIFFERENCES[name].keras if place >> i & 1 else DIFFERENCES[name].sklearn
                  for i, name in enumerate(THREE)}  # fmt: skip
        settings = DOUBLE.replace(random_state=seed)
        (alone,) = fit_keras(data, [settings], [KERAS_2.replace(**values)])
        reference = fit_reference(data, settings)
        distance = np.sqrt(np.mean((alone.prediction - reference.prediction) ** 2))
        assert subsets.r2[seed, place] == pytest.approx(alone.r2, rel=1e-8)
        assert subsets.distance[seed, place] == pytest.approx(distance, rel=1e-8)


def test_the_shares_of_real_networks_sum_to_their_gap(subsets, data):
    table = subsets.shares()
    facts = table.attrs
    assert table[SHARE].sum() == pytest.approx(facts["R² gap"], abs=1e-12)
    assert table["distance share [target units]"].sum() == pytest.approx(facts["distance gap"], abs=1e-9)
    assert table["R² share [%]"].sum() == pytest.approx(100, abs=1e-9)
    assert facts["R² gap"] == pytest.approx(facts["R² all open"] - facts["R² all closed"], abs=1e-12)
    start = fit_keras(data, [DOUBLE.replace(random_state=seed) for seed in range(3)], [KERAS_2] * 3)
    assert facts["R² all open"] == pytest.approx(np.mean([fit.r2 for fit in start]), rel=1e-8)
    assert facts["start"] == "Keras 2"
    assert facts["reference"] == "scikit-learn"
    assert facts["seeds"] == 3


def test_the_table_has_the_largest_share_first_and_spreads_over_seeds(subsets):
    table = subsets.shares()
    assert (np.diff(table[SHARE].abs()) <= 0).all()
    shares = shapley(subsets.r2)
    for i, name in enumerate(THREE):
        row = table[table["difference"] == DIFFERENCES[name].title].iloc[0]
        assert row[SHARE] == pytest.approx(np.mean([shapley(game[None])[0, i] for game in subsets.r2]))
        assert row[SD] == pytest.approx(np.std(shares[:, i], ddof=1))


def test_all_of_keras_1s_differences_end_at_scikit_learn(data):
    """Nine of them, and 512 networks: with none open, the predictions are the reference's."""
    settings = DOUBLE.replace(hidden_layer_sizes=(), batch_size=331, learning_rate_init=0.1, max_iter=20)
    every = fit_subsets(data, settings, KERAS_1, seeds=[4])
    assert "penalised_kernels" in {difference.name for difference in every.differences}
    assert every.r2.shape == (1, 512)
    assert every.distance[0, 0] < 1e-8
    assert every.distance[0, -1] > 1
    assert every.shares()[SHARE].sum() == pytest.approx(every.r2[0, -1] - every.r2[0, 0], abs=1e-12)


def test_adams_epsilon_is_shared_out_for_adam_only(data, monkeypatch):
    trained = []

    def leave(data, settings, recipes, **_):
        trained.extend(recipes)
        raise InterruptedError

    monkeypatch.setattr("mlpnb.attribution.fit_keras", leave)
    for solver, n in (("adam", 512), ("sgd", 256)):
        trained.clear()
        with pytest.raises(InterruptedError):
            fit_subsets(data, Settings(solver=solver, max_iter=1), seeds=[0])
        assert len(set(trained)) == len(trained) == n
        assert {recipe.epsilon for recipe in trained} == ({"1e-7", "1e-8"} if solver == "adam" else {"1e-7"})


def test_networks_that_diverge_are_counted_and_valued_as_the_mean(data, diverging):
    floor = r2_score(data.y_test, np.full_like(data.y_test, data.y_train.mean()))
    assert 0 < diverging.diverged.mean() < 1
    np.testing.assert_allclose(diverging.r2[diverging.diverged], floor)
    assert np.isfinite(diverging.r2).all()
    assert np.isfinite(diverging.distance).all()
    table = diverging.shares()
    assert np.isfinite(table.drop(columns="difference").to_numpy()).all()
    assert table["divergence share [of networks]"].sum() == pytest.approx(table.attrs["divergence gap"])
    assert table.attrs["divergence gap"] == diverging.diverged[:, -1].mean() - diverging.diverged[:, 0].mean()
    row = table[table["difference"] == "data term"].iloc[0]
    assert row["divergence share [of networks]"] == table["divergence share [of networks]"].max() > 0.5
    assert f"{diverging.diverged.sum()} of 8 networks diverged" in diverging.remarks()


def test_a_network_worse_than_the_mean_is_valued_as_the_mean_though_it_did_not_diverge(data):
    """On its way to overflow R² is astronomical, and would drown every other share."""
    settings = DOUBLE.replace(activation="identity", learning_rate_init=2e-3, max_iter=3)
    (bad,) = fit_keras(data, [settings], [KERAS_2])
    assert bad.diverged_at is None
    assert bad.r2 < -100
    one = fit_subsets(data, settings, differences=["data_term"], seeds=[0])
    assert one.r2[0, 1] == pytest.approx(r2_score(data.y_test, np.full_like(data.y_test, data.y_train.mean())))
    assert not one.diverged.any()


def test_one_seed_has_shares_and_no_spread(data):
    one = fit_subsets(data, DOUBLE.replace(max_iter=5), differences=["data_term", "bias_start"], seeds=[7])
    table = one.shares()
    assert table[SD].isna().all()
    assert table["distance SD [target units]"].isna().all()
    assert np.isfinite(table[SHARE]).all()
    pairs = one.interactions()
    assert len(pairs) == 1
    assert pairs["R² SD"].isna().all()
    assert np.isfinite(pairs["R² interaction"]).all()
    assert "nan" not in one.remarks()


def test_one_difference_takes_the_whole_gap(data):
    one = fit_subsets(data, DOUBLE.replace(max_iter=5), differences="data_term", seeds=range(2))
    table = one.shares()
    np.testing.assert_allclose(table["R² share [%]"], [100])
    assert len(one.interactions()) == 0


def test_without_a_gap_there_are_no_percentages(data):
    """Without a penalty its scale does nothing."""
    table = attribute(data, DOUBLE.replace(alpha=0, max_iter=5), differences=["penalty_scale"], seeds=range(2))
    assert table.attrs["R² gap"] == 0
    assert table["R² share [%]"].isna().all()
    assert table[SHARE].tolist() == [0]


def test_interactions_are_named_strongest_first(subsets):
    table = subsets.interactions()
    assert len(table) == 3
    assert (np.diff(table["R² interaction"].abs()) <= 0).all()
    names = [difference.title for difference in subsets.differences]
    for _, row in table.iterrows():
        index = interaction(subsets.r2, names.index(row["one"]), names.index(row["other"]))
        assert row["R² interaction"] == pytest.approx(index.mean())
        assert row["R² SD"] == pytest.approx(index.std(ddof=1))
        clear = abs(index.mean()) > 2 * index.std(ddof=1) / np.sqrt(3)
        assert row["matters"] == (clear and abs(index.mean()) >= 0.05 * abs(subsets.shares().attrs["R² gap"]))


def test_the_remarks_quote_the_shares(subsets):
    """What closing adds, so the share with its sign turned."""
    first = subsets.shares().iloc[0]
    text = subsets.remarks()
    assert f"Closing *{first['difference']}* adds {-first[SHARE]:+.3f}".replace(" -", " −") in text
    assert "averaged over 3 seeds" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": []}, r"seeds are \[\].*one or more"),
        ({"seeds": [1, 2, 1]}, r"seeds are \[1, 2, 1\].*each once"),
        ({"seeds": 5}, r"seeds are 5.*range\(5\)"),
        ({"seeds": [-1]}, "random_state is -1"),
        ({"differences": ["data_term", "data_term"]}, "each once"),
        ({"differences": ["penalised_kernels"]}, "is not open in 'Keras 2'"),
        ({"start": MATCHED}, "nothing to close"),
    ],
    ids=str,
)
def test_what_cannot_be_shared_out_is_said_in_a_sentence_before_training(data, monkeypatch, options, message):
    monkeypatch.setattr("mlpnb.attribution.fit_keras", lambda *args, **_: pytest.fail("trained"))
    with pytest.raises(InputError, match=message):
        fit_subsets(data, DOUBLE, **options)
