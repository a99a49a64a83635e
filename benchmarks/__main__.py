"""`make bench`: every benchmark, one after the other."""

import sys

from benchmarks import (
    descent_speed,
    mlflow_speed,
    peak_shares,
    query_speed,
    service_speed,
    store_speed,
    submission_load,
    tensor_speed,
    worker_speedup,
)


def main() -> None:
    """Measure and print."""
    print("# Steps of matrices", flush=True)
    descent_speed.main()
    print("\n# Shares of a core's peak", flush=True)
    peak_shares.main()
    print("\n# The same without AVX-512", flush=True)
    peak_shares.main(["--isa", "avx2"])
    print("\n# Steps of tensors", flush=True)
    tensor_speed.main()
    print("\n# Store", flush=True)
    store_speed.main()
    print("\n# Service", flush=True)
    sys.argv = ["service_speed", "--large"]
    service_speed.main()
    sys.argv = sys.argv[:1]
    print("\n# Two workers", flush=True)
    worker_speedup.main()
    print("\n# Submissions", flush=True)
    submission_load.main()
    print("\n# Queries and exports", flush=True)
    sys.argv = ["query_speed", "--large"]
    query_speed.main()
    mlflow_speed.main()


main()
