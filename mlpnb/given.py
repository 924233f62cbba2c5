"""What the user gives `mlpnb compare`: a file of their own code, or two saved models; and what they get."""

from __future__ import annotations

import runpy
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpnb.errors import InputError
from mlpnb.translate import load_custom

if TYPE_CHECKING:
    from mlpnb.comparison import Comparison

_PICKLES = (".pkl", ".pickle", ".joblib")
_OPTIONAL = ("X", "y", "X_test", "y_test", "fit_arguments")


def read_given(files: Sequence[str], *, unpickle: bool = False) -> dict[str, Any]:
    """The arguments of `compare`, out of a Python file or of two saved models.

    Parameters
    ----------
    files : sequence of str
        One ``.py``; or a pickle of an estimator and a ``.keras`` file, in any order.
    unpickle : bool, default=False
        Whether to load the pickle, which may run any code.

    Raises
    ------
    InputError
        If a file is not there, can't be loaded, or does not define what is needed.
    """
    paths = [Path(file) for file in files]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{str(path)!r} is not a file: give the path of one.")
    kinds = sorted(path.suffix.lower() for path in paths)
    if kinds == [".py"]:
        return _run(paths[0])
    if len(kinds) == 2 and ".keras" in kinds and set(kinds) & set(_PICKLES):
        pickled, saved = sorted(paths, key=lambda path: path.suffix.lower() == ".keras")
        if not unpickle:
            raise InputError(
                f"{str(pickled)!r} is a pickle, which runs whatever code is in it when it is loaded: give --unpickle "
                "if you trust where it comes from."
            )
        return {"estimator": _unpickled(pickled), "model": _loaded(saved)}
    raise InputError(
        f"compare can't read {', '.join(repr(str(path)) for path in paths)}: give one .py file, or a pickled estimator "
        f"({', '.join(_PICKLES)}) and a .keras file."
    )


def _run(path: Path) -> dict[str, Any]:
    load_custom()
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # as when Python runs the file itself
    try:
        names = runpy.run_path(str(path), run_name="mlpnb_compare")
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = f" in line {lines[-1]}" if lines else ""
        raise InputError(
            f"{str(path)!r} stopped{line} with {type(error).__name__}: {error}: mend it, so that it runs by itself."
        ) from error
    finally:
        sys.path.remove(folder)
    for needed in ("estimator", "model"):
        if needed not in names:
            raise InputError(
                f"{str(path)!r} defines no {needed!r}: call the scikit-learn estimator `estimator` and the Keras model "
                "`model`."
            )
    return {name: names[name] for name in ("estimator", "model", *_OPTIONAL) if name in names}


def _unpickled(path: Path) -> Any:
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:  # a pickle may raise anything
        raise InputError(
            f"{str(path)!r} can't be loaded ({type(error).__name__}: {error}): write it by joblib.dump(estimator, "
            f"{path.name!r}) with the installed scikit-learn."
        ) from error


def _loaded(path: Path) -> Any:
    load_custom()
    import keras

    try:
        with warnings.catch_warnings():
            # an optimizer that has done no step is saved without its memory, of which there is none yet
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            return keras.models.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{str(path)!r} can't be loaded as a Keras model ({reason}): write it by model.save({path.name!r}), or "
            "give a .py file that makes it."
        ) from error


def check_outputs(outputs: Iterable[str]) -> None:
    """Refuse files that `write` could not write, before anything is done."""
    for output in outputs:
        path = Path(output)
        if path.suffix not in (".html", ".json"):
            raise InputError(f"--out {output!r} must end in .html or .json: give such a name.")
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise InputError(f"--out {output!r} can't be written: give a file in a folder that is there.")
        try:
            tempfile.TemporaryFile(dir=path.absolute().parent).close()
        except OSError as error:
            raise InputError(f"--out {output!r} can't be written ({error.strerror}): choose another one.") from error


def write(comparison: Comparison, outputs: Iterable[str]) -> None:
    """Write the comparison as a page or as JSON, a whole file at a time."""
    for output in outputs:
        path = Path(output)
        content = comparison.to_html() if path.suffix == ".html" else comparison.to_json()
        with tempfile.TemporaryDirectory(prefix=".mlpnb-", dir=path.absolute().parent) as work:
            made = Path(work, path.name)
            made.write_text(content, encoding="utf-8")
            made.replace(path)
