"""The procedure that writes fitted models from a table to the stage; runs inside the warehouse."""

from __future__ import annotations

import io

from snowflake.snowpark import Session

from tripcast.training.inside import joined


def save(session: Session, source: str, target: str) -> int:
    """Writes each shard's model to a file.

    Args:
        session: the procedure's.
        source: table of SHARD, PIECE, PAYLOAD.
        target: folder of a stage; the files are called 0, 1, ...

    Returns:
        bytes written.
    """
    pieces: dict[int, list[str]] = {}
    for row in session.table(source).sort("SHARD", "PIECE").collect():
        pieces.setdefault(int(row["SHARD"]), []).append(row["PAYLOAD"])
    total = 0
    for shard, texts in pieces.items():
        content = joined(texts)
        session.file.put_stream(io.BytesIO(content), f"{target}/{shard}", auto_compress=False, overwrite=True)
        total += len(content)
    return total
