"""How a run's log looks as a DuckDB file: settings, table, views, and what its errors mean.

The one invariant: header bytes and parts are stored once, in one table, and every typed column is
a view that computes it from the header bytes; a column cannot be changed behind the bytes without
replacing a view, which the check of columns notices. One narrow table is also what makes a small
commit cheap: DuckDB spends 30 to 90 microseconds on each column and 250 on each further table, so
that typed columns and a table of parts took a commit from 5 to 12 times the price of the disk's,
and what a part says of itself in five columns instead of one a third more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from replay.errors import IntegrityError, LogError, ReplayError
from replay.log.duckdb_rows import PART_STATES

__all__ = [
    "FIELDS",
    "LOG_NAME",
    "SCHEMA_VERSION",
    "check_schema",
    "connect",
    "create_schema",
    "mapped_errors",
    "refuse_special",
    "shed_cache",
    "wal_path",
]

LOG_NAME: Final = "log.duckdb"
SCHEMA_VERSION: Final = 1

#: The smallest block there is: a run of 20 records takes 80 KiB, with 64 KiB blocks 270.
_BLOCK_SIZE: Final = "16384"

#: Blocks in memory that :func:`shed_cache` leaves.
_CACHE_KEPT: Final = "16MB"

#: What our own reading of a log gains by, also of one that is being written.
_OPTIMIZERS: Final = frozenset(
    {
        "column_lifetime",
        "deliminator",
        "expression_rewriter",
        "filter_pushdown",
        "in_clause",
        "statistics_propagation",
        "unnest_rewriter",
        "unused_columns",
    }
)

# A row without an ordinal is record `seq`: header bytes, and the stored list of its parts. A row
# with one is a part that the record brought: its bytes, and what `duckdb_rows` writes of it.
_TABLES: Final = """
CREATE TABLE format (version INTEGER NOT NULL);
CREATE TABLE log (
    seq BIGINT NOT NULL, ordinal BIGINT,
    data BLOB, about BLOB, place VARCHAR
);
"""
#: Header fields that are columns of the view ``events``, with their types.
FIELDS: Final = {
    "kind": "VARCHAR",
    "participant": "BIGINT",
    "task": "BIGINT",
    "index": "BIGINT",
    "lamport": "BIGINT",
    "causes": "BIGINT[]",
    "answers": "BIGINT",
    "part": "BIGINT",
    "callbacks": "BIGINT",
    "time": "BIGINT",
    "trigger": "VARCHAR",
    "outcome": "VARCHAR",
    "media": "VARCHAR",
    "size": "BIGINT",
    "commitment": "VARCHAR",
    "origin": "BIGINT",
    "principal": "BIGINT",
    "resource": "BIGINT",
}
#: What a field that is absent at its default stands for, and what hex digits stand for.
_COLUMNS: Final = {
    "trigger": "coalesce(h.\"trigger\", 'delivery')",
    "outcome": "coalesce(h.outcome, 'ok')",
    "commitment": "unhex(h.commitment)",
}


def _views() -> str:
    shape = ", ".join(f'"{name}": "{kind}"' for name, kind in FIELDS.items())
    columns = ", ".join(_COLUMNS.get(name, f'h."{name}"') + f' AS "{name}"' for name in FIELDS)
    states = ", ".join(f"'{state}'" for state in PART_STATES)
    return f"""
CREATE VIEW events AS SELECT seq, {columns}, raw, refs FROM (
    SELECT seq, data AS raw, about AS refs, try(json_transform(decode(data), '{{{shape}}}')) AS h
    FROM log WHERE ordinal IS NULL);
CREATE VIEW parts AS SELECT ordinal, seq, about[42:] AS salt, about[10:41] AS commitment,
    try_cast('0x' || hex(about[2:9]) AS BIGINT) AS size,
    [{states}][1 + try_cast('0x' || hex(about[1:1]) AS INTEGER)] AS state, data
    FROM log WHERE ordinal IS NOT NULL;
CREATE VIEW places AS SELECT seq, place FROM log WHERE place IS NOT NULL;
"""  # noqa: S608 - made of the constants above


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the settings of this house, and lock them.

    No other file, no network, no extension that is not linked in; nothing is written when the
    process ends or when reading; commits are flushed to the disk.

    Raises:
        duckdb.Error: the caller maps it.
        LogError: this DuckDB does not flush commits to the disk.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "allowed_configs": ["memory_limit"],
        "allow_community_extensions": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # Checkpoints stop the world for up to a second: ours run beside the commits.
        "checkpoint_threshold": "100GB",
        "enable_external_access": "false",
        "python_enable_replacements": "false",
        "threads": "1",
    }
    if read_only:
        settings["temp_directory"] = ""
        settings["lock_configuration"] = "true"
    else:
        settings["default_block_size"] = _BLOCK_SIZE
        # A checkpoint would merge what earlier ones wrote, again and again: at 400,000 records that
        # takes ten times as long as what is new. Nothing here is deleted, so nothing is gained.
        settings["max_vacuum_tasks"] = "0"
        settings["temp_directory"] = str(path.with_name("tmp"))
    connection = duckdb.connect(path, read_only=read_only, config=settings)
    try:
        if not read_only:
            # A forked child that exits must not checkpoint its parent's file.
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            _lighten_plans(connection)
            connection.execute("SET lock_configuration = true")
        _check_flushing(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_special(path: Path) -> None:
    """Refuse pipes by the names that DuckDB opens: it would wait for the other end.

    Raises:
        LogError: there is one, or another thing that is no regular file.
    """
    with os.scandir(path.parent) as names:
        for name in names:
            if name.name.startswith(path.name) and not (name.is_file() or name.is_dir()):
                raise LogError(
                    "it is not a regular file",
                    where=name.path,
                    hint="remove it; if it took the place of the log, restore a copy",
                )


def shed_cache(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of the blocks that DuckDB keeps for another look; nothing here looks twice.

    It would keep the whole file, up to most of the machine's memory. A standing limit would also
    hold for what cannot be let go, and refuse a large payload.
    """
    # What is in use stays; the lower limit is refused then, and what can go has gone.
    with suppress(duckdb.Error):
        connection.execute(f"SET memory_limit = '{_CACHE_KEPT}'")
    connection.execute("RESET memory_limit")


def _lighten_plans(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave out the optimizers that no query here needs.

    Each flush of the appender plans an INSERT anew, through all of them, for a tenth of a commit.
    """
    found = connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()
    unneeded = [name for (name,) in found if name not in _OPTIMIZERS]
    connection.execute(f"SET disabled_optimizers = '{','.join(unneeded)}'")


def _check_flushing(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = connection.execute("SELECT current_setting('fsync_mode')").fetchone()
    if found != ("STANDARD",):
        raise LogError("DuckDB is set not to flush commits to the disk", where=str(path))


def create_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Make table and views in a new file, in one transaction."""
    connection.begin()
    connection.execute(_TABLES)
    connection.execute(_views())
    connection.execute("INSERT INTO format VALUES (?)", [SCHEMA_VERSION])
    connection.commit()


def check_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Check that a file was made by this version's schema.

    Raises:
        IntegrityError: it is some other database, or was never finished.
        LogError: it was made by a later version.
    """
    try:
        rows = connection.execute("SELECT version FROM format").fetchall()
    except duckdb.CatalogException:
        rows = []
    if len(rows) != 1:
        raise IntegrityError(
            "the file holds no log", hint="its creation was cut short, or it is another database"
        )
    version = rows[0][0]
    if version > SCHEMA_VERSION:
        raise LogError(
            f"the log has schema version {version}, this ritornello reads {SCHEMA_VERSION}",
            hint="use a later version of ritornello",
        )


def wal_path(path: Path) -> Path:
    """Return where DuckDB keeps the commits that are not in the main file yet."""
    return path.with_name(f"{path.name}.wal")


#: Words in DuckDB's messages, which has few classes for what can go wrong with a file; first match.
_DAMAGE: Final = (
    "not a valid DuckDB",
    "Corrupt database",
    "replaying WAL",
    "WAL does not match",
    "checksum",
    "Could not read enough bytes",
    "Could not read all data",
    "deserialize",
)
#: What DuckDB's binding raises in place of what a signal's handler raised, a bare `RuntimeError`.
_INTERRUPTED: Final = "Query interrupted"
_CAUSES: Final = (
    ("Could not set lock", "another program has the log open", "close it, or look at a copy"),
    ("No space left", "the disk is full", "free space and open the run again"),
    ("File too large", "the file may not grow (disk quota or limit)", "raise the limit"),
    ("quota", "the disk quota is used up", "free space and open the run again"),
    ("Permission denied", "the file may not be opened", "check owner and permissions"),
    ("Read-only file system", "the file system is read-only", "record into another directory"),
    ("does not exist", "there is no log", "check the path"),
    ("already closed", "the log is closed", "open it again"),
    ("different configuration", "this process has the log open already", "close it first"),
    ("newer version of DuckDB", "the file was made by a later DuckDB", "update duckdb"),
)


@contextmanager
def mapped_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn DuckDB's errors into ours; the only place that does.

    Args:
        path: the file, for the message.
        doing: what failed, such as ``appending to``.

    Raises:
        IntegrityError: DuckDB found damage.
        KeyboardInterrupt: DuckDB took it for its own.
        LogError: anything else.
    """
    try:
        yield
    except ReplayError:
        raise
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.Error, OSError, UnicodeError, RuntimeError) as error:
        if str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from None
        raise _translated(error, path, doing) from error


def _translated(error: Exception, path: Path, doing: str) -> ReplayError:
    text = str(error)
    line = text.split("\n", 1)[0][:300]
    if any(word in text for word in _DAMAGE) or isinstance(
        error, duckdb.SerializationException | UnicodeError
    ):
        return IntegrityError(
            f"the log is damaged: {line}",
            where=str(path),
            hint="keep the directory as it is and restore a copy",
        )
    for word, message, hint in _CAUSES:
        if word in text:
            text = f"{doing} the log failed: {message} ({line})"
            return LogError(text, where=str(path), hint=f"{hint}; what was acknowledged is safe")
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return IntegrityError(f"{doing} the log failed inside DuckDB: {line}", where=str(path))
    hint = "open the log again; what was acknowledged is safe"
    return LogError(f"{doing} the log failed: {line}", where=str(path), hint=hint)
