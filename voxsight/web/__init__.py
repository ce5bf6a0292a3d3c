"""The web page: its ASGI middleware, its service, its predictions as HTML, and the page."""
