"""`python -m gramcli`, where the script `gram` is not on the path."""

from gramcli.cli.main import main

if __name__ == "__main__":
    main()
