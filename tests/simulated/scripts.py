"""What the programs of `hosts.scripts` do to an app on a host, one effect after another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deploy.hosts.records import Record
from simulated.builds import OLD, OLDER, Build, Kind
from simulated.clock import CLOCK
from simulated.places import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from deploy.hosts.scripts.script import Script
    from simulated.places import Home, Place
    from simulated.world import World

    Effect = Callable[[], bool]  # does it; False: the script fails there


class Effects:
    """What one script does to an app on a host; a method for each program, named after it."""

    def __init__(self, world: World, home: Home, sent: str = "") -> None:
        self._world, self._home, self._sent = world, home, sent

    def of(self, script: Script[object]) -> Iterator[Effect]:
        """The script's effects, in order."""
        for program in script.programs:
            yield from getattr(self, program.name)(*program.arguments)

    def end_with_zero(self) -> Iterator[Effect]:
        yield lambda: True

    def show_unit(self, *_: str) -> Iterator[Effect]:
        yield from ()

    rehearse = keep_units = label_files = gnu_trials = show_unit

    def prepare_app(self, *_: str) -> Iterator[Effect]:
        yield lambda: True

    def receive_release(self, _app: str, release: str, *_: object) -> Iterator[Effect]:
        home = self._home
        if release in home.releases:
            yield lambda: True
            return
        yield lambda: home.put(partial=home.partial | {release: 4})
        yield lambda: home.put(releases=[*home.releases, release]) and self._tidy({release})

    def discard_part(self, _app: str, release: str) -> Iterator[Effect]:
        yield lambda: self._tidy({release})

    def stage_units(self, *words: str) -> Iterator[Effect]:
        """What is judged, --, and what is kept: a name and a size of each."""
        end = words.index("--")
        begin = sum(map(int, words[1:end:2]))
        for file, size in zip(words[end + 1 :: 2], map(int, words[end + 2 :: 2]), strict=True):
            text = self._sent.encode()[begin : begin + size].decode()
            begin += size
            yield partial(self._keep, file.rpartition("/")[2], text)

    def _keep(self, name: str, text: str) -> bool:
        return self._home.put(kept=self._home.kept | {name: text})

    def remove_releases(self, _app: str, coming: str, *releases: str) -> Iterator[Effect]:
        yield lambda: self._tidy(self._home.partial.keys() - {coming})
        for gone in releases:
            yield partial(self._remove, gone)

    def record_out(self, _app: str, port: str, note: str) -> Iterator[Effect]:
        yield lambda: self._home.at(int(port)).put(out=note)

    def record_deployed(
        self, _app: str, port: str, line: str, release: str, _lines: str
    ) -> Iterator[Effect]:
        home, record = self._home, Record.parse(line)
        assert record
        yield lambda: home.put(history=[*home.history, record])
        yield lambda: self._forget(home.at(int(port))) and home.put(bad=home.bad - {release})

    def forget_out(self, _app: str, port: str) -> Iterator[Effect]:
        yield lambda: self._forget(self._home.at(int(port)))

    def mark_bad(self, _app: str, release: str, _note: str) -> Iterator[Effect]:
        yield lambda: self._home.put(bad=self._home.bad | {release})

    def stop_unit(self, unit: str) -> Iterator[Effect]:
        yield lambda: self._stop(self._home.of_unit(unit), legacy=False)

    def retire_unit(self, unit: str) -> Iterator[Effect]:
        home, place = self._home, self._home.of_unit(unit)
        if unit == home.app.replaces:
            yield lambda: self._stop(place, legacy=True) and home.put(legacy_enabled=False)
        else:
            yield lambda: self._stop(place, legacy=False) and place.put(enabled=False)

    def revive_unit(self, unit: str) -> Iterator[Effect]:
        home = self._home
        yield lambda: home.put(legacy_enabled=True) and self._start(home.of_unit(unit), None)

    def switch_release(
        self, _app: str, port: str, release: str, _user: str, unit: str, digest: str, *_: str
    ) -> Iterator[Effect]:
        place = self._home.at(int(port))
        kept = self._home.kept.get(f"{release}.{digest}.{unit}")
        yield lambda: self._link(place, release, kept)
        yield lambda: place.put(unit=kept)

    def start_unit(self, unit: str) -> Iterator[Effect]:
        place = self._home.of_unit(unit)
        yield lambda: place.put(enabled=True, failed=False)
        yield lambda: self._start(place, Build.of(place.unit))

    def start_once(self, unit: str, *_: str) -> Iterator[Effect]:
        name, host, world = self._home.app.name, self._home.host.name, self._world

        def start() -> bool:
            release = world.migrations.release(unit, name)
            bad = {each.release for each, kind in world.kinds.items() if kind is Kind.STILLBORN}
            return world.migrations.start(host, unit, name, ends_well=release not in bad)

        yield start

    def end_trial(self, unit: str) -> Iterator[Effect]:
        host = self._home.host.name
        yield lambda: self._world.migrations.jobs.pop((host, unit), True)

    def _tidy(self, releases: AbstractSet[str]) -> bool:
        left = {name: size for name, size in self._home.partial.items() if name not in releases}
        return self._home.put(partial=left)

    def _link(self, place: Place, release: str, kept: str | None) -> bool:
        if place.process and not place.process.is_legacy:
            self._world.wrong("P1", f"{place}: switched while it runs")
        return release in self._home.releases and kept is not None and place.put(link=release)

    def _start(self, place: Place, build: Build | None) -> bool:
        if place.process and place.process.is_legacy == (build is None):
            return True  # systemctl start leaves alone what runs
        if place.process:
            self._world.wrong("P3", f"{place}: two are to run on one port")
            return False
        if self._world.kind(build) is Kind.STILLBORN:
            return not place.put(failed=True)
        is_old = build is None or build.release in {OLD.release, OLDER.release}
        key = (place.app.name, build.release if build else "")
        if self._world.given.migrates and not is_old and key not in self._world.migrations.over:
            self._world.wrong("once", f"{place}: started before its migration was done")
        files = place.link if build else ""
        return place.put(process=Process(build, files, CLOCK.now))

    def _stop(self, place: Place, *, legacy: bool) -> bool:
        if place.process is None or place.process.is_legacy != legacy:
            return True
        if place.registered:
            self._world.wrong("P1", f"{place}: stopped while it is registered")
        elif CLOCK.now < place.busy:
            self._world.wrong("P1", f"{place}: stopped while it drains")
        return place.put(process=None, left=None)

    def _remove(self, gone: str) -> bool:
        home = self._home
        if gone in {place.link for place in home.places} or gone not in home.releases:
            return True
        for place in home.places:
            if place.process and gone == place.process.files:
                self._world.wrong("P4", f"{place}: the files of what runs are removed")
        home.releases.remove(gone)
        kept = {name: text for name, text in home.kept.items() if not name.startswith(gone)}
        return home.put(kept=kept)

    def _forget(self, place: Place) -> bool:
        """The note falls: the target is in, or its slot is at rest and another one is told of."""
        is_at_rest = place.process is None and any(o.registered or o.out for o in place.others)
        if not (place.registered or is_at_rest):
            self._world.wrong("P4", f"{place}: the note is removed while the target is out")
        return place.put(out="")
