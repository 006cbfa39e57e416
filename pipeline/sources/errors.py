"""The one error of the readers: the person who gave the file or the option has to change it."""


class SourceError(ValueError):
    """A file or an option that cannot be used. Says what is allowed; names file and line where there is one.

    Bad rows are no errors: they travel on as they are and end as dead letters.
    """

    def __init__(self, message: str, path: str = "", line: int = 0) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}: " if line else f"{path}: " if path else ""
        super().__init__(where + message)
