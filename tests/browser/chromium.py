"""Headless Chromium, cut off from every network but this machine's, for tests that look at pages."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

SHOTS = os.environ.get("VAT_SCREENSHOTS")
"""A folder in which screenshots are kept, to be looked at; else they go with the test's own folder."""
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

WAIT_S = 60
"""How long something may take to be there: a bound for a busy machine, not what it takes."""
Thing = TypeVar("Thing")
TEXTS = """
const found = [];
for (const text of arguments[0].querySelectorAll("text")) {
  const words = text.textContent.trim(), box = text.getBoundingClientRect();
  if (words && box.width) found.push([words, box.left + scrollX, box.top + scrollY, box.right + scrollX, box.bottom + scrollY]);
}
return found;
"""


class Text(NamedTuple):
    """A text in a figure, and where on the page, in pixels."""

    words: str
    left: float
    top: float
    right: float
    bottom: float


def installed() -> tuple[str, str] | None:
    """Where Chromium and its driver are, or None."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextlib.contextmanager
def chromium(place: Path) -> Iterator[Browser]:
    """A browser that knows nothing yet, within the block; downloads and its profile go to `place`. The test is skipped where there is none."""
    found = installed()
    if found is None:
        pytest.skip("needs chromium and chromedriver on the PATH: make browser installs them")
    options = ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={place / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(executable_path=found[1], log_output=str(place / "chromedriver.log")))
    try:
        yield Browser(driver, place)
    finally:
        driver.quit()


class Browser:
    """One window. driver: selenium's, for what is not here. downloads: where files land that a page saves."""

    def __init__(self, driver: Any, place: Path) -> None:
        self.driver, self.downloads = driver, place / "downloads"
        self._shots = Path(SHOTS) if SHOTS else place / "shots"
        for folder in (self.downloads, self._shots):
            folder.mkdir(parents=True, exist_ok=True)
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.downloads)})

    def open(self, url: str, *, width: int = 1280, height: int = 900) -> None:
        """Go there, in a window of that size, and forget what was said and asked for before."""
        self.resize(width, height)
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(url)

    def resize(self, width: int, height: int = 900) -> None:
        """Of the page's own area."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script of the page returns."""
        return self.driver.execute_script(script, *arguments)

    def all(self, css: str) -> list[WebElement]:
        """The elements that a selector names."""
        found: list[WebElement] = self.driver.find_elements("css selector", css)
        return found

    def one(self, css: str) -> WebElement:
        """The only one."""
        [found] = self.all(css)
        return found

    def until(self, there: Callable[[], Thing | None]) -> Thing:
        """What the function returns, once that is something."""
        found: Thing = WebDriverWait(self.driver, WAIT_S, 0.1, [StaleElementReferenceException]).until(lambda _: there())
        return found

    def complaints(self) -> list[str]:
        """Errors in the console since this was last asked, or a page opened."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def asked_for(self) -> list[str]:
        """What was asked for since this was last asked, or a page opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def texts(self, svg: Any) -> list[Text]:
        """The texts within an element."""
        return [Text(*found) for found in self.js(TEXTS, svg)]

    def saved(self, name: str, button: WebElement) -> Path:
        """The file of that name which a click on the button saves."""
        path = self.downloads / name
        path.unlink(missing_ok=True)
        button.click()
        self.until(path.is_file)
        return path

    def shot(self, name: str, element: WebElement | None = None) -> None:
        """A picture of an element, however large it is, or of what is in the window."""
        options: dict[str, Any] = {"format": "png"}
        if element is not None:
            where = "const box = arguments[0].getBoundingClientRect(); return [box.left + scrollX, box.top + scrollY, box.width, box.height];"
            clip = dict(zip(("x", "y", "width", "height"), self.js(where, element), strict=True)) | {"scale": 1}
            options |= {"captureBeyondViewport": True, "clip": clip}
        (self._shots / f"{name}.png").write_bytes(base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]))

    def printed(self, name: str) -> Path:
        """The page as PDF, printed on sheets."""
        path = self._shots / f"{name}.pdf"
        path.write_bytes(
            base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})["data"])
        )
        return path

    @contextlib.contextmanager
    def printing(self) -> Iterator[None]:
        """Inside, the page looks as it is printed."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def outside(box: Mapping[str, float], texts: list[Text], tolerance: float = 1.5) -> list[str]:
    """Texts that stick out of a box by more than so many pixels."""
    return [
        text.words
        for text in texts
        if min(text.left - box["x"], text.top - box["y"], box["x"] + box["width"] - text.right, box["y"] + box["height"] - text.bottom) < -tolerance
    ]


def overlapping(texts: list[Text], tolerance: float = 1.5) -> list[tuple[str, str]]:
    """Pairs of texts that lie upon each other by more than so many pixels both ways."""
    return [
        (one.words, other.words)
        for n, one in enumerate(texts)
        for other in texts[:n]
        if min(one.right, other.right) - max(one.left, other.left) > tolerance and min(one.bottom, other.bottom) - max(one.top, other.top) > tolerance
    ]


def squashed(text: str) -> str:
    return re.sub(r"[\s·]", "", text)


def is_seen_whole(name: str, browser: Browser, data: pd.DataFrame) -> None:
    """A figure of the page that is open: all of it is within the page, its panels are named, and no label lies on another."""
    figure = browser.one(f"#figure-{name}")
    [svg] = figure.find_elements("css selector", "svg")
    browser.shot(f"figure-{name}", figure)
    inner, outer = svg.rect, figure.rect
    assert svg.is_displayed()
    assert min(inner["width"], inner["height"]) > 100
    assert outer["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
    texts = browser.texts(svg)
    said = squashed("".join(text.words for text in texts))
    assert len(data)
    assert [panel for panel in dict.fromkeys(data["panel"]) if squashed(panel) not in said] == []
    assert overlapping(texts) == []
    assert outside(svg.rect, texts) == []
