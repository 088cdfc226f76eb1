"""Write the files that are made from others: ``python -m docs.generate`` in the checkout.

The reference, the schema and the example file come from the keys (:mod:`docs.reference`), the maps of the house from
the import contract (:mod:`docs.house`), the tables of states from those of the gateway (:mod:`docs.transitions`).
"""

from __future__ import annotations

from docs.house import ROOT, pages
from docs.reference import files
from docs.transitions import page


def main() -> None:
    """Write every generated file."""
    for name, text in {**files(), **pages(), **page()}.items():
        (ROOT / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
