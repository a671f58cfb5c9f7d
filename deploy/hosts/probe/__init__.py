"""Asks an app's port as the load balancer's health check does: HTTP/1.1, HTTP/2 or gRPC.

protocol (which of them is spoken) -> http1, http2 -> stream (bytes, plain or within TLS)
request: what is asked, and the reply
"""
