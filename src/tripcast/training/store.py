"""Fitted models in the warehouse: their files in MODEL_STAGE, their rows in MODELS. Nothing of them comes to the client."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from datetime import date
from typing import Any

from snowflake.snowpark import DataFrame, Session
from snowflake.snowpark import functions as F

from tripcast import names
from tripcast.models import LEARNERS, Learner
from tripcast.models.base import parameters_of, with_parameters
from tripcast.training import code, tables

_FOLDER = "models"


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored model.

    Args:
        model_id: under which it is stored.
        learner: with the parameters that it was fitted with.
        cutoff: the last day that it was fitted on.
        seed: that it was fitted with.
        files: in MODEL_STAGE, one for each shard of stations.
    """

    model_id: str
    learner: Learner
    cutoff: date
    seed: int
    files: list[str]


def make_models(session: Session) -> None:
    """Makes the table MODELS where there is none."""
    tables.table(session, names.MODELS)


def check_id(model_id: str) -> str:
    """The id, if a stage's path and a table's name can hold it.

    Raises:
        ValueError: it has other than letters, digits and _.
    """
    if not re.fullmatch(r"\w+", model_id, re.ASCII):
        raise ValueError(f"a model_id has letters, digits and _ only, not {model_id!r}")
    return model_id


def save(
    session: Session, payloads: DataFrame, learner: Learner, model_id: str, cutoff: date, *, h: int, seed: int
) -> None:
    """Writes a fitted model to MODEL_STAGE, inside the warehouse, and its row to MODELS, in place of one of that id.

    Args:
        session: whose current schema has STATION_DAYS.
        payloads: SHARD, PIECE, PAYLOAD, see ``runner.Made``.
        learner, cutoff, seed: as fitted.
        model_id: to store under.
        h: days that it was asked for.

    Raises:
        RuntimeError: there is nothing to store: no station has a day up to the cutoff.
    """
    folder = f"{_FOLDER}/{check_id(model_id)}"
    shards = payloads.agg(F.count_distinct("SHARD")).collect()[0][0]
    if not shards:
        raise RuntimeError(f"{learner.name} has nothing to learn from: {names.FEATURES} has no day up to {cutoff}")
    temporary = f"TRIPCAST_PAYLOAD_{model_id}"
    payloads.select("SHARD", "PIECE", "PAYLOAD").write.save_as_table(
        temporary, mode="overwrite", table_type="temporary"
    )
    path = code.in_stage(session)
    name = code.function_name("save")
    session.sql(
        f"CREATE TEMPORARY PROCEDURE IF NOT EXISTS {name}(SOURCE VARCHAR, TARGET VARCHAR) RETURNS NUMBER LANGUAGE PYTHON "
        f"RUNTIME_VERSION = '{sys.version_info.major}.{sys.version_info.minor}' "
        f"PACKAGES = ('snowflake-snowpark-python', 'numpy', 'pandas') IMPORTS = ('{path}') "
        "HANDLER = 'tripcast.training.saving.save' EXECUTE AS CALLER"
    ).collect()
    session.sql(f"CALL {name}(?, ?)", params=[temporary, f"@{names.MODEL_STAGE}/{folder}"]).collect()
    session.table(temporary).drop_table()

    known = session.table(names.STATION_DAYS).filter(F.col("DAY") <= F.lit(cutoff))
    first, last, stations = known.agg(F.min("DAY"), F.max("DAY"), F.count_distinct("STATION_ID")).collect()[0]
    models = tables.table(session, names.MODELS)
    session.table(names.MODELS).delete(models["MODEL_ID"] == model_id)
    values: dict[str, Any] = {
        "MODEL_ID": F.lit(model_id),
        "MODEL": F.lit(learner.name),
        "CUTOFF": F.lit(cutoff),
        "H": F.lit(h),
        "SEED": F.lit(seed),
        "PARAMETERS": F.parse_json(F.lit(json.dumps(parameters_of(learner), sort_keys=True))),
        "CODE_VERSION": F.lit(code.archive()[1]),
        "DATA_FROM": F.lit(first),
        "DATA_TO": F.lit(last),
        "STATIONS": F.lit(stations),
        "STAGE_FILE": F.lit(folder),
        "SHARDS": F.lit(shards),
        "CHAMPION": F.lit(False),
        "CREATED_AT": F.current_timestamp().cast("TIMESTAMP_NTZ"),
    }
    listed = ", ".join(values)
    row = session.range(1).select(*(value.alias(name) for name, value in values.items()))
    row.create_or_replace_temp_view(view := f"TRIPCAST_MODEL_{model_id}")
    session.sql(f"INSERT INTO {names.MODELS} ({listed}) SELECT {listed} FROM {view}").collect()


def find(session: Session, model_id: str) -> Stored:
    """A stored model by its id.

    Raises:
        KeyError: there is none.
    """
    make_models(session)
    rows = session.table(names.MODELS).filter(F.col("MODEL_ID") == F.lit(model_id)).collect()
    if not rows:
        known = [row[0] for row in session.table(names.MODELS).select("MODEL_ID").sort("CREATED_AT").collect()]
        raise KeyError(f"there is no model {model_id!r}; there are {', '.join(known) or 'none'}")
    row = rows[0]
    learner = with_parameters(LEARNERS[row["MODEL"]], json.loads(row["PARAMETERS"] or "{}"))
    files = [f"{row['STAGE_FILE']}/{shard}" for shard in range(row["SHARDS"])]
    return Stored(model_id, learner, row["CUTOFF"], row["SEED"], files)


def remove(session: Session, model_id: str) -> None:
    """Deletes a stored model's files and its row."""
    session.sql(f"REMOVE @{names.MODEL_STAGE}/{_FOLDER}/{check_id(model_id)}/").collect()
    models = tables.table(session, names.MODELS)
    session.table(names.MODELS).delete(models["MODEL_ID"] == model_id)
