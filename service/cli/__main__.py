"""`python -m service.cli`, the command line where no `rankward` is on the path."""

from service.cli.main import main

main()
