"""`make bench`: every benchmark, one after the other."""

import sys

from benchmarks import descent_speed, query_speed, service_speed, tensor_speed


def main() -> None:
    """Measure and print."""
    print("# Steps of matrices", flush=True)
    descent_speed.main()
    print("\n# Steps of tensors", flush=True)
    tensor_speed.main()
    print("\n# Service", flush=True)
    sys.argv = ["service_speed", "--large"]
    service_speed.main()
    print("\n# Queries and exports", flush=True)
    sys.argv = ["query_speed", "--large"]
    query_speed.main()


main()
