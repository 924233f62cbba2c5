"""How the documentation is built: `make docs`."""

import os
import shutil
from pathlib import Path
from typing import Any

import mlpnb

project, author, release = "mlpnb", "The mlpnb developers", mlpnb.__version__
copyright = "the mlpnb developers, BSD 3-Clause"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
templates_path = ["_templates"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme, html_title = "furo", "mlpnb"
html_static_path = ["_static", "../mlpnb/static/noto-sans-math.woff2"]
html_css_files = ["docs.css"]
html_copy_source = html_show_sourcelink = False
# Names in single backticks in docstrings are links where there is something of that name, and code where not.
default_role = "autolink"
autodoc_typehints = "none"  # the docstrings say more
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autosummary_ignore_module_all = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False  # as the docstring has it, shapes and all
napoleon_use_ivar = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"
nb_render_markdown_format = "myst"  # with its formulas
nb_ipywidgets_js = {}  # scripts from elsewhere
# What is shown has no kernel behind it: the sliders' fits are made beforehand, and a picture is not a widget.
os.environ["MLPNB_STATIC"] = "1"
_WIDGET = "application/vnd.jupyter.widget-view+json"
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", _WIDGET, None)]
suppress_warnings = ["myst-nb.lexer"]  # of notebooks that were not run, as when only links are checked

shutil.copytree(
    Path(__file__).parents[1] / "notebooks", Path(__file__).with_name("notebooks"), dirs_exist_ok=True,
    ignore=shutil.ignore_patterns(".*"),
)  # fmt: skip


def setup(app: Any) -> None:
    """Set formulas as MathML, so that no page asks for a script from elsewhere."""
    from docutils.nodes import SkipNode
    from latex2mathml.converter import convert

    def inline(translator: Any, node: Any) -> None:
        translator.body.append(convert(node.astext()))
        raise SkipNode

    def block(translator: Any, node: Any) -> None:
        translator.body.append(f'<div class="formula" tabindex="0">{convert(node.astext(), display="block")}</div>')
        raise SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (block, None))
