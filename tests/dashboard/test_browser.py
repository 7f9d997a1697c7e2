"""The dashboard in a real Chromium: login, studies, a study's page with note and figure, no button that would fail."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--no-first-run"]  # fmt: skip
SECONDS = 60_000
"""Milliseconds to wait for what must come: a bound, no expectation."""
DECODED = """(image, patience) => Promise.race([
    image.decode().then(() => image.naturalWidth),
    new Promise((_, refuse) => setTimeout(() => refuse(new Error("not decoded")), patience)),
])"""
ASKED = """([url, patience]) =>
    fetch(url, {method: "POST", body: "{}", signal: AbortSignal.timeout(patience)}).then(answer => answer.status)"""
"""What runs in the page has no bound of Playwright's."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS, timeout=SECONDS)
        yield browser
        browser.close()


@pytest.fixture
def site(finished: Any, serving: Any) -> Iterator[Any]:
    with serving(finished.ledger, finished.artifacts) as site:
        yield site


@pytest.fixture
def page(browser: Any, site: Any) -> Iterator[Any]:
    """A page that may ask nobody but the site; whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: _aborted(request) or complaints.append(f"{request.url} {request.failure}"))
    page.on(
        "request",
        lambda request: request.url.startswith((site.url, "data:", "blob:")) or complaints.append(request.url),
    )
    page.complaints = complaints
    yield page
    context.close()


def _aborted(request: Any) -> bool:
    """The page was left while it asked."""
    return "ERR_ABORTED" in str(request.failure)


def test_from_the_login_to_a_page_without_buttons_that_fail(finished: Any, site: Any, page: Any) -> None:
    page.goto(f"{site.url}/dashboard/studies/1")
    assert "/login?next=" in page.url
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").get_by_text("Wrong token.").wait_for()
    (complaint,) = page.complaints
    assert complaint.lower() == "failed to load resource: the server responded with a status of 403 (forbidden)"
    page.complaints.clear()
    page.get_by_label("Token").fill("a-token-that-only-tests-know")
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url(f"{site.url}/dashboard/studies/1")
    figure = page.locator(".js-plotly-plot", has_text="LR range test")
    figure.locator("path.js-line").first.wait_for()
    assert figure.bounding_box()["width"] > 200

    page.goto(f"{site.url}/dashboard/studies/1/note")
    page.get_by_text("Is <b>this</b> escaped?", exact=True).wait_for()
    page.get_by_text("Feasible best", exact=True).wait_for()

    page.goto(f"{site.url}/dashboard/studies/1/trials?numbers=1")
    curve = page.get_by_role("img", name="Learning curve")
    curve.wait_for()
    assert curve.evaluate(DECODED, SECONDS) == 640
    page.get_by_role("cell", name="hidden_size", exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280

    page.goto(f"{site.url}/")
    page.get_by_text("1. tiny").wait_for()
    assert page.complaints == []
    page.get_by_text("read-only: changes need --allow-edits").wait_for()
    changing = "Create", "rename study", "delete study"
    assert [page.get_by_role("button", name=name).count() for name in changing] == [0, 0, 0]
    assert page.get_by_role("button", name="Reload").count() == 1
    page.goto(f"{site.url}/dashboard/studies/1/note")
    page.get_by_text("Feasible best", exact=True).wait_for()
    assert page.get_by_role("button").filter(has=page.get_by_test_id("EditIcon")).count() == 0
    assert page.evaluate(ASKED, [f"{site.url}/api/studies", SECONDS]) == 405


def test_where_edits_are_allowed_the_buttons_are_there(finished: Any, serving: Any, browser: Any) -> None:
    with serving(finished.ledger, finished.artifacts, allow_edits=True) as site:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/?token=a-token-that-only-tests-know")
        page.get_by_text("1. tiny").wait_for()
        for name in ("Create", "rename study", "delete study"):
            assert page.get_by_role("button", name=name).count() == 1
        page.goto(f"{site.url}/dashboard/studies/1/note")
        page.get_by_role("button").filter(has=page.get_by_test_id("EditIcon")).wait_for()
        context.close()


def test_links_of_the_note_lead_on_and_the_way_out_is_out(site: Any, page: Any) -> None:
    page.goto(f"{site.url}/?token=a-token-that-only-tests-know")
    page.wait_for_url(f"{site.url}/dashboard")
    page.get_by_text("1. tiny").click()
    page.wait_for_url(f"{site.url}/dashboard/studies/1")
    page.goto(f"{site.url}/dashboard/studies/1/note")
    page.get_by_role("link", name="report").click()
    page.wait_for_url(f"{site.url}/report/tiny")
    page.locator(".js-plotly-plot path.js-line").first.wait_for()
    assert page.complaints == []
    page.goto(f"{site.url}/dashboard")
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Token").wait_for()
    page.goto(f"{site.url}/dashboard")
    assert "/login?next=" in page.url
