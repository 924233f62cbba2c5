"""Every notebook: committed clean, and run by papermill in a fresh kernel."""

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SMALL = {
    "02_the_differences": {"n_seeds": 1, "n_seeds_of_guesses": 2},
    "03_divergence": {"n_steps": 3, "n_seeds": 2},
    "05_sweeps": {"n_seeds": 2, "alphas": [0.0, 1.0]},
}
# getrusage would tell of the test process too: its peak is handed down to what it starts
MEMORY = "print('peak memory [kB]', open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"


def run(path, tmp_path, parameters, extra=""):
    source = tmp_path / "source.ipynb"
    notebook = nbformat.read(path, as_version=4)
    if extra:
        notebook.cells.append(nbformat.v4.new_code_cell(extra))
    nbformat.write(notebook, source)
    return papermill.execute_notebook(
        str(source), str(tmp_path / "out.ipynb"), parameters, progress_bar=False, cwd=str(tmp_path)
    )


def text_of(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/markdown", "")) for o in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_clean_and_holds_no_logic(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        assert not any(
            isinstance(n, ast.For | ast.While | ast.FunctionDef | ast.ClassDef)
            for n in ast.walk(ast.parse(cell.source))
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("activation", "dtype"), [("relu", "float32"), ("softplus", "float64")])
def test_it_runs(path, tmp_path, activation, dtype):
    parameters = {"activation": activation, "dtype": dtype, "max_iter": 4, "data": "diabetes"}
    run(path, tmp_path, parameters | SMALL.get(path.stem, {}))


def test_the_question_at_its_full_settings(tmp_path):
    executed = run(NOTEBOOKS[0], tmp_path, {}, MEMORY)
    text = text_of(executed)
    line = next(line for line in text.splitlines() if line.startswith("- At alpha = 1,"))
    assert line.index("scikit-learn") < line.index("Keras 1") < line.index("Keras 2")
    assert int(text.split("peak memory [kB]")[1].split()[0]) < 1_500_000


def test_the_first_picture_comes_before_tensorflow(tmp_path):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    last = next(i for i, cell in enumerate(notebook.cells) if "plot_grid" in cell.source and cell.cell_type == "code")
    notebook.cells = notebook.cells[: last + 1]
    nbformat.write(notebook, tmp_path / "first.ipynb")
    executed = run(tmp_path / "first.ipynb", tmp_path, {}, "import sys; print('tensorflow' in sys.modules)")
    assert "image/png" in executed.cells[-2].outputs[0].data
    assert executed.cells[-1].outputs[0].text == "False\n"
