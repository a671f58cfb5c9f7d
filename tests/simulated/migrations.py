"""What is run once on the simulated hosts: records of it, jobs, and who ran before its time."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.hosts.once.record import OnceRecord

Key = tuple[str, str]
"""An app and a release."""


@dataclass
class Migrations:
    """All that the hosts have of what is run once.

    Attributes:
        records: The line of each host, by its name and the record's file.
        jobs: Whether a job ended well, by host and unit.
        runs: How often a release's command was started.
        answers: How often the operator answered that it is to run again.
        over: Apps and releases whose command ended well, or was skipped.
    """

    records: dict[tuple[str, str], str] = field(default_factory=dict)
    jobs: dict[tuple[str, str], bool] = field(default_factory=dict)
    runs: dict[Key, int] = field(default_factory=dict)
    answers: dict[Key, int] = field(default_factory=dict)
    over: set[Key] = field(default_factory=set)

    def write(self, host: str, file: str, line: str) -> None:
        """A host's record."""
        self.records[host, file] = line
        record = OnceRecord.parse(line.encode())
        assert record
        if record.state.is_over:
            app, _, release = file.partition(".")
            self.over.add((app, release))

    def start(self, host: str, unit: str, app: str, *, ends_well: bool) -> bool:
        """A job begins, and has ended when it is looked at."""
        if (host, unit) in self.jobs:
            return True
        release = self.release(unit, app)
        self.runs[app, release] = self.runs.get((app, release), 0) + 1
        self.jobs[host, unit] = ends_well
        return True

    def release(self, unit: str, app: str) -> str:
        """The release that a job is of, by what is written down of its run."""
        run = unit.split(".")[2]
        for (_, file), line in self.records.items():
            record = OnceRecord.parse(line.encode())
            if record and record.run.startswith(run) and file.startswith(f"{app}."):
                return file.partition(".")[2]
        raise AssertionError(f"{unit} is started, and nothing is written down of it")

    def ran_too_often(self) -> list[Key]:
        """Those that ran more than once without an answer of the operator."""
        return [key for key, n in self.runs.items() if n > 1 + self.answers.get(key, 0)]
