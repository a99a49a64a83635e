"""Variables of the environment: how Rankward's begin, and which of them clients read."""

PREFIX = "RANKWARD_"
OF_CLIENTS = {f"{PREFIX}URL", f"{PREFIX}API_KEY"}
