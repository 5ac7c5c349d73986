"""`python -m jaxdeep`, which is the console command `jaxdeep`."""

from jaxdeep.cli.console import main

if __name__ == "__main__":
    raise SystemExit(main())
