"""What the tree must never hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name.decode() for name in done.stdout.split(b"\0") if name and (ROOT / name.decode()).is_file()]


def test_the_platform_folder_does_not_shadow_pythons_module():
    """platform/__init__.py would replace the standard library's platform."""
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_no_registry_address_is_written_down():
    """Each client uses its own default or the user's mirror."""
    address = re.compile(rb"https?://[^\s\"']*(?:maven|pypi|pythonhosted|npmjs|goproxy|proxy\.golang)", re.IGNORECASE)
    here = Path(__file__)

    assert [str(path) for path in _tracked() if path != here and address.search(path.read_bytes())] == []


def test_no_tracked_file_is_over_a_megabyte():
    """Binaries and data stay out of the history."""
    assert [str(path) for path in _tracked() if path.stat().st_size > 1_000_000] == []


def test_source_files_stay_short():
    """500 lines is the ceiling of a file."""
    long = [
        f"{path}: {count}"
        for path in _tracked()
        if path.suffix == ".py" and (count := len(path.read_text().splitlines())) > 500
    ]

    assert long == []
