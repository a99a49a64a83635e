"""`make bench`: every benchmark, one after the other."""

import sys

from benchmarks import descent_speed, service_speed


def main() -> None:
    """Measure and print."""
    print("# Steps", flush=True)
    descent_speed.main()
    print("\n# Service", flush=True)
    sys.argv = ["service_speed", "--large"]
    service_speed.main()


main()
