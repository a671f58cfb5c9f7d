"""What the scripts of `deploy.commands` do to a place, one effect after another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from deploy.records import Record
from simulated.builds import Build, Kind
from simulated.clock import CLOCK
from simulated.places import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from simulated.places import Place
    from simulated.world import World

    Effect = Callable[[], bool]  # does it; False: the script fails there

SPOKEN: dict[str, tuple[str, tuple[Any, ...]]] = {}
"""What each script of this simulation was made from: a name in `commands`, and its arguments."""


class Effects:
    """What one script does to one place; a method for each script, named after it."""

    def __init__(self, world: World, place: Place, sent: str = "") -> None:
        self._world, self._place, self._sent = world, place, sent

    def of(self, script: str) -> Iterator[Effect]:
        """The script's effects, in order; it may be several scripts, a line each."""
        whole = script in SPOKEN or script == "true"
        for part in [script] if whole else script.split("\n"):
            name, args = SPOKEN.get(part, (part, ()))
            yield from getattr(self, name)(*args)

    def true(self) -> Iterator[Effect]:
        yield lambda: True

    def prepare(self, *_: str) -> Iterator[Effect]:
        yield lambda: True

    def receive_release(self, _app: str, release: str, *_: str) -> Iterator[Effect]:
        place = self._place
        if release in place.releases:
            yield lambda: True
            return
        yield lambda: place.put(torn=place.torn | {release: 4})
        yield lambda: place.put(releases=[*place.releases, release]) and self._tidy({release})

    def discard_part(self, _app: str, release: str) -> Iterator[Effect]:
        yield lambda: self._tidy({release})

    def keep_unit(self, file: str) -> Iterator[Effect]:
        place, (_, unit, release, digest) = self._place, SPOKEN[file][1]
        assert unit == place.app.unit
        yield lambda: place.put(kept=place.kept | {f"{release}.{digest}": self._sent})

    def remove_releases(
        self, _app: str, releases: tuple[str, ...], coming: str
    ) -> Iterator[Effect]:
        yield lambda: self._tidy(self._place.torn.keys() - {coming})
        for gone in releases:
            yield partial(self._remove, gone)

    def record_out(self, _app: str, _port: int, note: str) -> Iterator[Effect]:
        yield lambda: self._place.put(out=note)

    def record_deployed(self, _app: str, _port: int, line: str, release: str) -> Iterator[Effect]:
        place, record = self._place, Record.parse(line)
        assert record
        yield lambda: place.put(history=[*place.history, record])
        yield lambda: self._forget() and place.put(bad=place.bad - {release})

    def forget_out(self, *_: object) -> Iterator[Effect]:
        yield self._forget

    def mark_bad(self, _app: str, release: str, _note: str) -> Iterator[Effect]:
        yield lambda: self._place.put(bad=self._place.bad | {release})

    def stop_unit(self, _unit: str) -> Iterator[Effect]:
        yield lambda: self._stop(legacy=False)

    def retire_unit(self, unit: str) -> Iterator[Effect]:
        legacy = unit == self._place.app.replaces
        enabled = "legacy_enabled" if legacy else "enabled"
        yield lambda: self._stop(legacy=legacy) and self._place.put(**{enabled: False})

    def revive_unit(self, _unit: str) -> Iterator[Effect]:
        yield lambda: self._place.put(legacy_enabled=True) and self._start(None)

    def switch_release(
        self, _app: str, _port: int, release: str, _user: str, unit: tuple[str, str]
    ) -> Iterator[Effect]:
        kept = self._place.kept.get(f"{release}.{unit[1]}")
        yield lambda: self._link(release, kept)
        yield lambda: self._place.put(unit=kept)

    def start_unit(self, _unit: str) -> Iterator[Effect]:
        place = self._place
        yield lambda: place.put(enabled=True, failed=False)
        yield lambda: self._start(Build.of(place.unit))

    def _tidy(self, releases: AbstractSet[str]) -> bool:
        left = {name: size for name, size in self._place.torn.items() if name not in releases}
        return self._place.put(torn=left)

    def _link(self, release: str, kept: str | None) -> bool:
        place = self._place
        if place.process and not place.process.is_legacy:
            self._world.wrong("P1", f"{place}: switched while it runs")
        return release in place.releases and kept is not None and place.put(link=release)

    def _start(self, build: Build | None) -> bool:
        place = self._place
        if place.process and place.process.is_legacy == (build is None):
            return True  # systemctl start leaves alone what runs
        if place.process:
            self._world.wrong("P3", f"{place}: two are to run on one port")
            return False
        if self._world.kind(build) is Kind.STILLBORN:
            return not place.put(failed=True)
        files = place.link if build else ""
        return place.put(process=Process(build, files, CLOCK.now))

    def _stop(self, *, legacy: bool) -> bool:
        place = self._place
        if place.process is None or place.process.is_legacy != legacy:
            return True
        if place.registered:
            self._world.wrong("P1", f"{place}: stopped while it is registered")
        elif CLOCK.now < place.busy:
            self._world.wrong("P1", f"{place}: stopped while it drains")
        return place.put(process=None, left=None)

    def _remove(self, gone: str) -> bool:
        place = self._place
        if gone == place.link or gone not in place.releases:
            return True
        if place.process and gone == place.process.files:
            self._world.wrong("P4", f"{place}: the files of what runs are removed")
        place.releases.remove(gone)
        kept = {name: text for name, text in place.kept.items() if not name.startswith(gone)}
        return place.put(kept=kept)

    def _forget(self) -> bool:
        if not self._place.registered:
            self._world.wrong("P4", f"{self._place}: the note is removed while the target is out")
        return self._place.put(out="")
