"""Steps of the schema, run by Alembic when a workspace is opened."""

from __future__ import annotations

from importlib import resources
from typing import Final

import sqlalchemy as sa

HEAD: Final = "0001"


def known_revisions() -> frozenset[str]:
    """Every revision this program knows, without loading Alembic."""
    names = (entry.name for entry in (resources.files(__name__) / "versions").iterdir())
    return frozenset(name[1:5] for name in names if name.startswith("r") and name.endswith(".py"))


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to `HEAD` inside the connection's transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "gridgis.store:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script) as environment:
        # the store owns the transaction: Alembic neither begins nor commits
        environment.configure(
            connection=connection, transactional_ddl=False, fn=lambda found, _: script._upgrade_revs(HEAD, found)
        )
        environment.run_migrations()
