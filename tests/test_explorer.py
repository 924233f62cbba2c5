"""The explorer: what a person at the sliders gets."""

import asyncio
import base64
import gc
import io
import json

import numpy as np
import pytest
from PIL import Image

import mlpnb
from mlpnb import explorer as explorer_module
from mlpnb.errors import InputError
from mlpnb.settings import Settings

QUICK = Settings(max_iter=5)


@pytest.fixture(scope="module")
def data():
    return mlpnb.load_data("diabetes")


@pytest.fixture
def explorer(data):
    explorer = mlpnb.explore(data, QUICK)
    assert explorer.settled(120)
    return explorer


def control(explorer, name):
    return explorer._controls[name]


def move(explorer, name, value):
    control(explorer, name).value = value
    assert explorer.settled(120)


def scores(grid):
    return [[getattr(fit, "r2", None) for fit in row] for row in grid.fits]


def test_it_starts_with_the_grid_of_its_settings(explorer, data):
    expected = mlpnb.fit_grid(data, QUICK)
    np.testing.assert_allclose(scores(explorer.grid), scores(expected), rtol=1e-6)
    assert Image.open(io.BytesIO(explorer.image.value)).size == (900, 600)


@pytest.mark.parametrize(
    ("name", "value", "changes"),
    [
        ("alpha", 0.0, {"alpha": 0.0}),
        ("alpha", 10.0, {"alpha": 10.0}),
        ("dtype", "float64", {"dtype": "float64"}),
        ("activation", "tanh", {"activation": "tanh"}),
        ("random_state", 3, {"random_state": 3}),
        ("learning_rate_init", 0.0002, {"learning_rate_init": 0.0002}),
        ("momentum", 0.5, {"momentum": 0.5}),
        ("max_iter", 9, {"max_iter": 9}),
        ("hidden_units", 4, {"hidden_layer_sizes": (4,)}),
    ],
)
def test_each_control_moves_the_grid_to_what_fit_grid_gives(explorer, data, name, value, changes):
    before = explorer.image.value
    move(explorer, name, value)
    expected = mlpnb.fit_grid(data, QUICK.replace(**changes))
    assert explorer.grid.settings == expected.settings
    np.testing.assert_allclose(scores(explorer.grid), scores(expected), rtol=1e-5)
    assert explorer.image.value != before


def test_another_data_set_and_the_matched_column_can_be_chosen(explorer):
    move(explorer, "data", "friedman3")
    assert explorer.grid.data.name == "friedman3"
    move(explorer, "matched", True)
    row = explorer.grid.fits[1]
    assert len(row) == 4
    assert row[3].r2 == pytest.approx(row[0].r2, rel=1e-10)


def test_softplus_says_that_scikit_learn_lacks_it(explorer):
    move(explorer, "activation", "softplus")
    assert "has no softplus" in explorer.grid.describe()


def test_a_fit_already_seen_is_not_made_again(explorer, monkeypatch):
    move(explorer, "alpha", 5.0)
    seen = explorer.image.value
    move(explorer, "alpha", 10.0)
    made = []
    monkeypatch.setattr(explorer_module, "fit_sklearn", lambda *a, **k: made.append(a))
    monkeypatch.setattr(explorer_module, "fit_row", lambda *a, **k: made.append(a))
    move(explorer, "alpha", 5.0)
    assert made == []
    assert explorer.image.value == seen


def test_dtype_does_not_fit_scikit_learn_again(explorer, monkeypatch):
    made = []
    original = explorer_module.fit_sklearn
    monkeypatch.setattr(explorer_module, "fit_sklearn", lambda *a, **k: made.append(a) or original(*a, **k))
    move(explorer, "dtype", "float64")
    assert made == []


def test_the_cache_is_bounded(data, monkeypatch):
    monkeypatch.setattr(explorer_module, "CACHED_FITS", 3)
    cache = explorer_module.FitCache()
    for seed in range(10):
        cache.put(data, Settings(random_state=seed), mlpnb.SKLEARN, mlpnb.NotFitted("x"))
    assert [cache.get(data, Settings(random_state=seed), mlpnb.SKLEARN) is not None for seed in range(10)].count(
        True
    ) == 3


def test_a_flood_of_moves_computes_few_fits_and_ends_at_the_last(data, monkeypatch):
    made = []
    original = explorer_module.fit_sklearn
    monkeypatch.setattr(explorer_module, "fit_sklearn", lambda *a, **k: made.append(a) or original(*a, **k))

    async def drag():
        explorer = mlpnb.explore(data, Settings(max_iter=100))
        while explorer.busy:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # the first request comes once the loop is free
        while explorer.busy:
            await asyncio.sleep(0.01)
        made.clear()
        pictures = []
        explorer.image.observe(lambda change: pictures.append(change["new"]), "value")
        for step in range(100):
            explorer.load(json.dumps({"data": "diabetes", "settings": {"alpha": 1 + step / 1000, "max_iter": 100}}))
            await asyncio.sleep(0.002)
        while explorer.busy:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        return explorer, pictures

    explorer, pictures = asyncio.run(drag())
    assert len(made) < 40
    assert all(Image.open(io.BytesIO(picture)).size == (900, 600) for picture in pictures)
    assert explorer.grid.settings.alpha == pytest.approx(1.099)
    assert all(fit.settings.alpha == pytest.approx(1.099) for fit in explorer.grid.fits[1])


def test_a_hundred_moves_leak_no_figures(explorer):
    def figures():
        gc.collect()
        return sum(type(o).__name__ == "DescribedFigure" for o in gc.get_objects())

    before = figures()
    for step in range(100):
        explorer.load(json.dumps({"data": "diabetes", "settings": {"alpha": step / 50, "max_iter": 2}}))
        explorer.redraw()
    assert explorer.settled(60)
    assert figures() == before


def test_the_state_goes_out_as_json_and_comes_back(explorer, data):
    move(explorer, "alpha", 20.0)
    exports = explorer.exports()
    other = mlpnb.explore(data)
    other.load(exports["settings.json"][1])
    assert other.settled(120)
    assert other.state == explorer.state
    assert other.grid.describe() == explorer.grid.describe()
    assert control(other, "alpha").value == 20.0


def test_a_loaded_alpha_between_the_stops_becomes_one(explorer):
    explorer.load(json.dumps({"data": "diabetes", "settings": {"alpha": 0.37, "max_iter": 2}}))
    assert control(explorer, "alpha").value == 0.37


def test_settings_that_cannot_be_loaded_change_nothing(explorer):
    state = explorer.state
    for text in (
        "no json",
        "[]",
        '{"settings": {"alpha": -1}}',
        '{"settings": {"alfa": 1}}',
        '{"data": "x", "settings": {}}',
    ):
        with pytest.raises(InputError):
            explorer.load(text)
    assert explorer.state == state
    explorer._uploaded([{"content": memoryview(b"no json")}])
    assert "not JSON" in explorer._words.value


def test_exports_are_links_to_figure_numbers_and_settings(explorer):
    explorer._export()
    for name in ("grid.png", "grid.svg", "grid.csv", "predictions.csv", "settings.json"):
        assert f'download="{name}"' in explorer._links.value
    encoded = explorer._links.value.split('download="settings.json" href="data:application/json;base64,')[1].split('"')[
        0
    ]
    assert json.loads(base64.b64decode(encoded))["settings"]["max_iter"] == 5


def test_the_code_gives_the_picture(explorer, data):
    explorer.load(json.dumps({"data": "diabetes", "settings": {"alpha": 0.2, "activation": "relu", "max_iter": 4}}))
    assert explorer.settled(120)
    names = {}
    exec(explorer.code(), names)
    assert names["grid"].describe() == explorer.grid.describe()


def test_where_widgets_cannot_run_the_picture_stands_in_their_place(explorer):
    bundle = explorer._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == explorer.image.value
    assert bundle["text/plain"] == explorer.grid.describe()
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_data_set_that_cannot_be_had_is_said_and_the_old_one_stays(explorer, monkeypatch):
    def offline(name):
        raise InputError("it is fetched from the network, and that failed: go online.")

    monkeypatch.setattr(explorer_module, "load_data", offline)
    control(explorer, "data").value = "california_housing"
    assert explorer.state.data == "diabetes"
    assert control(explorer, "data").value == "diabetes"
    assert "go online" in explorer._words.value


def test_an_error_in_a_fit_is_said(explorer, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("broken <b>")

    monkeypatch.setattr(explorer_module, "fit_row", broken)
    move(explorer, "alpha", 50.0)
    assert "RuntimeError: broken &lt;b&gt;" in explorer._words.value
