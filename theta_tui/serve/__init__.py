"""`theta serve`: a web page and an API in front of the engine of a home. Needs the extra `serve`."""
