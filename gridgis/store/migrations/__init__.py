"""Steps of the schema, run by Alembic when a workspace is opened."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

HEAD: str = "0002"
FOLDER: Path = Path(__file__).parent


def known_revisions() -> frozenset[str]:
    """Every revision this program knows, without loading Alembic."""
    return frozenset(file.name[1:5] for file in (FOLDER / "versions").glob("r*.py"))


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to `HEAD` inside the connection's transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script) as environment:
        # the store owns the transaction: Alembic neither begins nor commits
        environment.configure(
            connection=connection, transactional_ddl=False, fn=lambda found, _: script._upgrade_revs(HEAD, found)
        )
        environment.run_migrations()
