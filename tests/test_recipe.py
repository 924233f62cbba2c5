"""Recipes: every difference says what differs and where that stands, in the versions that are installed."""

import dataclasses
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpnb import DIFFERENCES, KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Recipe, differences_table

PACKAGES = {"scikit-learn": "sklearn", "Keras": "keras"}
SOURCES = [
    pytest.param(*match.groups(), id=f"{difference.name}-{match[1]}")
    for difference in DIFFERENCES.values()
    for match in re.finditer(r"(scikit-learn|Keras) (\S+) ([^;]+)", difference.source)
]


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_difference_says_what_differs_in_one_sentence_and_where_that_stands(difference):
    assert re.fullmatch(r"[a-zA-Z][^\n]{2,30}", difference.title)
    assert re.fullmatch(r"[^\n]{20,200}\.", difference.sentence)
    assert not re.search(r"[.!?] [A-Z]", difference.sentence)
    assert difference.sklearn != difference.keras
    assert re.search(r"(scikit-learn|Keras) \d+\.\d+\.\d+ \S+\.py", difference.source)


@pytest.mark.parametrize(("package", "stated", "places"), SOURCES)
def test_the_sources_are_those_installed(package, stated, places):
    """A claim is read again when the library it is about is another one."""
    assert stated == version(package)
    folder = Path(find_spec(PACKAGES[package]).origin).parent / ("src" if package == "Keras" else "")
    for place in places.removeprefix("src/").replace(", ", " ").split():
        if place.endswith(".py"):
            file = folder / place
            assert file.is_file()
        else:
            assert re.search(rf"(def|class) {place}\b", file.read_text()), f"{place} in {file}"


def test_the_values_are_the_libraries_own_defaults():
    """Where a signature tells them; the tests of draws and training tell the others."""
    import keras
    from sklearn.neural_network import MLPRegressor

    sklearn = MLPRegressor().get_params()
    assert (sklearn["tol"], sklearn["n_iter_no_change"]) == (1e-4, 10)
    assert sklearn["epsilon"] == float(DIFFERENCES["epsilon"].sklearn)
    assert keras.optimizers.Adam().epsilon == float(DIFFERENCES["epsilon"].keras)
    dense = keras.layers.Dense(1)
    assert isinstance(dense.kernel_initializer, keras.initializers.GlorotUniform)
    assert isinstance(dense.bias_initializer, keras.initializers.Zeros)
    assert (keras.config.floatx(), keras.ops.cast(0.9, "float64")) == ("float32", 0.8999999761581421)
    # between two bounds that are one there is one number to draw
    assert set(keras.ops.convert_to_numpy(keras.random.uniform((9,), 0.1, 0.1, dtype="float64"))) == {np.float32(0.1)}


def test_every_field_but_name_and_library_is_a_difference():
    assert list(DIFFERENCES) == [field.name for field in dataclasses.fields(Recipe)][2:]
    assert len({difference.title for difference in DIFFERENCES.values()}) == len(DIFFERENCES)


def test_the_columns_of_the_grid():
    assert SKLEARN.library == "scikit-learn"
    assert {recipe.library for recipe in (KERAS_1, KERAS_2, MATCHED)} == {"keras"}
    assert [recipe.name for recipe in (SKLEARN, KERAS_1, KERAS_2, MATCHED)] == [
        "scikit-learn",
        "Keras 1",
        "Keras 2",
        "Keras matched",
    ]


def test_differences_are_the_departures_from_scikit_learn_in_order():
    everything = tuple(DIFFERENCES.values())
    assert SKLEARN.differences() == MATCHED.differences() == ()
    assert KERAS_1.differences() == everything
    assert KERAS_2.differences() == tuple(d for d in everything if d.name != "penalised_kernels")
    assert MATCHED.replace(scalars="float32", data_term="full").differences() == (
        DIFFERENCES["data_term"],
        DIFFERENCES["scalars"],
    )


def test_what_a_solver_does_not_know_is_no_difference_to_it():
    sgd, adam = (KERAS_1.differences(solver) for solver in ("sgd", "adam"))
    assert DIFFERENCES["epsilon"] not in sgd
    assert set(adam) - set(sgd) == {DIFFERENCES["epsilon"]}


def test_keras_2_is_keras_1_with_every_kernel_penalised():
    assert KERAS_1.replace(name="Keras 2", penalised_kernels="all") == KERAS_2


def test_recipes_are_values():
    assert Recipe("Keras matched") == MATCHED
    assert hash(Recipe("Keras matched")) == hash(MATCHED)
    with pytest.raises(dataclasses.FrozenInstanceError):
        MATCHED.draws = "keras"
    with pytest.raises(TypeError):
        DIFFERENCES["draws"] = None


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_value_that_is_neither_librarys_is_refused(difference):
    known = rf"{difference.name} 'other' is not known: choose one of {difference.sklearn}, {difference.keras}"
    with pytest.raises(InputError, match=known):
        MATCHED.replace(**{difference.name: "other"})
    with pytest.raises(InputError, match=known.replace("'other'", "None")):
        Recipe("mine", **{difference.name: None})


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_scikit_learn_itself_trains_only_its_own_way(difference):
    with pytest.raises(InputError, match=rf"{difference.name} is '{difference.keras}', but scikit-learn itself"):
        SKLEARN.replace(**{difference.name: difference.keras})


def test_an_unknown_library_is_refused():
    with pytest.raises(InputError, match=r"library 'sklearn' is not known: .*did you mean 'scikit-learn'"):
        Recipe("mine", library="sklearn")


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text(), max_size=2)
)
FIELDS = {
    "library": st.one_of(st.sampled_from(["keras", "scikit-learn"]), ANYTHING),
    **{d.name: st.one_of(st.sampled_from([d.sklearn, d.keras]), ANYTHING) for d in DIFFERENCES.values()},
}


@given(st.fixed_dictionaries({"name": st.one_of(st.text(), ANYTHING)}, optional=FIELDS))
def test_any_values_are_a_recipe_that_keeps_the_rules_or_a_sentence(values):
    try:
        recipe = Recipe(**values)
    except InputError as error:
        sentence = str(error)
    else:
        assert {name: getattr(recipe, name) for name in values} == values
        assert isinstance(recipe.name, str)
        assert all(getattr(recipe, d.name) in (d.sklearn, d.keras) for d in DIFFERENCES.values())
        assert recipe.library == "keras" or recipe.differences() == ()
        assert Recipe(**dataclasses.asdict(recipe)) == recipe
        return
    assert len(sentence.splitlines()) == 1


def test_the_table_has_a_row_a_difference():
    table = differences_table()
    assert list(table) == ["difference", "in a sentence", "scikit-learn", "Keras", "source"]
    for row, difference in zip(table.itertuples(index=False), DIFFERENCES.values(), strict=True):
        assert tuple(row) == (
            difference.title,
            difference.sentence,
            difference.sklearn,
            difference.keras,
            difference.source,
        )
