"""The dispatcher: decides what to run next, hands slices to the cluster and stores their results."""
