"""What a file may weigh before it is opened, and archives unpacked without trusting them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from gridgis.errors import DataError, WorkspaceError

_MIB: Final = 1 << 20
# Below this an archive is harmless however well it packs (a .dbf of blanks packs 300 : 1).
_HARMLESS_BYTES: Final = 64 * _MIB
_UTF8_NAME: Final = 0x800
_ENCRYPTED: Final = 0x1


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a file may be; whoever takes files from strangers gives tighter ones."""

    max_bytes: int = 4096 * _MIB
    """Size on disk, bytes."""
    max_unpacked: int = 8192 * _MIB
    """Size of all members of an archive together, unpacked, bytes."""
    max_ratio: float = 100.0
    """Unpacked size / packed size of an archive over 64 MiB unpacked."""
    max_members: int = 10_000
    """Number of members of an archive."""


DEFAULT: Final = Limits()


def check_size(path: Path, *, limits: Limits = DEFAULT) -> None:
    """Refuse a file that is missing, empty or over the limit, by `DataError`."""
    if not path.exists():
        raise DataError("files.missing", file=str(path))
    if path.is_dir():
        if path.suffix.lower() != ".gdb":
            raise DataError("files.is_folder", file=str(path))
        return
    size = path.stat().st_size
    if size == 0:
        raise DataError("files.empty", file=path.name)
    if size > limits.max_bytes:
        raise DataError("files.too_large", file=path.name, size=_mib(size), limit=_mib(limits.max_bytes))


def check_archive(path: Path, *, limits: Limits = DEFAULT) -> tuple[zipfile.ZipInfo, ...]:
    """The file members of a zip archive, after refusing a broken, locked, bursting or escaping one, by `DataError`.

    The sizes judged are those the archive declares; Python reads no member beyond them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = tuple(info for info in archive.infolist() if not info.is_dir())
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError("files.broken_archive", file=path.name) from error
    unpacked = sum(info.file_size for info in members)
    ratio = unpacked / max(path.stat().st_size, 1)
    if len(members) > limits.max_members:
        raise DataError("files.archive_members", file=path.name, members=len(members), limit=limits.max_members)
    if unpacked > limits.max_unpacked or (unpacked > _HARMLESS_BYTES and ratio > limits.max_ratio):
        raise DataError(
            "files.archive_bomb",
            file=path.name, size=_mib(unpacked), ratio=round(ratio), limit=_mib(limits.max_unpacked), max_ratio=limits.max_ratio,
        )  # fmt: skip
    for info in members:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise DataError("files.archive_escapes", file=path.name, member=info.filename[:200])
        if info.flag_bits & _ENCRYPTED:
            raise DataError("files.archive_locked", file=path.name)
    return members


@contextmanager
def unpacked(path: Path, *, limits: Limits = DEFAULT) -> Iterator[Path]:
    """A temporary folder with the members of a zip archive, removed at the end."""
    members = check_archive(path, limits=limits)
    with TemporaryDirectory(prefix="gridgis-") as folder:
        root = Path(folder)
        with zipfile.ZipFile(path) as archive:
            for info in members:
                target = root.joinpath(*PurePosixPath(member_name(info)).parts)
                if "__MACOSX" in target.parts or target.name.startswith("._"):
                    continue
                content = _member(archive, info, path)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                except OSError as error:  # a full disk is not the archive's fault
                    raise WorkspaceError("export.cannot_write", file=str(target), reason=str(error.strerror or error)) from error
        yield root


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise DataError("files.broken_archive", file=path.name) from error


def member_name(info: zipfile.ZipInfo) -> str:
    """A member's path with `/`; names that older Chinese Windows wrote in GBK are read as such."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME and not name.isascii():
        try:
            name = name.encode("cp437").decode("gb18030")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def _mib(size: int) -> str:
    return f"{size / _MIB:,.1f} MiB"
