"""The configuration follows its file while devproxy serves: what it says now is loaded and applied, or refused.

Owns what is said of it, and that the same mistake is said once. Watching is :mod:`devproxy.gateway.system.watch`,
changing over is :class:`devproxy.cli.applying.InForce`. Imported late, with asyncio. Start at :class:`Reloader`.
"""

from __future__ import annotations

import asyncio
import os

from devproxy.cli.applying import InForce
from devproxy.cli.environment import BadVariables, read_again
from devproxy.cli.https import distrust, unsigned_names
from devproxy.cli.loading import BadConfiguration, Loaded, load_text
from devproxy.cli.refusal import Refused
from devproxy.config.notices import notices
from devproxy.events import ConfigMissing, ConfigRejected, Tell, Trouble
from devproxy.gateway.system.files import is_regular
from devproxy.gateway.system.watch import FileWatch, Reading
from devproxy.platforms.mounts import is_mounted_alone


class Reloader:
    """Keeps what is `in_force` at what its file says; reports by `tell`.

    `is_coloured`: reports are painted for a terminal. Needs a running loop.
    """

    def __init__(self, in_force: InForce, tell: Tell, *, is_coloured: bool) -> None:
        loaded = in_force.loaded
        assert loaded.text is not None
        self._in_force = in_force
        self._tell = tell
        self._is_coloured = is_coloured
        self._refused: bytes | None = None
        # Absolute: the working directory may be removed and created again.
        self._watch = FileWatch(os.path.abspath(loaded.config.source), loaded.text)
        files = loaded.surrounding.files
        self._variables = [FileWatch(file.place, file.text) for file in files if _is_regular(file.place)]

    def ask(self) -> None:
        """Have the file read at once; what it says is reported even if it is nothing new."""
        self._watch.ask()

    async def run(self) -> None:
        """Follow the file, and the files of variables, until cancelled."""
        followed = [asyncio.ensure_future(self._follow(watch)) for watch in self._variables]
        try:
            await self._follow_configuration()
        finally:
            for task in followed:
                task.cancel()

    async def _follow(self, watch: FileWatch) -> None:
        """Have the configuration read again whenever a file of variables says something else."""
        async for _ in watch.changes():
            self.ask()

    async def _follow_configuration(self) -> None:
        source = self._in_force.loaded.config.source
        if is_mounted_alone(source):
            self._tell(_mounted_alone(source))
        async for reading in self._watch.changes():
            try:
                await self._take(reading)
            except (OSError, RuntimeError) as error:  # no descriptors or no threads are left
                source = self._in_force.loaded.config.source
                self._tell(Trouble(f"{source} could not be applied: {error}", "save it again"))

    def close(self) -> None:
        """End the threads that watch."""
        for watch in (self._watch, *self._variables):
            watch.close()

    def _load(self, text: bytes) -> Loaded:
        """Return what `text` states by the variables as their files have them now. Raises :class:`Refused`."""
        old = self._in_force.loaded
        surrounding, program = read_again(old.surrounding), old.program
        return load_text(
            text, old.config.source, listen=old.listen, tls=old.tls, program=program, surrounding=surrounding
        )

    async def _take(self, reading: Reading) -> None:
        before = self._in_force.loaded
        source = before.config.source
        if reading.is_old:
            self._tell(_is_old(source))
            return
        if reading.text is None:
            self._tell(ConfigMissing(source, reading.reason))
            return
        if reading.text == self._refused and not reading.is_asked:
            return  # it was gone for a while, and is back with the mistakes that have been told
        try:
            # In a thread: a long file takes its time, and traffic goes on.
            loaded = await asyncio.to_thread(self._load, reading.text)
        except Refused as refusal:
            self._refused = reading.text
            problems = len(refusal.error.problems) if isinstance(refusal, BadConfiguration) else 1
            at_fault = refusal.file.path if isinstance(refusal, BadVariables) else source
            self._tell(ConfigRejected(at_fault, problems, refusal.render(colour=self._is_coloured)))
            return
        self._refused = None
        # The same remark about another line is not news.
        old = before.config
        known = {notice.sentence for notice in (*notices(old), *unsigned_names(old))}
        await self._in_force.take(loaded)
        for notice in (*notices(loaded.config), *unsigned_names(loaded.config)):
            if notice.sentence not in known:
                self._tell(Trouble(str(notice)))
        if old.server.tls is not True and (trouble := await asyncio.to_thread(distrust, loaded.config)) is not None:
            self._tell(trouble)


def _is_regular(path: str) -> bool:
    try:
        return is_regular(path)
    except OSError:
        return False


def _mounted_alone(source: str) -> Trouble:
    what = f"{source} is mounted as a single file: what an editor or Git puts in its place cannot be seen from here"
    return Trouble(what, _mount_the_folder(source))


def _is_old(source: str) -> Trouble:
    what = f"{source} has been replaced outside, but the mount of the single file still leads to the old one"
    return Trouble(what, f"start the container again, and {_mount_the_folder(source)}")


def _mount_the_folder(source: str) -> str:
    return f'mount its folder, not the file: volumes: ["./FOLDER:{os.path.dirname(os.path.abspath(source))}:ro"]'


def can_follow(loaded: Loaded) -> bool:
    """Tell whether there is a file to follow: not the command line, and no pipe such as ``--config <(…)``."""
    try:
        return loaded.text is not None and is_regular(loaded.config.source)
    except OSError:
        return loaded.text is not None  # it has just been removed, and may come back
