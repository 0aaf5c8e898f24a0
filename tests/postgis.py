"""A private PostgreSQL 15 with PostGIS for tests and benchmarks: started on a free port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import free_port

_BINARIES = (Path("/usr/lib/postgresql/15/bin"), Path("/usr/lib/postgresql/16/bin"), Path("/usr/lib/postgresql/17/bin"))
_EXTENSIONS = Path("/usr/share/postgresql")
_START_S = 60.0


def missing_postgis() -> str | None:
    """Why PostGIS cannot be started here; None if it can."""
    binaries = _binaries()
    if binaries is None:
        return "PostgreSQL's server programs are not installed (apt install postgresql-15-postgis-3)"
    version = binaries.parent.name
    if not (_EXTENSIONS / version / "extension" / "postgis.control").exists():
        return f"PostGIS is not installed (apt install postgresql-{version}-postgis-3)"
    if os.geteuid() == 0 and _server_user() is None:
        return "PostgreSQL refuses to run as root, and there is no user postgres"
    return None


@contextmanager
def running_postgis(*, durable: bool = False) -> Iterator[str]:
    """The address of an empty database with PostGIS, up as long as the block runs.

    Without `durable` the server does not wait for the disk: its data would not survive a crash of the machine, but
    survives that of any process.
    """
    binaries = _binaries()
    if binaries is None:
        raise RuntimeError(missing_postgis())
    folder = Path(tempfile.mkdtemp(prefix="gridgis-pg-"))
    user = _server_user()
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        port = free_port()
        _run([str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "gridgis", "-A", "trust", "-E", "UTF8", "--no-locale",
              "--no-sync"])  # fmt: skip
        server = _start(binaries, folder, port, durable=durable)
        try:
            address = f"postgresql://gridgis@127.0.0.1:{port}/postgres"
            _wait_for(address, server, folder / "server.log")
            _prepare(address)
            yield address
        finally:
            server.send_signal(signal.SIGQUIT)  # "immediate": nobody will read this data again
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(binaries: Path, folder: Path, port: int, *, durable: bool) -> subprocess.Popen[bytes]:
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        "autovacuum": "on" if durable else "off",
        "max_connections": 60,
        "shared_buffers": "64MB",
        "max_wal_size": "1GB",
        "jit": "off",
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    log = folder / "server.log"
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *arguments],
            stdout=output, stderr=output, cwd=folder, **_as_server_user(),
        )  # fmt: skip


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    end = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.05)
        else:
            return


def _prepare(address: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgis")


def _binaries() -> Path | None:
    return next((folder for folder in _BINARIES if (folder / "postgres").exists()), None)


def _server_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _as_server_user() -> dict[str, object]:
    user = _server_user()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **_as_server_user())  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
