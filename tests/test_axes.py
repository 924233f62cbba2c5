"""The axes of a sweep: every combination, from Python, YAML or JSON, read as data and nothing else."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlpnb import KERAS_1, KERAS_2, MATCHED, SKLEARN, InputError, Settings, read_sweep, settings_grid
from mlpnb.axes import parse_sweep, read_recipes

FULL = """
alpha: [0, 1e-3, 1]
random_state: "0:2"
hidden_layer_sizes: [[10], [20, 5]]
batch_size: [auto, 50]
recipe: [scikit-learn, Keras 2, {name: halved, like: Keras 2, data_term: half}]
data: [diabetes, friedman1]
"""


def test_every_combination_the_last_axis_fastest():
    grid = settings_grid({"alpha": [0, 1], "random_state": range(3), "activation": "relu"})
    assert [(s.alpha, s.random_state) for s in grid] == [(a, r) for a in (0, 1) for r in range(3)]
    assert {s.activation for s in grid} == {"relu"}
    assert settings_grid({}) == (Settings(),)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((20, 5), [(20, 5)]), ([[20, 5]], [(20, 5)]), ([(10,), (20, 5)], [(10,), (20, 5)]), ((), [()]),
        ([(), (3,)], [(), (3,)]),
    ],
)  # fmt: skip
def test_sizes_of_layers_are_one_value(sizes, expected):
    assert [s.hidden_layer_sizes for s in settings_grid({"hidden_layer_sizes": sizes})] == expected


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"alfa": [1]}, "did you mean 'alpha'"),
        ({"alpha": []}, "alpha has no value"),
        ({"alpha": [1, -1]}, "alpha is -1"),
        ({"alpha": "0:3"}, "alpha is '0:3'"),
        ({"random_state": "5:5"}, "random_state has no value"),
        ({"random_state": "0:9999999999"}, "9,999,999,999 combinations"),
        ({"alpha": [1] * 2000, "momentum": [0] * 2000}, "4,000,000 combinations"),
        ({"hidden_layer_sizes": ["10"]}, "hidden_layer_sizes is '10'"),
        ({"alpha": {"from": 1}}, "alpha is {'from': 1}"),
    ],
)
def test_what_is_no_axis(axes, words):
    with pytest.raises(InputError, match=words.replace("{", r"\{").replace("}", r"\}")):
        settings_grid(axes)


@pytest.mark.parametrize("ending", ["yaml", "yml", "json"])
def test_a_file_says_all_of_a_sweep(ending, tmp_path):
    path = tmp_path / f"grid.{ending}"
    values = yaml.safe_load(FULL) | {"alpha": [0, 1e-3, 1]}
    path.write_text(json.dumps(values) if ending == "json" else FULL)
    what = read_sweep(path)
    assert [data.name for data in what["data"]] == ["diabetes", "friedman1"]
    assert what["recipes"] == (SKLEARN, KERAS_2, KERAS_2.replace(name="halved", data_term="half"))
    axes = {"alpha": [0, 1e-3, 1], "random_state": range(2), "hidden_layer_sizes": [(10,), (20, 5)]}
    assert what["settings"] == settings_grid(axes | {"batch_size": ["auto", 50]})


def test_a_table_is_found_beside_the_file(tmp_path):
    rows = "".join(f"{i},{i % 3},{2 * i}\n" for i in range(20))
    (tmp_path / "mine.csv").write_text("a,b,y\n" + rows)
    (tmp_path / "grid.yaml").write_text("csv: mine.csv\ntarget: y\n")
    (data,) = read_sweep(tmp_path / "grid.yaml")["data"]
    assert (data.name, data.target_name) == ("mine.csv", "y")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha: [0\n", "is not YAML"),
        ("- 1\n- 2\n", "is not a mapping"),
        ("", "is not a mapping"),
        ("alpa: 1\n", "did you mean 'alpha'"),
        ("alpha: 1\nalpha: 2\n", "'alpha' is there twice"),
        ("alpha: !!python/object/apply:os.system ['touch pwned']\n", "is not YAML of plain values"),
        ("alpha: !!python/name:os.system\n", "is not YAML of plain values"),
        ("alpha: 2020-01-01\n", "alpha is datetime.date"),
        ("recipe: Keras 3\n", "did you mean 'Keras"),
        ("recipe: [Keras 2, Keras 2]\n", "each with its own name"),
        ("recipe: [{like: Keras 2}]\n", "has no name"),
        ("recipe: [{name: x, data_term: third}]\n", "data_term 'third'"),
        ("recipe: [{name: x, colour: red}]\n", "field of a recipe 'colour'"),
        ("data: fridman1\n", "did you mean 'friedman1'"),
        ("data: [[1]]\n", "data set"),
        ("target: y\n", "no csv"),
        ("csv: mine.csv\n", "needs a target"),
        ("csv: mine.csv\ntarget: y\ndata: diabetes\n", "excludes data"),
        ("csv: nowhere.csv\ntarget: y\n", "is not a file"),
        ("? [1, 2]\n: 3\n", "unhashable key"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", "setting 'a'"),
    ],
)
def test_what_a_file_may_not_say(text, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_sweep("grid.yaml")
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["grid.yaml"]


def test_files_that_are_none(tmp_path):
    (tmp_path / "grid.txt").write_text("alpha: 1")
    (tmp_path / "latin.yaml").write_bytes("alpha: 1 # ä".encode("latin-1"))
    (tmp_path / "large.yaml").write_bytes(b"#" * (1 << 21))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "twice.json").write_text('{"alpha": 1, "alpha": 2}')
    for name, words in [
        ("grid.txt", "ends in '.txt'"), ("latin.yaml", "can't be read"), ("large.yaml", "longer than"),
        ("deep.json", "is not JSON"), ("twice.json", "there twice"), ("nowhere.yaml", "can't be read"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=words):
            read_sweep(tmp_path / name)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["alpha", "dtype", "activation", "hidden_layer_sizes", "batch_size", "random_state", "solver"])


@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
@given(values=st.dictionaries(NAMES, PLAIN, max_size=4), ending=st.sampled_from(["json", "yaml"]))
def test_whatever_is_written_is_settings_or_a_sentence(values, ending):
    """And what is accepted is what was written: each of its values is a setting's of some combination."""
    text = json.dumps(values) if ending == "json" else yaml.safe_dump(values)
    try:
        grid = settings_grid(parse_sweep(text, f"grid.{ending}"))
    except InputError:
        return
    for name, axis in values.items():
        for value in axis if isinstance(axis, list) and name != "hidden_layer_sizes" else []:
            assert any(getattr(settings, name) == value for settings in grid)
    assert all(Settings.from_dict(json.loads(settings.to_json())) == settings for settings in grid)


@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
@given(value=PLAIN)
def test_whatever_is_written_is_recipes_or_a_sentence(value):
    try:
        recipes = read_recipes(value)
    except InputError:
        return
    assert value is None
    assert recipes == (SKLEARN, KERAS_1, KERAS_2)


def test_a_recipe_starts_from_the_matched_one_unless_said_otherwise():
    assert read_recipes([{"name": "x", "stopping": "never"}]) == (MATCHED.replace(name="x", stopping="never"),)
