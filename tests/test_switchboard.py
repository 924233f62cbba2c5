"""The switches: what a person who flips them gets."""

import asyncio
import base64
import gc
import io

import numpy as np
import pytest
from PIL import Image

import mlpnb
from mlpnb import KERAS_1, KERAS_2, MATCHED, InputError, Settings, switchboard
from mlpnb.fit import fit_keras, fit_reference

QUICK = Settings(activation="identity", hidden_layer_sizes=(), batch_size=331, dtype="float64", max_iter=20)
WEIGHTS = "weight difference [relative]"


@pytest.fixture(scope="module")
def data():
    return mlpnb.load_data("diabetes")


@pytest.fixture
def switches(data):
    switches = mlpnb.switches(data, QUICK)
    assert switches.settled(120)
    return switches


def flip(switches, states):
    switches.set(states)
    assert switches.settled(120)


def button(switches, words):
    (found,) = (button for button in switches._all if button.description == words)
    return found


def climb_of(switches):
    """What the picture shows."""
    return switches._shown


def size(switches):
    return Image.open(io.BytesIO(switches.image.value)).size


def test_they_start_as_the_questions_keras_with_its_ladder(switches, data):
    assert switches.recipe == KERAS_2
    (fit,) = fit_keras(data, [QUICK], [KERAS_2])
    assert climb_of(switches).fits[0].r2 == pytest.approx(fit.r2, rel=1e-9)
    assert list(climb_of(switches).table["closes"]) == list(mlpnb.ladder(data, QUICK)["closes"])
    assert f"Keras as switched {fit.outcome};" in switches.describe()
    assert switches.describe() in switches._words.value
    assert size(switches)[0] > 500


def test_there_is_a_switch_for_each_difference_the_solver_knows_with_its_sentence(data, switches):
    assert set(switches._switches) == set(mlpnb.DIFFERENCES) - {"epsilon"}
    for name, switch in switches._switches.items():
        assert switch.description == mlpnb.DIFFERENCES[name].title
        assert switch.tooltips[0] == mlpnb.DIFFERENCES[name].sentence
    assert not switches._switches["penalised_kernels"].value  # Keras 2 penalises all, as scikit-learn does


def test_a_switch_changes_recipe_fit_words_and_picture(switches, data):
    before = switches.image.value
    flip(switches, {"penalty_scale": False})
    expected = KERAS_2.replace(name="Keras as switched", penalty_scale="per row")
    assert switches.recipe == expected
    (fit,) = fit_keras(data, [QUICK], [expected])
    assert climb_of(switches).fits[0].recipe == expected
    assert climb_of(switches).fits[0].r2 == pytest.approx(fit.r2, rel=1e-9)
    assert "penalty scale" not in switches.describe()
    assert "data term" in switches.describe()
    assert switches.image.value != before
    flip(switches, {"penalty_scale": True})
    assert climb_of(switches).fits[0].recipe == switches.recipe == KERAS_2
    assert switches.image.value == before


def test_with_everything_switched_to_scikit_learns_it_is_scikit_learn(switches, data):
    button(switches, "All scikit-learn").click()
    assert switches.settled(120)
    assert switches.recipe.differences("sgd") == ()
    climbed = climb_of(switches)
    assert len(climbed.table) == 1
    assert climbed.table[WEIGHTS].iloc[0] < 1e-10
    assert climbed.reference.r2 == pytest.approx(fit_reference(data, QUICK).r2)
    assert "differences open: none" in switches.describe()
    assert size(switches)[0] > 500


def test_with_everything_switched_to_keras_it_is_keras_1(switches, data):
    button(switches, "All Keras").click()
    assert switches.settled(120)
    assert switches.recipe == KERAS_1.replace(name="Keras as switched")
    assert len(climb_of(switches).table) == 10


def test_they_start_where_they_are_told_to(data):
    switches = mlpnb.switches(data, QUICK, MATCHED.replace(bias_start="zeros"))
    assert switches.settled(120)
    assert [name for name, switch in switches._switches.items() if switch.value] == ["bias_start"]
    assert list(climb_of(switches).table["closes"])[1:] == ["bias start"]


def test_a_ladder_already_seen_is_not_climbed_again(switches, monkeypatch):
    flip(switches, {"draws": False})
    seen = switches.image.value
    flip(switches, {"draws": True})
    monkeypatch.setattr(switchboard, "climb", lambda *args: pytest.fail("climbed again"))
    flip(switches, {"draws": False})
    assert switches.image.value == seen


def test_however_fast_they_are_flipped_the_last_state_is_shown(data, monkeypatch):
    """In a running loop, as in a notebook: far fewer ladders than flips, and no picture of an overtaken one stays."""
    climbed = []
    original = switchboard.climb
    monkeypatch.setattr(switchboard, "climb", lambda *args: climbed.append(args) or original(*args))

    async def settle(switches):
        for _ in range(3000):
            await asyncio.sleep(0.01)
            if not switches._worker.busy:
                break
        await asyncio.sleep(0.05)  # what the worker has posted

    async def play():
        switches = mlpnb.switches(data, QUICK.replace(max_iter=400))
        await settle(switches)
        climbed.clear()
        names = list(switches._switches)
        random = np.random.default_rng(0)
        for _ in range(60):
            switches.set({str(random.choice(names)): bool(random.integers(2))})
            await asyncio.sleep(0.002)
        switches.set(dict.fromkeys(names, False) | {"bias_start": True})
        await settle(switches)
        return switches

    switches = asyncio.run(play())
    assert len(climbed) < 40
    assert list(climb_of(switches).table["closes"])[1:] == ["bias start"]
    assert switches._words.value.endswith("differences open: bias start.")
    assert switches.image.value == mlpnb.plots.plot_climb(data, climb_of(switches)).png()


def test_a_diverging_state_is_told_and_the_next_one_is_fine(data):
    switches = mlpnb.switches(data, QUICK.replace(learning_rate_init=0.2, max_iter=2000))
    assert switches.settled(120)
    fit = climb_of(switches).fits[0]
    assert fit.diverged_at is not None
    assert f"Keras as switched diverged at epoch {fit.diverged_at}" in switches.describe()
    flip(switches, {"data_term": False, "penalty_scale": False})
    assert f"Keras as switched R² {climb_of(switches).fits[0].r2:.3f}" in switches.describe()
    assert climb_of(switches).fits[0].diverged_at is None


def test_a_failure_is_told_and_the_next_flip_works(switches, monkeypatch):
    shown = switches.image.value

    def broken(*args):
        raise RuntimeError("broken <b>")

    with monkeypatch.context() as patch:
        patch.setattr(switchboard, "climb", broken)
        flip(switches, {"bias_start": False})
    assert "RuntimeError: broken &lt;b&gt;" in switches._words.value
    assert switches.image.value == shown
    flip(switches, {"dtype": False})
    assert switches._words.value.startswith("scikit-learn R²")
    assert climb_of(switches).fits[0].recipe == switches.recipe


def test_a_failure_is_not_told_of_a_state_that_is_there(switches, monkeypatch):
    """Flipped back, the picture is that of the switches again, and so are the words."""

    def broken(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(switchboard, "climb", broken)
    flip(switches, {"bias_start": False})
    flip(switches, {"bias_start": True})
    assert "broken" not in switches._words.value
    assert switches.describe() in switches._words.value


def test_what_cannot_be_trained_is_said_in_the_sentence_alone(data):
    switches = mlpnb.switches(data, QUICK.replace(batch_size=332))
    assert switches.settled(120)
    assert switches._words.value.startswith("batch_size is 332, above the 331 training rows")
    assert "image/png" not in switches._repr_mimebundle_()
    assert "batch_size is 332" in switches.describe()


def test_a_switch_that_is_not_there_is_named_with_those_that_are(switches):
    with pytest.raises(InputError, match=r"switch 'epsilon' is not known: choose one of data_term, penalty_scale"):
        switches.set({"epsilon": True})


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        (QUICK.replace(activation="softplus", hidden_layer_sizes=(2,)), "Keras matched"),
        (QUICK.replace(solver="adam"), "scikit-learn"),
    ],
    ids=["softplus", "adam"],
)
def test_softplus_and_adam_have_their_reference_and_switches(data, settings, reference):
    switches = mlpnb.switches(data, settings)
    assert switches.settled(120)
    assert switches.describe().startswith(f"{reference} R²")
    assert ("epsilon" in switches._switches) == (settings.solver == "adam")
    button(switches, "All scikit-learn").click()
    assert switches.settled(120)
    assert climb_of(switches).table[WEIGHTS].iloc[0] < 1e-10


def test_where_widgets_cannot_run_the_picture_and_its_words_stand_in_their_place(switches):
    bundle = switches._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == switches.image.value
    assert bundle["text/plain"] == switches.describe()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    alt = Image.open(io.BytesIO(switches.image.value)).text["Description"]
    assert alt.startswith("The ladder to scikit-learn. nothing yet (Keras 2): R²")


def test_fifty_flips_leave_no_figure_behind(switches):
    from matplotlib import pyplot

    def figures():
        gc.collect()
        return sum(type(o).__name__ == "DescribedFigure" for o in gc.get_objects())

    before = figures()
    names = list(switches._switches)
    for flipped in range(50):
        switch = switches._switches[names[flipped % len(names)]]
        switch.value = not switch.value
        if flipped % 10 == 0:
            assert switches.settled(60)
    assert switches.settled(60)
    assert figures() == before
    assert pyplot.get_fignums() == []
