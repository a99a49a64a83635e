"""The flow engine: gradient flows, integrated adaptively."""
