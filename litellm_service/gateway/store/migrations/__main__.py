"""`python -m gateway.store.migrations FILE`: bring a database to the newest schema."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(url: str) -> None:
    """Apply every migration that is missing, each in its own transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")


if __name__ == "__main__":
    upgrade(f"sqlite:///{Path(sys.argv[1]).resolve()}")
