"""What tests share: specs to begin from, databases, servers, a cluster in this process."""
