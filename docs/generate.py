"""Write the files that are made from the table of keys: ``python -m docs.generate`` in the checkout."""

from __future__ import annotations

from pathlib import Path

from devproxy.config.documents import files

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Write every generated file; their text depends on ``devproxy/config/keys.py`` alone."""
    for name, text in files().items():
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
