"""The error that the user can mend, and the warning that something may be wrong."""


class UserError(ValueError):
    """Something the user gave cannot be used: a wrong value, a damaged file, a folder that holds another run.

    Its message is one line: what was given, what is allowed, and where there is one the nearest match. The command
    line prints it without a traceback and exits with status 2.
    """


class JaxdeepWarning(UserWarning):
    """Something the user gave can be used, and is probably not what was meant.

    Its message is one line: what is odd, why that matters, what to do. The command line prints it on stderr.
    """
