"""The notebooks in a folder of the user's own."""

import pytest

from mlpnb.errors import InputError
from mlpnb.lab import copy_notebooks, notebook_path


def test_notebooks_are_copied_once_and_edits_are_kept(tmp_path):
    copied, kept = copy_notebooks(tmp_path)
    assert [path.name for path in copied] == ["01_the_question.ipynb"]
    assert kept == []
    assert copy_notebooks(tmp_path) == ([], [])
    copied[0].write_text("mine")
    assert copy_notebooks(tmp_path) == ([], copied)
    assert copied[0].read_text() == "mine"


def test_a_folder_in_the_way_of_a_notebook_is_kept(tmp_path):
    (tmp_path / "01_the_question.ipynb").mkdir()
    assert copy_notebooks(tmp_path) == ([], [tmp_path / "01_the_question.ipynb"])


def test_unknown_notebooks_are_named():
    with pytest.raises(InputError, match="did you mean '01_the_question'"):
        notebook_path("01_the_qestion")
