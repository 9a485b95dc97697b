"""``headwater init-env``: the passwords that containers start with."""

from __future__ import annotations

from pathlib import Path

import click

from headwater.box.envfile import ensure_env

__all__ = ["init_env"]


@click.command("init-env")
@click.argument("path", default=".env", type=click.Path(path_type=Path))
def init_env(path: Path) -> None:
    """Write random passwords for containers into .env; what is there already stays."""
    written = ensure_env(path)
    if not written:
        click.echo(f"{path} has everything already; nothing was written.")
        return
    click.echo(f"Wrote {', '.join(written)} into {path}, which only you can read.")
