"""Text that Markdown shows as it stands, whatever is in it: names of files and columns come from others."""

from __future__ import annotations

import re


def literal(text: str) -> str:
    """`text` as Markdown in which nothing is markup: no tag, link, picture or formula; on one line."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda mark: f"&#{ord(mark[0])};", " ".join(text.split()))
