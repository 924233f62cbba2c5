"""What others may have written, in files, names and parameters, stays data: no code, no markup, no path."""

import ast
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import ipywidgets as widgets
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import mlpnb
from mlpnb import InputError
from mlpnb.execution import execute
from mlpnb.lab import notebook_folder, notebook_path
from mlpnb.markdown import literal
from mlpnb.page import page
from mlpnb.report import write_report

ROOT = Path(__file__).parents[1]
SOURCES = sorted(Path(mlpnb.__file__).parent.rglob("*.py"))

# Parameters -----------------------------------------------------------------------------------------------------------

NASTY = [
    '"; open("trapped", "w"); "',
    "'; open('trapped', 'w'); '",
    '\\"; open("trapped", "w") #',
    '\\\\"\nopen("trapped", "w")\n"',
    "\r\nopen('trapped', 'w')\r\n",
    '"""\nopen("trapped", "w")\n"""',
    "__import__('os').system('touch trapped')",
    "{open('trapped', 'w')}",
    "%(x)s ${x} \\N{BULLET} \\x22 \\u0022 \\",
    "\u2028open('trapped', 'w')\x0b\x0c\x1c\x85",
    "\udcff\ud800 é 𝛼 \u202e",
    "!touch trapped",
    "%run trapped",
]
TEXT = st.one_of(st.text(), st.sampled_from(NASTY), st.text(st.sampled_from("\"'\\\n\r{}$#;()")))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
NOTEBOOK = load_notebook_node(str(notebook_path("01_the_question")))


def injected(parameters):
    """The cell that papermill puts into a notebook, as Python parses it."""
    (cell,) = (
        cell
        for cell in parameterize_notebook(NOTEBOOK, parameters, kernel_name="python3", language="python").cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    )
    return ast.parse(cell.source).body


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(("csv", "target", "alpha", "more"), VALUES)))
def test_a_parameter_is_the_value_itself_and_nothing_else_is_in_its_cell(parameters):
    body = injected(parameters)
    assert [(type(line), line.targets[0].id) for line in body] == [(ast.Assign, name) for name in parameters]
    read = {line.targets[0].id: ast.literal_eval(line.value) for line in body}
    assert read == parameters
    assert repr(read) == repr(parameters)  # True is no 1, and 1 no 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_no_code_either(value):
    (line,) = injected({"alpha": value})
    assert ast.unparse(line.value) == f"float('{value}')"


@pytest.mark.parametrize(
    "value",
    [
        Path('a"+open("trapped","w").name+".csv'),
        ('"+str(open("trapped","w"))+"',),
        {1: "a"},
        np.array([1]),
        {"a": b"b"},
    ],
    ids=["path", "tuple", "key", "array", "bytes inside"],
)
def test_what_papermill_would_not_write_as_a_literal_is_refused(value, tmp_path):
    """papermill puts quotation marks around it, and leaves those in it as they are."""
    with pytest.raises(InputError, match="parameter 'csv'"):
        write_report({"csv": value}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_parameters_is_refused(tmp_path):
    for name in ("alfa", "x = open('trapped', 'w'); alpha"):
        with pytest.raises(InputError, match=r"parameter .* is not known: choose one of data, csv, target, alpha"):
            write_report({name: 1.0}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Names ----------------------------------------------------------------------------------------------------------------

MARKUP = "<img src=x onerror=alert(1)>"
BREAKING = f"\"'>{MARKUP}</script><script>alert(1)</script>]]>--> ![p](http://x.invalid/p.png) $\\frac$ {{{{7*7}}}} `c`"


class Page(HTMLParser):
    """What a browser makes of a text: its tags, with what they ask for, and handlers."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.images, self.handlers, self.scripts = set(), "", [], [], []
        self._in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self._in_script = tag == "script" and not attributes.get("type", "").endswith("json")
        if tag == "img":
            self.images.append(attributes.get("src", ""))
        self.handlers += [name for name in attributes if name.startswith("on")]

    def handle_endtag(self, tag):
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data):
        self.text += data
        if self._in_script:
            self.scripts.append(data)


def require_harmless(text, handlers=()):
    found = Page(text)
    assert [source for source in found.images if not source.startswith("data:image/")] == []
    assert set(found.handlers) <= set(handlers)
    assert not any("alert(1)" in script for script in found.scripts)


def odd_table(folder, target=BREAKING):
    """A table whose names, and whose file's name, are attacks."""
    path = folder / f"\"'{MARKUP} ![p](x) $a$.csv"
    n = 40
    frame = {MARKUP: range(n), BREAKING + "2": [i % 3 for i in range(n)], "kind": [MARKUP, BREAKING] * (n // 2)}
    pd.DataFrame(frame | {target: [i * 1.5 + i % 4 for i in range(n)]}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    data = mlpnb.read_table(odd_table(tmp_path_factory.mktemp("odd")), BREAKING)
    assert MARKUP in data.name
    assert data.target_name == BREAKING
    assert any(name.startswith("kind_") and MARKUP in name for name in data.feature_names)
    return data


def html_of(widget):
    """All that a widget hands to the browser as HTML."""
    return [w.value for w in [widget, *everything_in(widget)] if isinstance(w, widgets.HTML | widgets.HTMLMath)]


def everything_in(widget):
    for child in getattr(widget, "children", ()):
        yield child
        yield from everything_in(child)


QUICK = mlpnb.Settings(max_iter=3)


def test_names_are_text_in_what_a_notebook_shows(odd):
    grid = mlpnb.fit_grid(odd, QUICK)
    figure = mlpnb.plot_grid(grid)
    assert MARKUP in figure.alt
    for shown in (odd._repr_html_(), figure.html(), grid.to_frame()._repr_html_()):
        require_harmless(shown)
    table = grid.predictions()
    require_harmless(table._repr_html_() if hasattr(table, "_repr_html_") else "")


@pytest.mark.parametrize("make", [mlpnb.explore, mlpnb.animate, mlpnb.switches])
def test_names_are_text_in_widgets(odd, make):
    widget = make(odd, QUICK)
    if hasattr(widget, "settled"):
        assert widget.settled(120)
    parts = html_of(widget)
    assert parts
    for part in parts:
        require_harmless(part, handlers=["onclick"])  # the button that copies the code


def test_names_are_no_code_in_the_code_to_copy(odd):
    """A file may have a line's end in its name."""
    name = "a\nimport os\n'; os.abort() #.csv"
    data = mlpnb.Data(odd.X_train, odd.X_test, odd.y_train, odd.y_test, odd.feature_names, "y", name)
    explorer = mlpnb.explore(data, QUICK)
    imports, data_line, *_ = ast.parse(explorer.code()).body
    assert ast.unparse(imports) == "import mlpnb"
    assert ast.unparse(data_line) == "data = ..."
    assert len(ast.parse(explorer.code()).body) == 5


@pytest.mark.parametrize(
    "text", [MARKUP, BREAKING, "<http://x.invalid> [c](javascript:alert(1)) \\( x \\) # h", "*b* _i_"]
)
def test_literal_markdown_shows_the_text_itself(text):
    for shown in (literal(text), f"- {literal(text)}"):
        rendered = Page(markdown2html_mistune(shown))
        assert rendered.tags <= {"p", "ul", "li"}
        assert rendered.text.strip() == " ".join(text.split())


def test_names_are_text_in_markdown(odd):
    plane = mlpnb.stability(odd, QUICK, learning_rates=[1e-4, 1e-3], target_scales=[0.1, 1.0])
    assert MARKUP in plane.describe()
    softplus = mlpnb.stability(
        odd, QUICK.replace(activation="softplus"), learning_rates=[1e-4, 1e-3], target_scales=[0.1, 1.0]
    )
    alone = mlpnb.fit_grid(odd, QUICK, recipes=[mlpnb.SKLEARN])
    for shown in (plane.remarks(), plane.confirmation(2), softplus.confirmation(2), alone.agreement(), alone.remarks()):
        require_harmless(markdown2html_mistune(shown))


def test_names_of_files_and_columns_are_markup_and_code_in_no_report(tmp_path):
    """A real report, by a target that tries both."""
    target = f"\"\"\" + str(open('{tmp_path / 'trapped'}', 'w')) + {BREAKING}\\"
    path = odd_table(tmp_path, target)
    write_report({"csv": str(path), "target": target, "max_iter": 3}, tmp_path / "out")
    shown = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    require_harmless(shown)
    assert not (tmp_path / "trapped").exists()
    assert all(re.fullmatch(r"[\w.]+", file.name) for file in (tmp_path / "out").iterdir())  # none by a name of data


@pytest.mark.parametrize("name", [path.stem for path in sorted(notebook_folder().glob("*.ipynb"))])
def test_a_notebook_shows_no_plain_text_as_markdown(name):
    """What `describe` gives is plain text, with names in it; what is Markdown has them escaped."""
    cells = [cell.source for cell in nbformat.read(notebook_path(name), as_version=4).cells if cell.cell_type == "code"]
    shown = [
        ast.unparse(call)
        for cell in cells
        for call in ast.walk(ast.parse(cell))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Markdown"
    ]
    assert not any(re.search(r"\.describe\(|\bname\b|\btarget\b|\bcsv\b|summary", text) for text in shown)


def test_a_handout_of_odd_names_is_harmless(tmp_path):
    source = tmp_path / "own.ipynb"
    path = odd_table(tmp_path)
    cells = [
        nbformat.v4.new_markdown_cell("# An own table"),
        nbformat.v4.new_code_cell(f"import mlpnb\n\ndata = mlpnb.read_table({str(path)!r}, {BREAKING!r})\ndata"),
        nbformat.v4.new_code_cell("grid = mlpnb.fit_grid(data, mlpnb.Settings(max_iter=2))\nmlpnb.plot_grid(grid)"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    execute(source, tmp_path / "executed.ipynb", static=True)
    shown = page(tmp_path / "executed.ipynb")
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    require_harmless(shown)


# Paths ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/b", "..\\out", "C:out", "a\0b"])
def test_a_results_name_leads_nowhere_else(name, tmp_path):
    with pytest.raises(InputError, match=r"result .* can't be a file's name"):
        mlpnb.save_results({name: pd.DataFrame({"a": [1]})}, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../01_the_question", "/etc/passwd", "notebooks/../01_the_question", "..", ""])
def test_only_mlpnbs_own_notebooks_are_run_by_name(name, tmp_path):
    with pytest.raises(InputError, match=r"notebook .* is not known"):
        notebook_path(name)
    with pytest.raises(InputError, match=r"notebook .* is not known"):
        write_report({}, tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == []


# Files as data --------------------------------------------------------------------------------------------------------


def calls(tree):
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_nothing_is_unpickled_or_run_but_what_the_user_gives_to_be_run():
    """In all of mlpnb's code: one place that unpickles, one that runs a file, both of `mlpnb compare`."""
    loading = {"pickle.load", "pickle.loads", "joblib.load", "cloudpickle.load", "cloudpickle.loads", "pd.read_pickle",
               "np.load", "numpy.load", "marshal.loads", "dill.load", "dill.loads", "eval", "exec", "compile",
               "yaml.load", "yaml.unsafe_load", "yaml.full_load", "runpy.run_path", "runpy.run_module"}  # fmt: skip
    found = {(path.name, call) for path in SOURCES for call in calls(ast.parse(path.read_text())) & loading}
    assert found == {("given.py", "joblib.load"), ("given.py", "runpy.run_path")}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no local sockets that Jupyter uses")
def test_nobody_else_can_talk_to_a_reports_kernel(tmp_path):
    """Its sockets are files that others can't write to, and the key to them is in a file that others can't read."""
    source = (
        "import glob, json, os, stat\nfrom ipykernel.connect import get_connection_file\n\n"
        "path = get_connection_file()\nconnection = json.load(open(path))\n"
        "sockets = glob.glob(connection['ip'] + '-*')\nassert len(sockets) == 5\n"
        "assert connection['transport'] == 'ipc'\nassert connection['key']\n"
        "assert all(os.stat(socket).st_mode & stat.S_IWOTH == 0 for socket in sockets)\n"
        "assert os.stat(path).st_mode & 0o077 == 0"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), tmp_path / "source.ipynb")
    execute(tmp_path / "source.ipynb", tmp_path / "executed.ipynb")


# The promises, and what is depended on --------------------------------------------------------------------------------


def test_every_promise_names_a_test_that_is_there():
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) >= 15
    for file, test in named:
        assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.M), f"{file}::{test}"


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_an_audit_without_its_data_fails_and_says_so():
    """It never passes for want of an answer."""
    command = ["make", "audit", f"BIN={Path(sys.executable).parent}", "--assume-old=.venv/installed"]
    nobody = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "HTTP", "HTTPS", "all", "ALL")}
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | nobody | {"no_proxy": "", "NO_PROXY": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode != 0
    assert "make audit: NOT AUDITED" in run.stderr
    assert "run it where it can" in run.stderr
