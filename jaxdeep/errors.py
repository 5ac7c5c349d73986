"""The one error that is the user's to mend."""


class UserError(Exception):
    """Something the user gave cannot be used: a wrong value, a damaged file, a folder that holds another run.

    Its message is one line: what was given, what is allowed, and where there is one the nearest match. The command
    line prints it without a traceback and exits with status 2.
    """
