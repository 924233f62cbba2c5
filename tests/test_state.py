"""A grid in a few words, as the explorer exports and loads it: what cannot be loaded is one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Settings
from mlpnb.data import DATASETS
from mlpnb.state import State

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(10**400)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=8,
)
STATES = st.builds(
    State,
    data=st.sampled_from(DATASETS),
    settings=st.builds(
        Settings,
        alpha=st.floats(0, allow_infinity=False),
        dtype=st.sampled_from(["float32", "float64"]),
        activation=st.sampled_from(["logistic", "tanh", "relu", "identity", "softplus"]),
        hidden_layer_sizes=st.lists(st.integers(1, 1000), max_size=3),
        batch_size=st.one_of(st.just("auto"), st.integers(1)),
        random_state=st.integers(0, 2**32 - 1),
    ),
    matched=st.booleans(),
)


def loaded_or_told(text, datasets=DATASETS):
    """The state, or the one sentence with which it is refused; no other exception."""
    try:
        return State.from_json(text, datasets)
    except InputError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1
    return sentence


@given(STATES)
def test_a_state_survives_json(state):
    assert State.from_json(state.to_json()) == state
    assert State.from_json(state.to_json().encode()) == state


def test_the_export_can_be_read_by_a_person():
    text = State("diabetes", Settings(alpha=0.5), matched=True).to_json()
    assert text.startswith('{\n  "data": "diabetes",\n  "matched": true,\n  "settings": {\n    "alpha": 0.5,\n')


def test_what_is_left_out_has_its_default():
    assert State.from_json('{"settings": {}}') == State("friedman1", Settings(), matched=False)
    assert State.from_json('{"data": "diabetes", "settings": {"alpha": 2}}') == State("diabetes", Settings(alpha=2))


def test_the_columns_are_the_questions_and_the_matched_one_where_it_is_asked_for():
    assert State("diabetes", Settings()).recipes == (SKLEARN, KERAS_1, KERAS_2)
    assert State("diabetes", Settings(), matched=True).recipes == (SKLEARN, KERAS_1, KERAS_2, MATCHED)


def test_only_the_data_sets_at_hand_are_taken():
    text = State("houses.csv", Settings()).to_json()
    assert State.from_json(text, ["houses.csv"]).data == "houses.csv"
    assert loaded_or_told(text).startswith("data set 'houses.csv' is not known: choose one of friedman1, ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the settings are not JSON ("),
        ("{", "the settings are not JSON ("),
        (b"\xff\xfe\xfd", "the settings are not JSON ("),
        ("[" * 100_000, "the settings are not JSON ("),
        ('{"settings": {"max_iter": ' + "9" * 5000 + "}}", "the settings are not JSON ("),
        ("null", "the settings lack the object 'settings'"),
        ("[]", "the settings lack the object 'settings'"),
        ("{}", "the settings lack the object 'settings'"),
        ('{"settings": [1]}', "the settings lack the object 'settings'"),
        ('{"settings": {}, "date": 1}', "setting 'date' is not known: choose one of data, matched, settings; did you"),
        ('{"settings": {}, "matched": 1}', "matched is 1, but it must be true or false"),
        ('{"settings": {}, "matched": null}', "matched is None, but it must be true or false"),
        ('{"settings": {}, "data": "iris"}', "data set 'iris' is not known"),
        ('{"settings": {}, "data": ["diabetes"]}', "data set ['diabetes'] is not known"),
        ('{"settings": {"alfa": 1}}', "setting 'alfa' is not known"),
        ('{"settings": {"alpha": NaN}}', "alpha is nan, but it must be a finite number"),
        ('{"settings": {"alpha": Infinity}}', "alpha is inf, but it must be a finite number"),
        ('{"settings": {"alpha": 1e400}}', "alpha is inf, but it must be a finite number"),
        ('{"settings": {"alpha": 1' + "0" * 400 + "}}", "but it must be a finite number"),
        ('{"settings": {"alpha": "1"}}', "alpha is '1'"),
        ('{"settings": {"alpha": {"value": 1}}}', "alpha is {'value': 1}"),
        ('{"settings": {"max_iter": 200.0}}', "max_iter is 200.0, but it must be a whole number"),
        ('{"settings": {"max_iter": 1' + "0" * 400 + "}}", "but it must be a whole number"),
        ('{"settings": {"hidden_layer_sizes": {"a": 1}}}', "hidden_layer_sizes is {'a': 1}, but it must be a sequence"),
        ('{"settings": {"hidden_layer_sizes": {}}}', "hidden_layer_sizes is {}, but it must be a sequence"),
        ('{"settings": {"hidden_layer_sizes": [[10]]}}', "hidden_layer_sizes is [10]"),
        ('{"settings": {"nesterovs_momentum": "yes"}}', "nesterovs_momentum is 'yes'"),
        ('{"settings": {"random_state": -1}}', "random_state is -1"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_cannot_be_loaded_is_told_by_name(text, words):
    assert words in loaded_or_told(text)


@given(st.one_of(st.text(), st.binary()))
def test_any_text_or_bytes_are_a_state_or_a_sentence(text):
    loaded_or_told(text)


@given(st.one_of(JSON, JSON.map(lambda value: {"settings": value})))
def test_any_json_is_a_state_or_a_sentence(value):
    loaded_or_told(json.dumps(value))


@given(STATES, st.data())
def test_a_state_with_one_value_changed_is_a_state_or_a_sentence(state, data):
    values = json.loads(state.to_json())
    part = data.draw(st.sampled_from([values, values["settings"]]))
    part[data.draw(st.sampled_from(list(part)))] = data.draw(JSON)
    outcome = loaded_or_told(json.dumps(values))
    if isinstance(outcome, State):
        assert State.from_json(outcome.to_json()) == outcome
