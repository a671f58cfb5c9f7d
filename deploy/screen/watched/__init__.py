"""A run as others see it: progress_note (what its heartbeat says) -> view (another terminal)."""
