"""Handouts: whole or not at all, in copies for students and teachers, and good on paper."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pypdfium2
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mlpnb.errors import InputError, ReportError
from mlpnb.handouts import MAX_BYTES, handout_sources, write_handout
from mlpnb.lab import notebook_folder
from mlpnb.page import find_browser

NAMES = [path.stem for path in sorted(notebook_folder().glob("*.ipynb"))]
MARGIN = 25  # points; a little less than the style sheet's

needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chromium here, to print PDFs")


def notebook(path, *sources, solution=None):
    cells = [new_code_cell(source) for source in sources]
    if solution:
        cells += [new_markdown_cell("A task", metadata={"tags": ["exercise"]})]
        cells += [new_code_cell(solution, metadata={"tags": ["solution"]})]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def run(folder, *arguments, **environment):
    command = [sys.executable, "-m", "mlpnb", "handout", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=600, check=False
    )


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_all_notebooks_are_handed_out_each_within_eight_megabytes(handouts):
    pages = {f"{name}{ending}.html" for name in NAMES for ending in ("", "-teacher")}
    printed = {page.replace(".html", ".pdf") for page in pages} if find_browser() else set()
    assert set(files(handouts)) == pages | printed
    for page in pages:
        text = (handouts / page).read_text()
        assert len(text.encode()) <= MAX_BYTES
        assert re.findall(r"""(?:src|href)=["']?https?://[^"']+\.(?:js|css|woff2?|png)""", text) == []


@pytest.mark.slow
def test_solutions_are_in_the_teachers_copy_alone(handouts):
    for name in NAMES:
        cells = nbformat.read(notebook_folder() / f"{name}.ipynb", as_version=4).cells
        student = (handouts / f"{name}.html").read_text()
        teacher = (handouts / f"{name}-teacher.html").read_text()
        assert "Exercises" in student
        solutions = [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]
        assert solutions
        for cell in solutions:
            assert f"cell-id={cell.id}" in teacher
            assert f"cell-id={cell.id}" not in student


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("name", NAMES)
def test_the_pdf_has_page_numbers_vector_figures_and_nothing_cut_off(handouts, name):
    pdf = pypdfium2.PdfDocument(handouts / f"{name}-teacher.pdf")
    pictures = 0
    for number, page in enumerate(pdf, start=1):
        text = page.get_textpage()
        assert f"{number} / {len(pdf)}" in text.get_text_range()
        width, height = page.get_size()
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            assert left >= MARGIN - 1
            assert right <= width - MARGIN
            assert bottom >= 0
            assert top <= height
        pictures += sum(1 for _ in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    assert pictures == 0
    pdf.close()


@pytest.mark.slow
@needs_browser
def test_formulas_are_set_in_a_font_for_them(handouts):
    pdf = pypdfium2.PdfDocument(handouts / "02_the_differences.pdf")
    fonts = {
        part.get_font().get_base_name()
        for page in pdf
        for part in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_TEXT])
    }
    pdf.close()
    assert any("NotoSansMath" in font for font in fonts)


def test_a_cell_that_fails_is_named_and_older_handouts_stay_and_others_are_made(tmp_path):
    notebook(tmp_path / "a.ipynb", "print('first')")
    notebook(tmp_path / "b.ipynb", "print('second')")
    assert run(tmp_path, "a.ipynb", "b.ipynb", "--out", "out").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("a.*")}
    assert "a.html" in before
    notebook(tmp_path / "a.ipynb", "print('third')", "1 / 0")
    notebook(tmp_path / "b.ipynb", "print('fourth')")
    done = run(tmp_path, "a.ipynb", "b.ipynb", "--out", "out")
    assert done.returncode == 1
    assert "a stopped at cell 2 with ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("a.*")} == before
    assert "fourth" in (tmp_path / "out" / "b.html").read_text()
    assert {name.split(".")[0] for name in files(tmp_path / "out")} == {"a", "b"}


def test_without_a_browser_there_are_pages_and_a_sentence(tmp_path):
    notebook(tmp_path / "a.ipynb", "print('first')")
    done = run(tmp_path, "a.ipynb", "--out", "out", PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "no PDFs, since neither Chromium nor Chrome is here" in done.stderr
    assert "apt-get install chromium" in done.stderr
    assert files(tmp_path / "out") == ["a.html"]


def test_a_browser_that_does_not_print_is_told_and_the_page_is_there(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "print('first')")
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ReportError, match=r"can't print a\.html \(exit code 3\): no display"):
        write_handout(source, tmp_path / "out", str(broken))
    assert files(tmp_path / "out") == ["a.html"]


def test_a_page_too_large_is_refused_and_the_older_one_stays(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "print('first')")
    write_handout(source, tmp_path / "out")
    notebook(source, f"from IPython.display import HTML\nHTML('x' * {MAX_BYTES})")
    with pytest.raises(ReportError, match=r"a\.html has 8\.\d MB, and a handout may have 8: show smaller"):
        write_handout(source, tmp_path / "out")
    assert "first" in (tmp_path / "out" / "a.html").read_text()


def test_a_notebook_of_ones_own_runs_in_its_folder_and_has_its_copies(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "data.txt").write_text("beside the notebook")
    source = notebook(tmp_path / "own" / "mine.ipynb", "print(open('data.txt').read())", solution="print('the answer')")
    written = write_handout(source, tmp_path / "out")
    assert [path.name for path in written] == ["mine.html", "mine-teacher.html"]
    student, teacher = (path.read_text() for path in written)
    assert "beside the notebook" in student
    assert "A task" in student
    assert "the answer" not in student
    assert "the answer" in teacher
    assert files(tmp_path / "own") == ["data.txt", "mine.ipynb"]


def test_what_is_no_notebook_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("words.ipynb").write_text("words")
    with pytest.raises(InputError, match=r"'words\.ipynb' can't be read as a notebook"):
        handout_sources(["words.ipynb"])
    with pytest.raises(InputError, match="did you mean '01_the_question'"):
        handout_sources(["01_the_qestion"])
    notebook(Path("01_the_question.ipynb"), "1")
    with pytest.raises(InputError, match="two notebooks are called '01_the_question'"):
        handout_sources(["01_the_question", "01_the_question.ipynb"])
    done = run(tmp_path, "nothing.ipynb", "--out", "out")
    assert (done.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "Traceback" not in done.stderr
