"""Handouts opened from disk in a real browser: sliders by keyboard, on a desktop and a phone, accessibility."""

import pytest
from test_browser import OUTPUT, Frames, browser, page, pytestmark, serious
from test_handouts import NAMES

__all__ = ["browser", "page", "pytestmark"]  # fixtures and marks, used by name

WIDTHS = {"desktop": 1300, "phone": 390}


def points(page):
    return page.eval_on_selector_all(".mlpnb-frames .points", "paths => paths.map(path => path.getAttribute('d'))")


@pytest.mark.slow
def test_the_sliders_work_by_keyboard_without_a_kernel_and_no_frame_is_blank(handouts, page):
    page.goto((handouts / "01_the_question.html").as_uri())
    alpha = page.get_by_role("slider")
    alpha.focus()
    page.locator(".mlpnb-frames").evaluate("element => element.scrollIntoView()")
    words, before = page.locator(".mlpnb-frames .words"), points(page)
    frames = Frames(page, page.locator(".mlpnb-frames .panels"))
    page.keyboard.press("ArrowRight")
    assert "at alpha 2:" in words.inner_text()
    assert alpha.get_attribute("aria-valuetext") == "2"
    moved = points(page)
    assert moved[:3] == before[:3]  # alpha = 0
    assert all(one != other for one, other in zip(moved[3:], before[3:], strict=True))
    frames.wait_for(2)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert "at alpha 0.1:" in words.inner_text()
    drawn = frames.end()
    assert len(drawn) > 4
    assert min(drawn) > 0.7 * max(drawn)

    page.keyboard.press("Tab")  # to dtype, then to activation
    page.keyboard.press("ArrowRight")
    assert "Keras in float64" in words.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert "friedman1, tanh, Keras in float64" in words.inner_text()
    page.get_by_label("softplus").check()
    assert "softplus" in page.locator(".mlpnb-frames figcaption").first.inner_text()  # which scikit-learn lacks
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this picture").click()
    assert download.value.suggested_filename == "grid.svg"
    saved = OUTPUT / "handout-grid.svg"
    download.value.save_as(saved)
    page.goto(saved.as_uri())  # an SVG that is well formed is shown
    assert page.locator("svg .points").count() == 6
    page.screenshot(path=OUTPUT / "handout-grid.png")
    assert page.errors == []
    assert page.outside == []


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_handout_is_readable_for_everybody(handouts, page, name, width):
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    page.goto((handouts / f"{name}-teacher.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    for image in page.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert image.get_attribute("alt")
    assert serious(page, "body") == []
    page.screenshot(path=OUTPUT / f"handout-{name}-{width}.png", full_page=True)
    assert page.errors == []
    assert page.outside == []
