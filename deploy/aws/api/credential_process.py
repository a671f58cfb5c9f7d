"""Runs a profile's `credential_process`, with a time limit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from botocore.credentials import ProcessProvider
from botocore.exceptions import CredentialRetrievalError

if TYPE_CHECKING:
    import botocore.session

MOST_SECONDS = 120.0
"""It may ask a person for a code when a command begins. It is run again while hosts are out of
service, by a thread that all calls of AWS wait for: botocore itself waits without an end."""


class Process(subprocess.Popen[bytes]):
    """One run of it."""

    def communicate(
        self,
        input: bytes | None = None,  # noqa: A002 - its name in subprocess
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]:
        """Return what it printed; CredentialRetrievalError where that takes too long."""
        try:
            return super().communicate(input, timeout or MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            for pipe in (self.stdout, self.stderr):
                if pipe:  # a child of its own may have them open for longer
                    pipe.close()
            self.wait()
        name = self.args[0] if isinstance(self.args, list) else "it"
        raise CredentialRetrievalError(
            provider=ProcessProvider.METHOD,
            error_msg=f"{name} did not end within {MOST_SECONDS:g} s",
        )


def bound(session: botocore.session.Session, chain: Any) -> None:
    """Give the limit to a session's own profile, and to a profile that is a role's source."""
    chain.get_provider(ProcessProvider.METHOD)._popen = Process  # noqa: SLF001 - no other way in
    builder = chain.get_provider("assume-role")._profile_provider_builder  # noqa: SLF001 - as above

    def of_profile(name: str) -> ProcessProvider:
        return ProcessProvider(name, lambda: session.full_config, popen=Process)

    builder._create_process_provider = of_profile  # noqa: SLF001 - as above
