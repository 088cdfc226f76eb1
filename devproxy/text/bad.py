"""A text that a person wrote and that cannot be what it should be."""


class BadText(ValueError):
    """``what`` is wrong with it, as a clause without a full stop; ``help``: what to write instead, may be empty."""

    def __init__(self, what: str, help: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.help = help
