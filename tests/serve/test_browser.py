"""The page in a real Chromium: two people teach one mind, text stays text, a phone and a keyboard are enough."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.serve.conftest import TOKEN, Live
from tests.ui.test_hostile_text import NASTY

pytestmark = pytest.mark.slow
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MARKUP = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script><b id='b'>bold</b> &lt;"
PHONE = {"width": 320, "height": 600}

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )  # root has no sandbox
        yield browser
        browser.close()


@pytest.fixture
def visit(live: Live, chromium: Any) -> Iterator[Visit]:
    """Opens the link of the owner in a browser of its own, and says a name. What goes wrong in the page fails."""
    contexts, wrong = [], list[str]()

    def come_in(name: str, **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(f"{live.address}/#token={TOKEN}")
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name="Come in").click()
        page.locator("#text").wait_for()
        return page

    yield come_in
    for context in contexts:
        context.close()
    assert wrong == []


def say(page: Any, text: str) -> None:
    """Say something, and wait for five replies that can be picked."""
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")
    page.locator(".pick:enabled").nth(4).wait_for()


def fits(page: Any) -> bool:
    """Whether nothing has to be scrolled sideways."""
    wide, room = page.locator("html").evaluate("html => [html.scrollWidth, html.clientWidth]")
    return bool(wide <= room)


def hidden(text: str) -> list[str]:
    """The characters of a text that are not seen, or that turn it round."""
    return [repr(char) for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char not in "\n\t"]


def test_two_browsers_teach_one_mind_and_each_sees_the_lesson_of_the_other(live: Live, visit: Visit) -> None:
    ada, zoe = visit("Ada"), visit("Zoë")
    zoe.get_by_text("here: Ada, Zoë").wait_for()
    ada.get_by_text("here: Ada, Zoë").wait_for()
    for one, other, question in ((ada, zoe, "hello"), (zoe, ada, "what is your name")):
        lessons = len(live.mind.store.state.lessons)
        say(one, question)
        one.locator(".pick").nth(1).click()
        one.locator("#learned", has_text="Learned:").wait_for()
        other.locator("#news li", has_text=f"taught: {question}").first.wait_for()
        assert len(live.mind.store.state.lessons) == lessons + 1
    zoe.locator("#undo").click()
    zoe.locator("#learned", has_text="Undone: what is your name").wait_for()
    ada.locator("#news li", has_text="Undone: what is your name").wait_for()


def test_text_stays_text(visit: Visit) -> None:
    mallory, ada = visit("<i>M</i>\u202e\x07"), visit("Ada")
    for page in (mallory, ada):
        page.locator("#here", has_text="<i>M</i>").wait_for()
    for text in (NASTY, MARKUP):
        say(mallory, text)
        mallory.locator("#teach").check()
        mallory.locator("#text").fill(text)
        mallory.locator("#send").click()
        mallory.locator("#learned", has_text="Learned:").wait_for()
        ada.locator("#news li", has_text="taught:").first.wait_for()
    ada.locator("#ledger").click()
    ada.locator("#rows", has_text="<img src=x").wait_for()
    for page in (mallory, ada):
        shown = page.locator("body").inner_text()
        assert MARKUP[:40] in shown
        assert NASTY[:20] in shown
        assert hidden(shown) == []
        assert page.locator("img, b#b, i, body script").count() == 0
        assert page.locator("html").evaluate("() => window.ran === undefined")


def test_a_phone_of_320_pixels_shows_all_without_scrolling_sideways(visit: Visit) -> None:
    page = visit("Ada", viewport=PHONE)
    assert fits(page)
    say(page, "Donaudampfschifffahrtsgesellschaftskapitän" * 5)
    assert fits(page)
    page.locator("#replies button[aria-label='Fix reply 1']").click()
    page.locator("#replies textarea").fill("x" * 200)
    assert fits(page)
    page.locator("#replies").get_by_role("button", name="Teach").click()
    page.locator("#learned", has_text="Learned:").wait_for()
    assert fits(page)
    page.locator("#ledger").click()
    page.locator("#rows tr").first.wait_for()
    assert fits(page)


def test_the_keyboard_alone_is_enough(live: Live, visit: Visit) -> None:
    page = visit("Ada")
    lessons = len(live.mind.store.state.lessons)

    def tab_to(wanted: str, key: str) -> None:
        for _ in range(40):
            if page.locator(f"{wanted}:focus").count():
                return
            page.keyboard.press(key)
        raise AssertionError(f"{wanted} is not reached by {key}")

    tab_to("#text", "Tab")
    page.keyboard.type("who is your creator")
    page.keyboard.press("Enter")
    page.locator(".pick:enabled").nth(4).wait_for()
    tab_to(".pick", "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("#learned", has_text="Learned: who is your creator").wait_for()
    assert len(live.mind.store.state.lessons) == lessons + 1
    tab_to("#undo", "Tab")
    page.keyboard.press("Enter")
    page.locator("#learned", has_text="Undone").wait_for()


def test_the_description_of_the_api_is_a_page(live: Live, chromium: Any) -> None:
    page = chromium.new_page(viewport=PHONE)
    page.goto(f"{live.address}/api.html")
    page.get_by_text("POST /v1/theta/lessons/quiz").wait_for()
    assert page.locator("#base").inner_text() == f"{live.address}/v1"
    for link in page.locator("dd a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    assert fits(page)
    page.close()


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_what_others_teach_takes_no_keyboard_away(live: Live, visit: Visit) -> None:
    ada, zoe = visit("Ada"), visit("Zoë")
    say(ada, "hello")
    ada.locator("#text").press("Shift+Tab")
    while focused(ada) != "pick-4":
        ada.keyboard.press("Shift+Tab")

    def zoe_teaches(question: str) -> None:
        say(zoe, question)
        zoe.locator(".pick").first.click()
        ada.locator("#news li", has_text=f"taught: {question}").first.wait_for()

    zoe_teaches("what now")
    assert focused(ada) == "pick-4"
    ada.keyboard.press("Tab")
    ada.keyboard.press("Enter")
    assert focused(ada) == "better"
    ada.keyboard.press("Control+a")
    ada.keyboard.type("half a rep")
    zoe_teaches("and then")
    assert focused(ada) == "better"
    ada.keyboard.type("ly")
    ada.keyboard.press("Enter")
    ada.locator("#learned", has_text="Learned: hello → half a reply").wait_for()


def test_a_control_that_goes_leaves_the_keyboard_where_one_goes_on(live: Live, visit: Visit) -> None:
    page = visit("Kim")
    say(page, "hello")
    while focused(page) != "fix-2":
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert focused(page) == "fix-2"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("#learned", has_text="Learned: hello").wait_for()
    assert focused(page) == "text"
    page.locator("#undo").focus()
    page.keyboard.press("Enter")  # it was the only lesson
    page.locator("#learned", has_text="Undone").wait_for()
    assert focused(page) == "redo"
    page.keyboard.press("Enter")
    page.locator("#learned", has_text="Brought back").wait_for()
    assert focused(page) == "undo"
