"""What is installed: the wheel, the source distribution, and the client without the server."""
