"""REST and WebSocket: one module per resource."""
