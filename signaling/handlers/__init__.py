"""HTTP and WebSocket: each module serves one group of routes of ``signaling.app``."""
