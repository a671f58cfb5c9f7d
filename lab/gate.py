"""The door of the AWS API: counts calls, throttles them, answers with errors, or not at all.

It stands before moto, so that what it answers has the shape that each of AWS's protocols gives
errors and botocore reads them as it would read AWS's.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from lab.knobs import Calls, Knobs

ELB, EC2, STS = "elasticloadbalancing", "ec2", "sts"
THROTTLED = {ELB: "ThrottlingException", EC2: "RequestLimitExceeded", STS: "Throttling"}
"""The error code of a call that is throttled, by service."""
# AWS answers these with 403, RequestLimitExceeded with 503, everything else here with 400.
FORBIDDEN = {
    "ExpiredToken",
    "InvalidClientTokenId",
    "AccessDenied",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "AuthFailure",
    "UnauthorizedOperation",
}
DENIED = {EC2: "UnauthorizedOperation"}
"""The error code of a call that is not allowed, by service; AccessDenied for all others."""
FORMS = {
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    "</Errors><RequestID>lab</RequestID></Response>",
    "s3": "<Error><Code>{code}</Code><Message>{message}</Message></Error>",
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
    "<Message>{message}</Message></Error><RequestId>lab</RequestId></ErrorResponse>",
}

PAGE = "<!DOCTYPE html>\n<html><body><h1>{status}</h1><p>A proxy's own page.<br></body></html>\n"


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
    """AWS's documented buckets for one account and region.

    ELB has one for all calls and one for each kind (ELB API throttling guide). EC2 has one for each
    operation; only those that read are throttled here (EC2 API guide, "Request throttling"). Those
    of STS and Auto Scaling are not in these guides: STS gets a generous one, Auto Scaling none.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._all = {ELB: Bucket(40, 10), STS: Bucket(600, 600)}
        self._kinds = {
            (ELB, "describe"): Bucket(40, 10),
            (ELB, "register"): Bucket(20, 4),
            (ELB, "change"): Bucket(20, 3),
        }
        self._reads: defaultdict[str, Bucket] = defaultdict(lambda: Bucket(100, 20))

    def takes(self, service: str, operation: str, now: float) -> bool:
        """Whether the call has a token left in each of its buckets; `now` in seconds."""
        kind = "describe" if operation.startswith("Describe") else "change"
        if operation in {"RegisterTargets", "DeregisterTargets"}:
            kind = "register"
        with self._lock:
            found = [self._all.get(service), self._kinds.get((service, kind))]
            if (service, kind) == (EC2, "describe"):
                found.append(self._reads[operation])
            buckets = [bucket for bucket in found if bucket is not None]
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
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a call, or pass it on."""
        service, operation = _call(environ)
        self._calls.add(operation)
        if self._knobs.throttle != self._throttled:
            self._throttle = Throttle()
            self._throttled = self._knobs.throttle
        status = self._page_for(operation)
        if status is not None:
            return _page(status, start_response)
        if self._knobs.api_error is not None:
            message = "The lab is set to answer so (its knob api_error)."
            return _refuse(service, self._knobs.api_error, message, start_response)
        if self._throttled and not self._throttle.takes(service, operation, self._clock()):
            return _refuse(service, THROTTLED[service], "Rate exceeded", start_response)
        if operation in self._knobs.denied:
            # Before anything about the call itself is looked at: an id that does not exist is
            # refused to those alone who may make the call (IAM user guide, "How IAM works").
            code = DENIED.get(service, "AccessDenied")
            return _refuse(service, code, _denial(service, operation), start_response)
        return self._inner(environ, start_response)

    def _page_for(self, operation: str) -> int | None:
        """The status of the page that this call gets, and one page fewer is left."""
        with self._lock:
            page = self._knobs.api_html
            if page is None or page.action not in {operation, "*"}:
                return None
            page.count -= 1
            if not page.count:
                self._knobs.api_html = None
            return page.status


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


def _denial(service: str, operation: str) -> str:
    """What AWS says to a caller without the permission."""
    user = "arn:aws:iam::123456789012:user/lab"
    return f"User: {user} is not authorized to perform: {service}:{operation} on resource: *"


def _page(status: int, start_response: StartResponse) -> Iterable[bytes]:
    payload = PAGE.format(status=status).encode()
    headers = [("Content-Type", "text/html"), ("Content-Length", str(len(payload)))]
    start_response(f"{status} Proxy", headers)
    return [payload]


def _refuse(
    service: str, code: str, message: str, start_response: StartResponse
) -> Iterable[bytes]:
    status = "403 Forbidden" if code in FORBIDDEN else "400 Bad Request"
    if code == THROTTLED[EC2]:
        status = "503 Service Unavailable"
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
