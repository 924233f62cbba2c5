"""A grid in a few words: all that its picture depends on, small enough to be sent to somebody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mlpnb.data import DATASETS
from mlpnb.errors import InputError, require_choice
from mlpnb.grid import QUESTION
from mlpnb.recipe import MATCHED, Recipe
from mlpnb.settings import Settings


@dataclass(frozen=True)
class State:
    """What the explorer shows, and what is exported as ``settings.json``.

    Attributes
    ----------
    data : str
        Name of the data set.
    settings : Settings
    matched : bool
        Whether there is a fourth column, `MATCHED`.
    """

    data: str
    settings: Settings
    matched: bool = False

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The columns."""
        return (*QUESTION, MATCHED) if self.matched else QUESTION

    def to_json(self) -> str:
        """The state as JSON, for `from_json`."""
        settings = json.loads(self.settings.to_json())
        return json.dumps({"data": self.data, "matched": self.matched, "settings": settings}, indent=2)

    @classmethod
    def from_json(cls, text: str | bytes, datasets: Sequence[str] = DATASETS) -> State:
        """Read a state that `to_json` wrote; what is left out has its default.

        Raises
        ------
        InputError
            If it is not such a state, or its data set is not one of `datasets`.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the settings are not JSON ({error}): load a file that the explorer exported.") from error
        if not isinstance(values, dict) or not isinstance(values.get("settings"), dict):
            raise InputError("the settings lack the object 'settings': load a file that the explorer exported.")
        for name in values:
            require_choice("setting", name, ("data", "matched", "settings"))
        if not isinstance(values.get("matched", False), bool):
            raise InputError(f"matched is {values['matched']!r}, but it must be true or false: give one of them.")
        data = require_choice("data set", values.get("data", DATASETS[0]), datasets)
        return cls(data, Settings.from_dict(values["settings"]), values.get("matched", False))
