"""What the service can be asked to do; each use case opens one transaction and knows no HTTP."""
