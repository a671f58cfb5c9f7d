"""The load balancer's question to an app's own port, over HTTP/1.1, HTTP/2 or gRPC.

request (what is asked, what came back) -> http1, http2 -> asking (which of them, in one time)
stream: bytes, plain or within TLS -> http1, http2
"""
