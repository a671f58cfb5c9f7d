"""The AWS account of an environment: every API call goes through here."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from deploy import call_log
from deploy.aws.api import errors, network, sessions, transport
from deploy.aws.api.answers import Answer
from deploy.clock import CLOCK
from deploy.errors import ApiError, BadInput, DeployError, UnexpectedAnswer
from deploy.foreign_text import visible
from deploy.settings import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.aws.api.lifetime import Lifetime
    from deploy.settings.environment import Environment

WRITES = frozenset({"RegisterTargets", "DeregisterTargets"})


class Account:
    """Clients of one account and region, made on first use and shared by all threads.

    confirm: called before each write is sent, each time that it is tried; what it raises is
    raised in place of the write. AWS knows no lock of ours, and a workstation may sleep at any
    instant: so the last look at the lock comes as late as can be.
    """

    def __init__(self, environment: Environment) -> None:
        """Take the environment's `aws:` keys; empty ones follow the AWS tools' own settings."""
        transport.bound_answers()
        self.confirm: Callable[[], object] = lambda: None
        self._aws = environment.aws
        self._errors = errors.Translator(environment.aws, self._forget)
        self._credentials_file = (
            str(environment.path(environment.aws.credentials_file))
            if environment.aws.credentials_file
            else ""
        )
        self._lock = threading.Lock()
        self._progress = threading.local()
        self._clients: dict[str, Any] = {}
        self._factor = sessions.Factor()
        self._cache = sessions.SharedCache()
        self._lifetime: Lifetime | None = None
        self._session_core = self._bare()
        with self._translating("sts", "credentials"):
            sessions.use(self._cache, self._factor, self._session_core)

    def _bare(self) -> botocore.session.Session:
        """Make a session that has read no file yet."""
        core = botocore.session.Session(profile=self._aws.profile)
        if self._credentials_file:
            core.set_config_variable("credentials_file", self._credentials_file)
        return core

    def _forget(self) -> None:
        """Credentials that ran out half way may be renewed meanwhile: read them anew.

        A session of a role that was refused is not read from the cache again, another one is. Where
        another thread has done so since this one's call began, its session is a new one already.
        """
        with self._lock:
            if getattr(self._progress, "core", self._session_core) is not self._session_core:
                return
            cache = sessions.SharedCache(self._cache.refused | self._cache.given.keys())
            core = self._bare()
            try:
                sessions.use(cache, self._factor, core)
            except Exception:  # noqa: BLE001 - it is being written: the next refusal reads it again
                return
            self._clients.clear()
            self._cache, self._session_core, self._lifetime = cache, core, None

    def log_in(self) -> None:
        """Get the credentials, which takes a role and asks for an MFA code where one is wanted.

        Raises BadInput for what keeps them from being had. Without it, the first call does so, in
        whatever thread that is.
        """
        with _at_the_door(), self._translating("sts", "credentials"), self._lock:
            self._logged_in()

    def _logged_in(self) -> Lifetime:
        """Return how long the session's credentials last, once it has some; holds the lock."""
        self._progress.core = self._session_core
        if self._lifetime is None:
            # Its endpoint is judged before a role is taken there.
            client, lazy = self._made("sts"), self._session_core.get_credentials()
            self._lifetime = sessions.log_in(self._session_core, self._cache)
            self._factor.is_over = True
            if self._session_core.get_credentials() is lazy:
                self._clients["sts"] = client
        return self._lifetime

    @property
    def region(self) -> str:
        """The region in force."""
        try:
            default = self._session_core.get_config_variable("region")
        except Exception:  # noqa: BLE001 - reported by what it is asked for
            default = None
        return str(self._aws.region or default or "none")

    def verify(self) -> str:
        """Ask AWS who we are; returns our ARN.

        Raises BadInput when AWS refuses the credentials, cannot be reached, or when they are of
        another account than `aws: account:` names.
        """
        with _at_the_door():
            answer = self.call("sts", "get_caller_identity")
            identity = Answer("sts.get_caller_identity", answer)
            caller, number = identity.text("Arn"), identity.text("Account")
        if self._aws.account not in {None, number}:
            raise BadInput(
                f"the credentials are of account {visible(number)} ({visible(caller)}), and "
                f"`aws: account:` is {self._aws.account}; choose the right profile"
            )
        return caller

    @property
    def lifetime(self) -> Lifetime:
        """How long the credentials last."""
        with self._translating("sts", "credentials"), self._lock:
            return self._logged_in()

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one API call; boto3's standard retries cover throttling and short outages.

        Raises a DeployError for whatever goes wrong, and nothing else.
        """
        with _noted(service, operation), self._translating(service, operation):
            answer: dict[str, Any] = getattr(self._client(service), operation)(**arguments)
        return answer

    def items(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[object]:
        """All items of a paged call, from every page; errors are those of `call`."""
        with self._translating(service, operation):
            paginator = self._client(service).get_paginator(operation)
            pages = iter(paginator.paginate(**arguments))
        while True:
            with _noted(service, operation), self._translating(service, operation):
                page = next(pages, None)
            if page is None:
                return
            yield from Answer(f"{service}.{operation}", page).items(key)

    @contextmanager
    def _translating(self, service: str, operation: str) -> Iterator[None]:
        """The one place where foreign errors become ours, unexpected ones included."""
        self._progress.is_answered = False
        try:
            yield
        except DeployError:
            raise  # of the lock, which is asked before a write is sent
        except Exception as error:
            where = f"AWS ({service}.{operation}, region {self.region})"
            is_answered = self._progress.is_answered
            raise self._errors.translated(error, where, is_answered=is_answered) from error

    def _client(self, service: str) -> Any:
        with self._lock:
            self._logged_in()
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        """Make a client; BadInput where it would talk to an endpoint that is refused."""
        session = boto3.Session(botocore_session=self._session_core, region_name=self._aws.region)
        client = session.client(
            service,
            endpoint_url=self._aws.endpoint_url,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 6},
                connect_timeout=5,
                read_timeout=20,
                max_pool_connections=16,
            ),
        )
        client.meta.events.register("before-parse", self._before_parse)
        client.meta.events.register_first("needs-retry", _is_retried)
        if problem := endpoint.problem(client.meta.endpoint_url):
            raise BadInput(
                f"AWS ({service}): {problem}; it is from `aws:` in fabric.yaml, "
                "AWS_ENDPOINT_URL or the profile in ~/.aws/config"
            )
        for write in WRITES if service == "elbv2" else ():
            event = f"before-send.{client.meta.service_model.service_id.hyphenize()}.{write}"
            client.meta.events.register(event, self._before_send)
        return client

    def _before_send(self, **_: Any) -> None:
        self.confirm()

    def _before_parse(self, **_: Any) -> None:
        self._progress.is_answered = True


@contextmanager
def _noted(service: str, operation: str) -> Iterator[None]:
    """Note how a call ended, in the log of calls."""
    began, what = CLOCK.monotonic(), f"{service}.{operation}"
    try:
        yield
    except DeployError as error:
        call_log.note("AWS", what, began, str(error))
        raise
    call_log.note("AWS", what, began, "done")


@contextmanager
def _at_the_door() -> Iterator[None]:
    """Make what AWS answers to the first calls BadInput, with what to check."""
    try:
        yield
    except ApiError as error:
        check = network.to_check(error, os.environ)
        raise BadInput(f"{error}; check {check}") from error
    except UnexpectedAnswer as error:
        raise BadInput(str(error)) from error


def _is_retried(caught_exception: object = None, **_: Any) -> bool | None:
    """Keep botocore from asking again after an endless answer; who waits decides on that."""
    return False if errors.is_unexpected(caught_exception) else None
