"""The error that the user can mend, and the warning that something may be wrong."""


class UserError(ValueError):
    """Something the user gave cannot be used, such as a wrong value, a damaged file or a folder with another run.

    Its message is one line. It says what was given and what is wrong, then what to do. The command line prints it
    without a traceback and exits with status 2.
    """


class JaxdeepWarning(UserWarning):
    """Something the user gave can be used, and is probably not what was meant.

    Its message is one line. It says what is odd, why that matters, and what to do. The command line prints it on
    stderr.
    """
