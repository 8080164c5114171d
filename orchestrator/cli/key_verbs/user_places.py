"""Where a person's own files lie: keys and whom they trust, apart from every workspace.

The one place of the command that reads where they are; rooms below are given paths.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["config_directory", "keys_directory", "state_directory", "trust_file"]


def config_directory() -> Path:
    """Return the configuration directory; it need not be there."""
    # An empty or relative value counts as none, as the XDG base directory specification says.
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "ritornello"


def state_directory() -> Path:
    """Return where what this verifier has seen is kept; it need not be there."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "ritornello"


def keys_directory() -> Path:
    """Return where keys go by themselves."""
    return config_directory() / "keys"


def trust_file() -> Path:
    """Return the file of trusted keys."""
    return config_directory() / "trust.json"
