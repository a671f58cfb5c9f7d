"""The load balancer's question to an app's own port, over HTTP/1.1, HTTP/2 or gRPC.

request (what is asked, what came back) -> http1, http2 -> protocol (which of them is spoken)
stream: bytes, plain or within TLS -> http1, http2
"""
