"""What a person is told: one sentence that names the value, what is allowed, and the fix."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpnb.errors import InputError, require_choice

FRUIT = ("apple", "Banana", "cherry")


def refusal(value, choices=FRUIT, aliases=None):
    with pytest.raises(InputError) as caught:
        require_choice("fruit", value, choices, aliases)
    return str(caught.value)


@pytest.mark.parametrize("value", FRUIT)
def test_a_choice_is_returned_as_it_is(value):
    assert require_choice("fruit", value, FRUIT) is value


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("aple", "fruit 'aple' is not known: choose one of apple, Banana, cherry; did you mean 'apple'?"),
        ("BANANA", "fruit 'BANANA' is not known: choose one of apple, Banana, cherry; did you mean 'Banana'?"),
        ("zzz", "fruit 'zzz' is not known: choose one of apple, Banana, cherry."),
        ("", "fruit '' is not known: choose one of apple, Banana, cherry."),
        (3, "fruit 3 is not known: choose one of apple, Banana, cherry."),
        (None, "fruit None is not known: choose one of apple, Banana, cherry."),
        (["apple"], "fruit ['apple'] is not known: choose one of apple, Banana, cherry; did you mean 'apple'?"),
    ],
)
def test_another_value_is_answered_with_all_choices_and_the_nearest(value, sentence):
    assert refusal(value) == sentence


def test_another_librarys_name_points_at_ours():
    assert refusal("Sour", aliases={"sour": "cherry"}).endswith("did you mean 'cherry'?")


def test_choices_may_come_from_an_iterator():
    assert require_choice("fruit", "apple", iter(FRUIT)) == "apple"
    assert "choose one of apple, Banana, cherry" in refusal("kiwi", iter(FRUIT))


def test_many_and_long_choices_are_cut_short_yet_the_nearest_is_among_all():
    choices = [f"column {i}" for i in range(1000)] + ["x" * 1000]
    message = refusal("column 999x", choices)
    assert "column 19, and 981 more; did you mean 'column 999'?" in message
    assert len(refusal("kiwi", ["x" * 1000])) < 200


@given(st.text())
def test_a_message_is_one_line_whatever_is_in_it(text):
    assert len(str(InputError(f"table {text} is bad.")).splitlines()) == 1
    assert len(refusal(text + "\n", [text, "apple"]).splitlines()) == 1


def test_a_message_comes_whole_from_another_process():
    error = pickle.loads(pickle.dumps(InputError("alpha is -1.")))
    assert isinstance(error, ValueError)
    assert str(error) == "alpha is -1."
