"""Whether a program that answers on this machine belongs to the project, by its folder. Pure.

Start at :func:`is_within` and :func:`advice_on_folder`.
"""

from __future__ import annotations

from typing import NamedTuple

from devproxy.text.safe import visible


class Place(NamedTuple):
    """A folder. ``root``: of the checkout that it is in, ``repository``: where that keeps its history, which the
    worktrees of one repository share; both empty where it is in none."""

    folder: str
    root: str = ""
    repository: str = ""


def is_within(folder: str, project: str) -> bool:
    """Tell whether `folder` is in `project`, or the other way round: a server may be started above its
    configuration."""
    one, other = folder.rstrip("/") + "/", project.rstrip("/") + "/"
    return one.startswith(other) or (other.startswith(one) and one.count("/") > 2)


def advice_on_folder(upstream: str, url: str, program: str, of: Place, project: Place) -> tuple[str, str] | None:
    """Return what to tell of the server at `url` if `program`, which answers there, is of another checkout; else None.

    Also what to do. Where either is in no checkout, nothing tells what belongs together.
    """
    if not of.root or not project.root or of.root == project.root:
        return None
    what = (
        f"{visible(upstream)} at {visible(url)} is answered by {visible(program)} in {visible(of.folder)}, "
        f"not in {visible(project.root)}"
    )
    if of.repository == project.repository:
        return what, "that is another worktree of this repository: start this one's server, on a port of its own"
    return what, "if that is another project's server, start this one's on a port of its own"
