"""`python -m service.cli`, how `rankward serve` starts its processes."""

from service.cli.main import main

main()
