"""The error of a row that breaks a law of the kernel."""


class RowError(ValueError):
    """One row of an argument is unusable.

    Attributes
    ----------
    argument : str
        Name of the argument.
    row : int
        The first offending row.
    reason : str
        What is wrong with it, as the predicate of a sentence about the row.
    """

    def __init__(self, argument: str, row: int, reason: str):
        super().__init__(f"{argument}: row {row} {reason}")
        self.argument, self.row, self.reason = argument, row, reason

    def __reduce__(self):
        return type(self), (self.argument, self.row, self.reason)
