"""The service for assistants that speak the Model Context Protocol: `rankward mcp`, built on the Python client.

It needs the SDK, which `rankward[mcp]` brings, and no part of the server.
"""
