"""The image and docker-compose.yml for real, and the commands of docs/containers.md: `make containers`."""
