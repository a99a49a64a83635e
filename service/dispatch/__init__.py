"""The dispatcher: decides what to run next, hands slices to the cluster, stores what comes back."""
