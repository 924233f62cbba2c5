"""The axes of a sweep: what varies, as a mapping of settings to values or as a YAML or JSON file of one."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

from mlpnb.data import DATASETS, Data, load_data, read_table
from mlpnb.errors import InputError, require_choice
from mlpnb.grid import QUESTION
from mlpnb.recipe import KERAS_1, KERAS_2, MATCHED, SKLEARN, Recipe, require_names
from mlpnb.settings import Settings

RECIPES = {recipe.name: recipe for recipe in (SKLEARN, KERAS_1, KERAS_2, MATCHED)}
MOST_COMBINATIONS = 1_000_000  # beyond it a grid is a slip of the pen, and would fill the memory before the first fit
MOST_BYTES = 1 << 20  # of a grid's file
_RANGE = re.compile(r"(\d{1,10}):(\d{1,10})")
_ALONGSIDE = ("data", "csv", "target", "recipe")


def settings_grid(axes: Mapping[str, Any]) -> tuple[Settings, ...]:
    """Every combination of the values of some settings; the others have their defaults, the question's.

    Parameters
    ----------
    axes : mapping
        A value, or a sequence of them, by the setting's name. "first:stop" in place of whole numbers stands for
        those from the first up to the one before the stop, as ``range(first, stop)`` does. For `hidden_layer_sizes`
        a value is itself a sequence: ``[(10,), (20, 5)]`` are two.

    Returns
    -------
    tuple of Settings
        The last axis varies fastest.

    Raises
    ------
    InputError
        If a name is not a setting's, a value is not allowed, an axis has none, or the combinations are more than
        `MOST_COMBINATIONS`.

    Examples
    --------
    >>> len(settings_grid({"alpha": [0, 1], "random_state": "0:100"}))
    200
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    values = {require_choice("setting", name, names): _values(name, axis) for name, axis in axes.items()}
    n_combinations = math.prod(len(axis) for axis in values.values())
    if n_combinations > MOST_COMBINATIONS:
        raise InputError(
            f"the grid has {n_combinations:,} combinations, but {MOST_COMBINATIONS:,} at the most can be swept: give "
            "fewer values."
        )
    return tuple(Settings(**dict(zip(values, combination, strict=True))) for combination in product(*values.values()))


def read_sweep(path: str | Path) -> dict[str, Any]:
    """Read a sweep from a YAML or JSON file: ``mlpnb.sweep(**mlpnb.read_sweep("grid.yaml"))``.

    The file is a mapping of settings to a value or a list of them, as `settings_grid` takes it, and beside them

    - ``data``: a named data set or a list of them; or ``csv`` and ``target``: a table, beside the file, and its column;
    - ``recipe``: a list of recipes' names ("scikit-learn", "Keras 1", "Keras 2", "Keras matched"), or of mappings such
      as ``{name: Keras 2 halved, like: Keras 2, data_term: half}``.

    It is read as data: no YAML tag and no code in it is acted on.

    Parameters
    ----------
    path : str or Path
        A file that ends in .yaml, .yml or .json.

    Returns
    -------
    dict
        ``data``, ``settings`` and ``recipes``, as `sweep` takes them.

    Raises
    ------
    InputError
        If the file can't be read as such a mapping.
    """
    path = Path(path)
    values = parse_sweep(_read(path), path.name)
    data = values.pop("data", None)
    csv, target = values.pop("csv", None), values.pop("target", None)
    recipes = values.pop("recipe", None)
    settings = settings_grid(values)
    if csv is None:
        if target is not None:
            raise InputError(f"target {target!r} is the column of a table, but there is no csv: give one.")
        return {"data": _datasets(data), "settings": settings, "recipes": read_recipes(recipes)}
    if data is not None or not isinstance(csv, str) or not isinstance(target, str):
        raise InputError(f"csv {csv!r} needs a target, the name of its column, and excludes data: give those two.")
    recipes = read_recipes(recipes)
    return {"data": (read_table(path.parent / csv, target),), "settings": settings, "recipes": recipes}


def parse_sweep(text: str, name: str) -> dict[str, Any]:
    """The mapping in a sweep's file, its names checked; `name` says by its ending what language it is in.

    Raises
    ------
    InputError
        If it is no mapping of a sweep's names.
    """
    values = _load_json(text, name) if name.endswith(".json") else _load_yaml(text, name)
    if not isinstance(values, dict):
        raise InputError(f"sweep {name!r} is not a mapping of settings to values: write lines such as 'alpha: [0, 1]'.")
    allowed = [*_ALONGSIDE, *(field.name for field in dataclasses.fields(Settings))]
    return {require_choice(f"in {name!r}, setting", key, allowed): value for key, value in values.items()}


def read_recipes(values: object) -> tuple[Recipe, ...]:
    """Recipes by their names, or by mappings of what they change; the question's, if `values` is None.

    Raises
    ------
    InputError
        If one is unknown, or two have one name.
    """
    if values is None:
        return QUESTION
    recipes = tuple(_recipe(value) for value in (values if isinstance(values, list | tuple) else [values]))
    require_names(recipes)
    return recipes


def _recipe(value: object) -> Recipe:
    if not isinstance(value, dict):
        return RECIPES[require_choice("recipe", value, RECIPES)]
    fields = dict(value)
    base = RECIPES[require_choice("recipe", fields.pop("like", MATCHED.name), RECIPES)]
    allowed = [field.name for field in dataclasses.fields(Recipe)]
    for name in fields:
        require_choice("field of a recipe", name, allowed)
    if not isinstance(fields.get("name"), str) or not fields["name"].strip():
        raise InputError(f"recipe {value!r} has no name: add one, such as name: {base.name} changed.")
    return base.replace(**fields)


def _datasets(names: object) -> tuple[Data, ...]:
    if names is None:
        return (load_data(),)
    listed = names if isinstance(names, list | tuple) else [names]
    return tuple(load_data(require_choice("data set", name, DATASETS)) for name in listed)


def _values(name: str, axis: object) -> Sequence[Any]:
    whole = Settings.rule(name).integer and name != "hidden_layer_sizes"
    if whole and isinstance(axis, str) and (found := _RANGE.fullmatch(axis)):
        first, stop = map(int, found.groups())
        axis = range(first, stop)
    several = isinstance(axis, Iterable) and not isinstance(axis, str | bytes | Mapping)
    values: Sequence[Any] = (
        axis if isinstance(axis, range) else list(cast("Iterable[Any]", axis)) if several else [axis]
    )
    if name == "hidden_layer_sizes" and several and not any(isinstance(value, Sequence) for value in values):
        values = [values]  # (10,) is one value, [(10,), (20, 5)] are two
    if not values:
        raise InputError(f"{name} has no value to sweep over: give one or more, or leave it out.")
    return values


def _read(path: Path) -> str:
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise InputError(f"sweep {path.name!r} ends in {path.suffix!r}: give a .yaml or a .json file.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"sweep {path.name!r} is longer than {MOST_BYTES:,} bytes: give ranges such as '0:100'.")
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"sweep {str(path)!r} can't be read ({error}): give a text file in UTF-8.") from error


def _load_json(text: str, name: str) -> Any:
    import json

    try:
        return json.loads(text, object_pairs_hook=_once)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"sweep {name!r} is not JSON ({error}): repair it.") from error


def _load_yaml(text: str, name: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML's plain values alone; a key that is there twice is refused, as either could be meant."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            _once((str(key.value), None) for key, _ in node.value)
            return dict(super().construct_mapping(node, deep))

    # `1e-3` is a number to people and to JSON, and text to YAML 1.1, which wants `1.0e-3`.
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
    )
    loader = None
    try:
        loader = Loader(text)
        return loader.get_single_data()
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"sweep {name!r} is not YAML of plain values ({error}): repair it.") from error
    finally:
        if loader is not None:
            loader.dispose()


def _once(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"{key!r} is there twice: leave one of them, or give a list of values.")
        found[key] = value
    return found
