"""The guesses: each verdict follows from what was measured, and says nothing where there is nothing."""

import numpy as np
import pytest

from mlpnb import KERAS_2, SKLEARN, InputError, Settings, examine_hypotheses, load_data
from mlpnb.fit import fit_keras, fit_sklearn
from mlpnb.hypotheses import DIVERGING, HYPOTHESES, _verdict

SEEDS = range(3)
ASKED = Settings(max_iter=60)
DIVERGES = DIVERGING.replace(max_iter=15)
GAP, DIVERGENCE = "the gap in R²", "that Keras diverges"


@pytest.fixture(scope="module")
def friedman1():
    return load_data("friedman1")


@pytest.fixture(scope="module")
def examined(friedman1):
    """The question, after fewer epochs, and the divergence on diabetes."""
    return examine_hypotheses(friedman1, ASKED, diverging=DIVERGES, seeds=SEEDS)


@pytest.fixture(scope="module")
def without_penalty(friedman1):
    """Neither a penalty nor, at the question's rate, a divergence."""
    return examine_hypotheses(friedman1, ASKED.replace(alpha=0), diverging=Settings(max_iter=15), seeds=SEEDS)


def row(table, guess, explains):
    (found,) = (row for _, row in table.iterrows() if row["guess"].startswith(guess) and row["to explain"] == explains)
    return found


def test_every_guess_is_put_to_its_test(examined):
    assert list(examined["guess"]) == [hypothesis.guess for hypothesis in HYPOTHESES]
    assert set(examined["to explain"]) == {GAP, DIVERGENCE}
    assert examined["verdict"].str.len().gt(0).all()


def test_on_the_questions_data_the_undivided_penalty_is_the_cause(examined):
    assert row(examined, "The penalty divided", GAP)["verdict"] == "most of it"
    for refuted in ("Another initialiser", "float32 against", "scikit-learn stops"):
        assert row(examined, refuted, GAP)["verdict"] == "no"
        assert abs(row(examined, refuted, GAP)["part [%]"]) < 5
    assert row(examined, "The loss halved", GAP)["verdict"] == "no, the contrary"  # the penalty weighs the more


def test_on_diabetes_the_gradients_size_is_what_diverges(examined):
    for cause in ("The target's scale", "The loss halved"):
        assert row(examined, cause, DIVERGENCE)["verdict"] == "most of it"
        assert row(examined, cause, DIVERGENCE)["part [%]"] == 100
    for refuted in ("Inputs near zero", "float32 overflows", "The penalty divided", "The output's bias"):
        assert row(examined, refuted, DIVERGENCE)["verdict"] == "no"


def test_the_figures_are_those_of_fits_made_one_by_one(examined, friedman1):
    along = [ASKED.replace(random_state=seed) for seed in SEEDS]
    asked, changed = (
        np.array([fit_keras(friedman1, [one], [recipe])[0].r2 for one in along])
        for recipe in (KERAS_2, KERAS_2.replace(penalty_scale="per row"))
    )
    wanted = np.array([fit_sklearn(friedman1, one, SKLEARN).r2 for one in along])
    figures = row(examined, "The penalty divided", GAP)
    assert figures["as asked"] == pytest.approx(asked.mean(), rel=1e-5)
    assert figures["changed"] == pytest.approx(changed.mean(), rel=1e-5)
    assert figures["effect"] == pytest.approx((changed - asked).mean(), rel=1e-4)
    assert figures["SD"] == pytest.approx((changed - asked).std(ddof=1), rel=1e-3)
    assert figures["part [%]"] == pytest.approx(100 * (changed - asked).mean() / (wanted - asked).mean(), rel=1e-4)


def test_without_a_penalty_it_explains_nothing(without_penalty):
    for guess in ("The penalty divided", "One kernel penalised"):
        figures = row(without_penalty, guess, GAP)
        assert figures["effect"] == figures["part [%]"] == figures["SD"] == 0
        assert figures["verdict"] in ("no", "nothing to explain here")  # the data term's gap is small


def test_where_nothing_diverges_there_is_nothing_to_explain(without_penalty):
    of_divergence = without_penalty[without_penalty["to explain"] == DIVERGENCE]
    assert (of_divergence["as asked"] == 0).all()
    assert set(of_divergence["verdict"]) == {"nothing to explain here"}


def test_where_no_network_learns_anything_there_is_no_gap(friedman1):
    """At a rate of next to nothing all are worth as much as the mean."""
    still = ASKED.replace(learning_rate_init=1e-9)
    table = examine_hypotheses(friedman1, still, diverging=Settings(max_iter=15), seeds=SEEDS)
    assert (table["effect"].head(6) == 0).all()
    assert set(table["verdict"]) == {"nothing to explain here"}


def test_softplus_and_a_batch_of_all_rows_can_be_examined_too():
    """scikit-learn has no softplus, and without the rows near zero there are fewer than such a batch has."""
    settings = Settings(activation="softplus", batch_size=331, max_iter=5)
    table = examine_hypotheses(load_data("diabetes"), settings, diverging=settings, seeds=SEEDS)
    assert np.isfinite(table[["as asked", "changed", "effect", "SD"]].to_numpy()).all()


@pytest.mark.parametrize(
    ("effect", "gap", "verdict"),
    [
        ([0.20, 0.21, 0.19], [0.20, 0.22, 0.18], "most of it"),
        ([0.10, 0.10, 0.10], [0.20, 0.20, 0.20], "most of it"),  # from half on
        ([0.05, 0.06, 0.04], [0.20, 0.22, 0.18], "part of it"),
        ([0.009, 0.009, 0.009], [0.20, 0.20, 0.20], "no"),  # clear, but below a twentieth
        ([0.30, -0.20, 0.10], [0.20, 0.22, 0.18], "no"),  # large, but not clear
        ([0.0, 0.0, 0.0], [0.20, 0.22, 0.18], "no"),
        ([-0.20, -0.21, -0.19], [0.20, 0.22, 0.18], "no, the contrary"),
        ([-1.0, -1.0, -1.0], [-1.0, -1.0, -1.0], "most of it"),  # divergences, all of them saved
        ([0.20, 0.20, 0.20], [0.30, -0.30, 0.01], "nothing to explain here"),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "nothing to explain here"),
        ([0.2], [0.2], "one seed can't tell"),
    ],
    ids=str,
)
def test_a_verdict_follows_from_effect_gap_and_their_spread(effect, gap, verdict):
    effect, gap = np.array(effect), np.array(gap)
    part = effect.mean() / gap.mean() if gap.mean() else np.nan
    assert _verdict(part, effect, gap) == verdict


@pytest.mark.parametrize("seeds", [[], [1, 1], 10], ids=str)
def test_seeds_must_be_one_or_more_each_once(friedman1, monkeypatch, seeds):
    monkeypatch.setattr("mlpnb.hypotheses.fit_keras", lambda *args: pytest.fail("trained"))
    with pytest.raises(InputError, match=r"^seeds are .*one or more, each once"):
        examine_hypotheses(friedman1, ASKED, seeds=seeds)
