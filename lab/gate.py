"""The door of the AWS API: counts calls, throttles them, answers with errors, or not at all.

It stands before moto, so that what it answers has the shape that each of AWS's protocols gives
errors and botocore reads them as it would read AWS's.
"""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from lab.knobs import Calls, Knobs

ELB = "elasticloadbalancing"
# AWS answers these with 403, everything else here with 400.
FORBIDDEN = {
    "ExpiredToken",
    "InvalidClientTokenId",
    "AccessDenied",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "AuthFailure",
}
FORMS = {
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    "</Errors><RequestID>lab</RequestID></Response>",
    "s3": "<Error><Code>{code}</Code><Message>{message}</Message></Error>",
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
    "<Message>{message}</Message></Error><RequestId>lab</RequestId></ErrorResponse>",
}


@dataclass
class Bucket:
    """A token bucket: `size` calls at once, `per_second` more."""

    size: float
    per_second: float
    tokens: float = field(init=False)
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.size

    def fill(self, now: float) -> None:
        """Add what has dripped in since the last time."""
        if self.filled_at:
            dripped = (now - self.filled_at) * self.per_second
            self.tokens = min(self.size, self.tokens + dripped)
        self.filled_at = now


class Throttle:
    """ELB's documented buckets for one account and region: one for all calls, one per kind."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._account = Bucket(40, 10)
        self._describe = Bucket(40, 10)
        self._register = Bucket(20, 4)
        self._mutate = Bucket(20, 3)

    def takes(self, operation: str, now: float) -> bool:
        """Whether the call has a token left in both its buckets; `now` in seconds."""
        if operation.startswith("Describe"):
            own = self._describe
        elif operation in {"RegisterTargets", "DeregisterTargets"}:
            own = self._register
        else:
            own = self._mutate
        with self._lock:
            buckets = (self._account, own)
            for bucket in buckets:
                bucket.fill(now)
            if any(bucket.tokens < 1 for bucket in buckets):
                return False
            for bucket in buckets:
                bucket.tokens -= 1
            return True


class Gate:
    """A WSGI application in front of another one."""

    def __init__(
        self,
        inner: WSGIApplication,
        knobs: Knobs,
        calls: Calls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._knobs = knobs
        self._calls = calls
        self._clock = clock
        self._throttle = Throttle()
        self._throttled = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a call, or pass it on."""
        service, operation = _call(environ)
        self._calls.add(operation)
        if self._knobs.throttle != self._throttled:
            self._throttle = Throttle()
            self._throttled = self._knobs.throttle
        if operation == "DescribeTargetHealth" and self._knobs.api_pages > 0:
            self._knobs.api_pages -= 1
            start_response("200 OK", [("Content-Type", "text/html")])
            return [b"<!DOCTYPE html><html><body><p>Please sign in.<br></body></html>"]
        if self._knobs.api_error is not None:
            message = "The lab was told to answer so (its knob api_error)."
            return _refuse(service, self._knobs.api_error, message, start_response)
        if (
            self._throttled
            and service == ELB
            and not self._throttle.takes(operation, self._clock())
        ):
            return _refuse(service, "ThrottlingException", "Rate exceeded", start_response)
        return self._inner(environ, start_response)


def _call(environ: WSGIEnvironment) -> tuple[str, str]:
    """Tell the service from the signature and the operation from the body, which stays readable."""
    signature = environ.get("HTTP_AUTHORIZATION", "")
    scope = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/aws4_request", signature)
    service = scope.group(1) if scope else ""
    if "HTTP_X_AMZ_TARGET" in environ:
        return service or "json", environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return service, parse_qs(body.decode()).get("Action", ["?"])[0]
    return service or "s3", f"{environ['REQUEST_METHOD']} {service or 's3'}"


def _refuse(
    service: str, code: str, message: str, start_response: StartResponse
) -> Iterable[bytes]:
    status = "403 Forbidden" if code in FORBIDDEN else "400 Bad Request"
    headers: list[tuple[str, str]] = []
    body: Any
    if service in {"ssm", "secretsmanager", "json"}:
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
        body = json.dumps({"__type": code, "message": message})
    else:
        headers.append(("Content-Type", "text/xml"))
        body = FORMS.get(service, FORMS["query"]).format(code=code, message=message)
    payload = body.encode()
    headers.append(("Content-Length", str(len(payload))))
    start_response(status, headers)
    return [payload]
