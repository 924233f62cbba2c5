"""What a person is told when a value cannot be used: one sentence that names it, what is allowed, and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class InputError(ValueError):
    """A value from the user cannot be used.

    The message is one sentence meant for the user: it names the value, says what is allowed, and how to put it right.
    The command line prints it without a traceback and exits with code 2.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(" ".join(sentence.splitlines()))  # values and other libraries' words may break the line


class ReportError(RuntimeError):
    """A notebook did not run to its end; the message says which cell, why, and where the failed notebook is."""


class SweepError(RuntimeError):
    """A sweep stopped before its end; the message says why, what is written, and how to go on from there."""


def require_choice(name: str, value: object, choices: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return `value` if it is one of `choices`; otherwise raise with the nearest names.

    Parameters
    ----------
    name : str
        What the value is, as the user calls it, for the message.
    value : object
        The value to check.
    choices : iterable of str
        The allowed values.
    aliases : mapping of str to str, optional
        What other libraries call a choice (``{"sigmoid": "logistic"}``): only used to point at the right one.

    Raises
    ------
    InputError
        If `value` is not one of `choices`.
    """
    choices = list(choices)
    if isinstance(value, str) and value in choices:
        return str(value)  # NumPy's text as well
    text = str(value)
    lower = {choice.lower(): choice for choice in choices}
    near = (aliases or {}).get(text.lower()) or next(
        (lower[match] for match in difflib.get_close_matches(text.lower(), lower, n=1, cutoff=0.5)), None
    )
    hint = f"; did you mean {near!r}?" if near else "."
    listed = ", ".join(choice[:40] for choice in choices[:20])
    more = f", and {len(choices) - 20} more" if len(choices) > 20 else ""  # a table can have thousands of columns
    raise InputError(f"{name} {value!r} is not known: choose one of {listed}{more}{hint}")
