"""Reads stage models from files, since the core does no IO."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from pipeline.core.model_check import ModelError
from pipeline.core.models import load


def builtin_texts() -> dict[str, str]:
    """The models that ship with Masir: file name -> TOML text."""
    files = (resources.files("schemas") / "models").iterdir()
    texts = {file.name: file.read_text("utf-8") for file in files if file.name.endswith(".toml")}
    return dict(sorted(texts.items()))


def read_texts(files: Iterable[Path]) -> dict[str, str]:
    """The models in these files: path -> TOML text. Raises OSError, and ModelError for what is not UTF-8."""
    return {str(file): _read(file) for file in files}


def texts_in_force(files: Iterable[str]) -> dict[str, str]:
    """Of the built-in models and of those in the files of the setting ``models``; OSError and ModelError as above."""
    return builtin_texts() | read_texts(map(Path, files))


def model_names(files: Iterable[str]) -> frozenset[str]:
    """The names of the same."""
    return frozenset(model.name for model in load(texts_in_force(files)).models)


def _read(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ModelError(str(file), line, "this is not UTF-8; save the file in that encoding") from error
