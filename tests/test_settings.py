"""Settings: every value validated where it is made, with a sentence that names it; JSON there and back."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neural_network import MLPRegressor

from mlpnb import InputError, Settings
from mlpnb.settings import ACTIVATIONS, DTYPES, SOLVERS

FIELDS = [field.name for field in dataclasses.fields(Settings)]
NUMBERS = {
    name: Settings.rule(name)
    for name in ("alpha", "learning_rate_init", "momentum", "batch_size", "max_iter", "random_state")
}
VALID = {
    "alpha": st.floats(0, allow_infinity=False),
    "dtype": st.sampled_from(DTYPES),
    "activation": st.sampled_from(ACTIVATIONS),
    "hidden_layer_sizes": st.lists(st.integers(1), max_size=4).map(tuple),
    "solver": st.sampled_from(SOLVERS),
    "learning_rate_init": st.floats(0, exclude_min=True, allow_infinity=False),
    "momentum": st.floats(0, 1),
    "nesterovs_momentum": st.booleans(),
    "batch_size": st.one_of(st.just("auto"), st.integers(1)),
    "max_iter": st.integers(1, 10**9),
    "random_state": st.integers(0, 2**32 - 1),
}
NONSENSE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.decimals(),
        st.text(),
        st.binary(),
        st.sampled_from([10**400, -(10**400), np.nan, np.array(3), np.array([[1.0, 2.0], [3.0, 4.0]]), np.float32(2)]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


def refusal(**values):
    with pytest.raises(InputError) as caught:
        Settings(**values)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_the_defaults_are_the_questions():
    settings = Settings()
    sklearn = MLPRegressor().get_params()
    question = {"alpha": 1.0, "activation": "logistic", "hidden_layer_sizes": (10,), "solver": "sgd"}
    for name in FIELDS:
        if name != "dtype":
            assert getattr(settings, name) == (question | {"random_state": 0}).get(name, sklearn[name]), name
    assert settings.dtype == "float32"


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds_are_as_told(name):
    """The bound itself is taken or refused as the rule says, and so is the next number on either side."""
    rule = NUMBERS[name]

    def after(bound, towards):
        return bound + int(np.sign(towards)) if rule.integer else float(np.nextafter(bound, towards))

    taken, refused = [after(rule.low, np.inf)], [after(rule.low, -np.inf)]
    (taken if rule.low_included else refused).append(rule.low)
    if np.isfinite(rule.high):
        taken += [rule.high, after(rule.high, -np.inf)]
        refused.append(after(rule.high, np.inf))
    for value in taken:
        assert getattr(Settings(**{name: value}), name) == value
    for value in refused:
        message = refusal(**{name: value})
        assert message.startswith(f"{name} is {value!r}, but it must be {rule.allowed()}")


def test_the_rules_in_words():
    assert {name: rule.allowed() for name, rule in NUMBERS.items()} == {
        "alpha": "a finite number, 0 or more",
        "learning_rate_init": "a finite number above 0",
        "momentum": "a finite number from 0 to 1",
        "batch_size": "a whole number, 1 or more",
        "max_iter": "a whole number, 1 or more",
        "random_state": "a whole number from 0 to 4294967295",
    }
    assert Settings.rule("dtype").allowed() == "one of float32, float64"
    assert all(Settings.rule(name).help for name in FIELDS)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        10**400,
        -(10**400),
        True,
        np.True_,
        None,
        1j,
        [1],
        np.array([1]),
        b"1",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_finite_number_is_refused(name, value):
    assert refusal(**{name: value}).startswith(f"{name} is ")


@pytest.mark.parametrize("name", [name for name, rule in NUMBERS.items() if rule.integer])
@pytest.mark.parametrize("value", [2.0, 2.5, np.float64(2), Fraction(2)], ids=repr)
def test_counts_are_whole_numbers(name, value):
    assert "must be a whole number" in refusal(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("alpha", "1", "alpha is '1', but it must be a finite number, 0 or more"),
        ("batch_size", "many", "batch_size is 'many', but it must be 'auto' or a whole number, 1 or more"),
        ("batch_size", "AUTO", "batch_size is 'AUTO', but it must be 'auto' or a whole number"),
        ("nesterovs_momentum", 1, "nesterovs_momentum is 1, but it must be True or False"),
        ("nesterovs_momentum", "False", "nesterovs_momentum is 'False', but it must be True or False"),
        ("hidden_layer_sizes", 10, "hidden_layer_sizes is 10, but it must be a sequence of whole numbers"),
        ("hidden_layer_sizes", "10", "hidden_layer_sizes is '10', but it must be a sequence of whole numbers"),
        ("hidden_layer_sizes", b"10", "hidden_layer_sizes is b'10', but it must be a sequence of whole numbers"),
        ("hidden_layer_sizes", np.array(10), "hidden_layer_sizes is array(10), but it must be a sequence"),
        ("hidden_layer_sizes", {}, "hidden_layer_sizes is {}, but it must be a sequence"),
        ("hidden_layer_sizes", {20, 10}, "but it must be a sequence of whole numbers"),
        ("hidden_layer_sizes", (10, 0), "hidden_layer_sizes is 0, but it must be a whole number, 1 or more"),
        ("hidden_layer_sizes", (10, True), "hidden_layer_sizes is True"),
        ("hidden_layer_sizes", (2.5,), "hidden_layer_sizes is 2.5"),
        ("hidden_layer_sizes", ((10,),), "hidden_layer_sizes is (10,)"),
        ("dtype", "float16", "dtype 'float16' is not known: choose one of float32, float64"),
        ("dtype", np.float32, "is not known: choose one of float32, float64"),
        ("activation", None, "activation None is not known: choose one of logistic, tanh, relu, identity, softplus"),
        ("solver", "lbfgs", "solver 'lbfgs' is not known: choose one of sgd, adam"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_by_name(name, value, words):
    assert words in refusal(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("activation", "sigmoid", "logistic"),
        ("activation", "Sigmoid", "logistic"),
        ("activation", "linear", "identity"),
        ("activation", "ReLU", "relu"),
        ("activation", "logistics", "logistic"),
        ("dtype", "float", "float64"),
        ("dtype", "double", "float64"),
        ("dtype", "single", "float32"),
        ("dtype", "Float32", "float32"),
        ("solver", "ADAM", "adam"),
    ],
)
def test_other_names_are_answered_with_ours(name, value, meant):
    assert refusal(**{name: value}).endswith(f"; did you mean {meant!r}?")


@given(st.sampled_from(FIELDS), NONSENSE)
def test_any_value_is_taken_or_refused_in_a_sentence(name, value):
    try:
        settings = Settings(**{name: value})
    except InputError as error:
        message = str(error)
    else:
        message = None
        assert Settings.from_dict(json.loads(settings.to_json())) == settings
    assert message is None or (len(message.splitlines()) == 1 and message.startswith(name))


@given(st.one_of(NONSENSE, st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text()), NONSENSE, max_size=3)))
def test_any_object_is_settings_or_a_sentence(values):
    try:
        settings = Settings.from_dict(values)
    except InputError as error:
        message = str(error)
    else:
        assert set(values) <= set(FIELDS)
        assert Settings.from_dict(json.loads(settings.to_json())) == settings
        return
    assert len(message.splitlines()) == 1


def test_numpys_scalars_become_pythons():
    settings = Settings(
        alpha=np.float32(0.5),
        hidden_layer_sizes=np.array([3, 2]),
        momentum=np.int64(1),
        nesterovs_momentum=np.True_,
        batch_size=np.int32(10),
        max_iter=np.uint8(5),
        random_state=np.uint32(2**32 - 1),
        activation=np.str_("relu"),
    )
    assert settings == Settings(0.5, "float32", "relu", (3, 2), "sgd", 1e-3, 1.0, True, 10, 5, 2**32 - 1)
    for name in FIELDS:
        assert type(getattr(settings, name)) in (int, float, str, bool, tuple), name
    assert {type(units) for units in settings.hidden_layer_sizes} == {int}


@given(st.fixed_dictionaries({}, optional=VALID))
def test_settings_survive_json(values):
    settings = Settings(**values)
    text = settings.to_json()
    assert list(json.loads(text)) == FIELDS
    assert Settings.from_dict(json.loads(text)) == settings


def test_what_is_left_out_has_its_default():
    assert Settings.from_dict({}) == Settings()
    assert Settings.from_dict({"alpha": 2}) == Settings(alpha=2)


@pytest.mark.parametrize(
    ("name", "hint"), [("Alpha", "'alpha'"), ("learning_rate", "'learning_rate_init'"), ("dtypes", "'dtype'")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=rf"setting '{name}' is not known: .*did you mean {hint}\?"):
        Settings.from_dict({"alpha": 1, name: 1})


def test_a_batch_is_200_rows_or_all_or_as_told():
    assert [Settings().batch_rows(n) for n in (1, 199, 200, 201)] == [1, 199, 200, 200]
    assert [Settings(batch_size=n).batch_rows(50) for n in (1, 50)] == [1, 50]
    with pytest.raises(InputError, match=r"batch_size is 51, above the 50 training rows: give 50 or fewer, or 'auto'"):
        Settings(batch_size=51).batch_rows(50)


def test_a_copy_is_validated_as_well():
    settings = Settings()
    assert settings.replace(alpha=2).alpha == 2.0
    assert settings.alpha == 1.0
    with pytest.raises(InputError, match="alpha is -1"):
        settings.replace(alpha=-1)


def test_settings_are_values():
    assert len({Settings(), Settings(alpha=1), Settings(hidden_layer_sizes=[10]), Settings(alpha=2)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().alpha = 2
