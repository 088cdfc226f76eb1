"""Write the files that are made from others: ``python -m docs.generate`` in the checkout.

The reference, the schema and the example file come from the table of keys, the maps of the house from the import
contract (:mod:`docs.house`).
"""

from __future__ import annotations

from devproxy.config.documents import files
from docs.house import ROOT, pages


def main() -> None:
    """Write every generated file."""
    for name, text in {**files(), **pages()}.items():
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
