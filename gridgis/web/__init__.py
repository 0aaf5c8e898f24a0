"""The web side: the server with its own routes, what they send, and the map component that draws it."""
