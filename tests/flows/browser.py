"""Chromium as people have it, driven by playwright: what a page looks like, and what it does."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

WIDTHS = (390, 1024, 1600)
SCHEMES = ("light", "dark")
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def running_browser() -> Generator[Browser]:
    """Start Chromium; its absence is a failure in CI and a loud skip elsewhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "chromium is not on the PATH: nobody looked at the page; apt install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_QUIET))
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, path: Path, *, width: int = 1024, scheme: str = "light", scripts: bool = True
) -> Generator[tuple[Page, list[str]]]:
    """Open a page and give what it complained of: the console, errors, and what it asked for."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
    )
    page, said, address = context.new_page(), list[str](), path.resolve().as_uri()

    def refuse(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url))
    page.on("dialog", refuse)
    page.goto(address)
    yield page, [one for one in said if one != address and not one.startswith("data:,")]
    context.close()


def find_trouble(browser: Browser, path: Path, *, width: int, scheme: str) -> list[str]:
    """Give whatever is wrong with a page at a width: complaints, overflow, what axe finds."""
    with opened(browser, path, width=width, scheme=scheme) as (page, said):
        wide = page.evaluate("document.documentElement.scrollWidth")
        found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in serious]
    return [*said, *told, *([f"{wide} px wide"] if wide > width else [])]
