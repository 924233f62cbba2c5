"""The app in a real browser: visitors who move sliders, no code, no request to other machines, accessibility."""

import psutil
import pytest
from test_app import TOKEN, free_port, started
from test_browser import OUTPUT, Frames, browser, page, picture, pytestmark, serious, wait_for_words, words

__all__ = ["browser", "page", "pytestmark"]  # fixtures and marks, used by name

ROOM = 2


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The link of a page with room for two."""
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    with started(folder, port, ROOM) as server:
        yield f"http://127.0.0.1:{port}/?token={TOKEN}", server


def visit(page, link):
    page.goto(link, timeout=300_000)
    page.wait_for_selector(".noUi-handle", state="attached", timeout=300_000)


def whole(page):
    """Wait until all six panels are there."""
    page.wait_for_function(
        "[...document.querySelectorAll('.widget-html-content')]"
        ".some(e => e.textContent.includes('Prediction against truth'))",
        timeout=300_000,
    )


def test_visitors_move_their_own_sliders_and_the_one_too_many_is_told(app, browser, page):
    link, server = app
    visit(page, link)
    wait_for_words(page, "TensorFlow is starting")
    page.screenshot(path=OUTPUT / "app-starting.png")
    whole(page)
    assert page.get_by_text("import mlpnb", exact=False).filter(visible=True).count() == 0
    other = browser.new_context().new_page()
    other.on("pageerror", lambda error: page.errors.append(str(error)))
    visit(other, link)
    whole(other)

    frames = Frames(page, picture(page))
    for one in (page, other):
        one.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    other.keyboard.press("ArrowLeft")
    wait_for_words(page, "at alpha 2:")
    wait_for_words(other, "at alpha 0.5:")
    drawn = frames.end()
    assert len(drawn) > 10
    assert min(drawn) > 0.5 * drawn[0]
    assert "at alpha 2:" in words(page)
    assert "200 times the penalty" in page.locator(".jupyter-widgets").first.inner_text()

    third = browser.new_context().new_page()
    assert third.goto(link).status == 503
    assert "room for 2 visitors at once" in third.inner_text("main")
    assert serious(third, "main") == []
    third.screenshot(path=OUTPUT / "app-full.png")
    assert len([c for c in psutil.Process(server.pid).children() if "ipykernel" in " ".join(c.cmdline())]) == ROOM

    page.screenshot(path=OUTPUT / "app-desktop.png", full_page=True)
    assert serious(page, "#rendered_cells") == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=OUTPUT / "app-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page, "#rendered_cells") == []
    assert page.errors == []
    assert page.outside == []
    other.context.close()
    third.context.close()
