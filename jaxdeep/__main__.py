"""`python -m jaxdeep`: the console command `jaxdeep` where it is not installed."""

from jaxdeep.cli.console import main

if __name__ == "__main__":
    raise SystemExit(main(program=("python", "-m", "jaxdeep")))
