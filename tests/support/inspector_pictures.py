"""Write the pictures of the inspector's page again, from the scene: ``python -m tests.support.inspector_pictures``."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support.browser import open_page
from tests.support.inspector_api import KEY, serving
from tests.support.inspector_scene import BLOCKED, POST, SOCKET, scene
from tests.support.page_driver import size, until_text

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "images"
WIDTH: Final = 1280
HEIGHT: Final = 760
PICTURES: Final = {
    "inspector": ("", "HAR", False),
    "inspector-headers": (f"{POST}/headers", "devproxy.toml:27", False),
    "inspector-headers-dark": (f"{POST}/headers", "devproxy.toml:27", True),
    "inspector-cors": (f"{BLOCKED}/cors", "app.use", False),
    "inspector-messages-dark": (f"{SOCKET}/messages", "ack id 7", True),
}
"""For each file: which part of the page, a text that is there when it is complete, and whether it is dark."""


def with_palette(png: bytes) -> bytes:
    """Return a picture with its 256 commonest colours, a third of the size: other pixels take the nearest of them."""
    width, height, pixels = decoded(png)
    colours = [pixels[at : at + 3] for at in range(0, len(pixels), 3)]
    counted = Counter(colours)
    palette = [colour for colour, _ in counted.most_common(256)]

    def nearest(colour: bytes) -> int:
        return min(
            range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(palette[at], colour, strict=True))
        )

    index = {colour: nearest(colour) for colour in counted}
    lines = (bytes(index[colour] for colour in colours[at : at + width]) for at in range(0, width * height, width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines), 9)),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return png[:8] + b"".join(chunks) + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def decoded(png: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the pixels, three bytes each, of a picture as Chromium writes them (PNG, section 9)."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    size_of_pixel = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += length + 12
    raw, stride = zlib.decompress(packed), width * size_of_pixel
    above, pixels = bytearray(stride), bytearray()
    for begin in range(0, len(raw), stride + 1):
        line = bytearray(raw[begin + 1 : begin + 1 + stride])
        for x in range(stride):
            left = line[x - size_of_pixel] if x >= size_of_pixel else 0
            corner = above[x - size_of_pixel] if x >= size_of_pixel else 0
            line[x] = (line[x] + predicted(raw[begin], left, above[x], corner)) & 255
        above = line
        pixels += line if size_of_pixel == 3 else bytes(each for x, each in enumerate(line) if x % 4 != 3)
    return width, height, bytes(pixels)


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    """Return what a filter of PNG expects a byte to be."""
    if kind < 4:
        return (0, left, above, (left + above) // 2)[kind]
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))


async def write() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    fake = scene()
    async with serving(fake) as url, open_page() as page:
        for name, (place, text, dark) in PICTURES.items():
            await size(page, WIDTH, HEIGHT, dark=dark)
            await page.goto("about:blank")
            await page.goto(f"{url}#key={KEY}")
            await until_text(page, "#canvas", "/api/cart")
            await page.evaluate(f"location.hash = '#/requests/{place}'")
            if "messages" in place:
                await page.until("document.querySelectorAll('[data-message]').length > 5")
                await page.evaluate("document.querySelector('[data-message=\"6\"]').click()")
            await until_text(page, "body", text)
            await page.evaluate("new Promise((done) => setTimeout(done, 300))")
            file = FOLDER / f"{name}.png"
            await page.screenshot(file, width=WIDTH, height=HEIGHT, dark=dark)
            file.write_bytes(await asyncio.to_thread(with_palette, file.read_bytes()))


if __name__ == "__main__":
    asyncio.run(write())
