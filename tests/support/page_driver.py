"""A person at the inspector's page, in a real Chromium: keys, the pointer, and what can be read there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tests.support.browser import Page

KEYS: Final = {
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "ArrowUp": 38,
    "End": 35,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "PageDown": 34,
    "Tab": 9,
}


async def press(page: Page, *keys: str, shift: bool = False) -> None:
    """Press and release keys, one after the other: names of :data:`KEYS`, or characters."""
    for key in keys:
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 and key.isalnum() else 0)
        what = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        await page.call("Input.dispatchKeyEvent", type="keyDown", **what, **({"text": text} if text else {}))
        await page.call("Input.dispatchKeyEvent", type="keyUp", **what)


async def type_text(page: Page, text: str) -> None:
    """Type into what has the focus."""
    await page.call("Input.insertText", text=text)


async def click(page: Page, selector: str) -> None:
    """Click the middle of the first element that matches, with the pointer."""
    place = await page.until(
        f"""(() => {{
          const element = document.querySelector({selector!r});
          element?.scrollIntoView({{block: "nearest"}});
          const box = element?.getBoundingClientRect();
          return box?.width ? [box.x + box.width / 2, box.y + box.height / 2] : null;
        }})()""",
        within_s=10,
    )
    for kind in ("mousePressed", "mouseReleased"):
        await page.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)


async def text_of(page: Page, selector: str) -> str:
    """Return what can be read in the first element that matches."""
    return str(await page.evaluate(f"document.querySelector({selector!r})?.innerText ?? ''"))


async def until_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element has a text in it."""
    await page.until(f"document.querySelector({selector!r})?.innerText.includes({text!r})", within_s=10)


async def size(page: Page, width: int, height: int, *, dark: bool = False) -> None:
    """Give the page a size and a theme of the system."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    await page.call("Emulation.setEmulatedMedia", features=[scheme])
    await page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


async def eventually(holds: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until something holds on the server's side; raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(f"did not happen within {within_s} s")
