"""Write the files that are made from others: ``python -m docs.generate`` in the checkout.

The reference, the schema and the example file come from the keys (:mod:`docs.reference`), the maps of the house from
the import contract (:mod:`docs.house`).
"""

from __future__ import annotations

from docs.house import ROOT, pages
from docs.reference import files


def main() -> None:
    """Write every generated file."""
    for name, text in {**files(), **pages()}.items():
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
