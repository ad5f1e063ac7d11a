"""What must exist in the account before the first load: the guide's section Setup, safe to run again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from snowflake.snowpark import Session

from tripcast import names
from tripcast.sources.formats import SCHEMAS

# what a trip is, from both layouts; USERTYPE is Subscriber or Customer in both
TRIPS_COLUMNS = """
    TRIPDURATION NUMBER(9, 0),
    STARTTIME TIMESTAMP_NTZ,
    STOPTIME TIMESTAMP_NTZ,
    START_STATION_ID VARCHAR,
    START_STATION_NAME VARCHAR,
    START_STATION_LATITUDE FLOAT,
    START_STATION_LONGITUDE FLOAT,
    END_STATION_ID VARCHAR,
    END_STATION_NAME VARCHAR,
    END_STATION_LATITUDE FLOAT,
    END_STATION_LONGITUDE FLOAT,
    BIKEID NUMBER(9, 0),
    USERTYPE VARCHAR,
    BIRTH_YEAR NUMBER(4, 0),
    GENDER NUMBER(1, 0),
    RIDE_ID VARCHAR,
    RIDEABLE_TYPE VARCHAR,
    MEMBER_CASUAL VARCHAR,
    SOURCE_FILE VARCHAR
"""
LOAD_FILES_COLUMNS = """
    SOURCE VARCHAR,
    MEMBER VARCHAR,
    FINGERPRINT VARCHAR,
    STATUS VARCHAR,
    SCHEMA_NUMBER NUMBER(1, 0),
    COLUMN_ORDER VARCHAR,
    STAGED_AS VARCHAR,
    LINES NUMBER(12, 0),
    BYTES NUMBER(15, 0),
    LEFT_OUT NUMBER(12, 0),
    NEW_TRIPS NUMBER(12, 0),
    CHANGED_AT TIMESTAMP_NTZ
"""
LOAD_ISSUES_COLUMNS = """
    SOURCE VARCHAR,
    MEMBER VARCHAR,
    LINE NUMBER(12, 0),
    KEPT BOOLEAN,
    REASON VARCHAR,
    TEXT VARCHAR
"""
RUNS_COLUMNS = """
    MODEL_ID VARCHAR,
    RUN_DATE DATE,
    KIND VARCHAR,
    MODEL VARCHAR,
    CUTOFF DATE,
    H NUMBER(4, 0),
    SEED NUMBER(18, 0),
    PARAMETERS VARIANT,
    STEPS VARCHAR,
    CODE_VERSION VARCHAR,
    DATA_FROM DATE,
    DATA_TO DATE,
    TRIPS NUMBER(12, 0),
    METRICS VARIANT,
    FORGOTTEN NUMBER(12, 0),
    RETRAINED_FROM VARCHAR,
    CREATED_AT TIMESTAMP_NTZ,
    FINISHED_AT TIMESTAMP_NTZ
"""
# hashes of rides that must not come back
FORGOTTEN_COLUMNS = """
    RIDE VARCHAR,
    FORGOTTEN_AT TIMESTAMP_NTZ
"""
DRIFT_COLUMNS = """
    MODEL_ID VARCHAR,
    RUN_DATE DATE,
    MODEL VARCHAR,
    DAY DATE,
    ACTUAL FLOAT,
    FORECAST FLOAT,
    SCORE FLOAT,
    STATISTIC FLOAT,
    THRESHOLD FLOAT,
    ALARM BOOLEAN,
    DIRECTION VARCHAR
"""


def set_up(session: Session, database: str = names.DATABASE, users: Sequence[str] = ()) -> dict[str, str]:
    """Makes roles, users, warehouses, grants, database, stages and the load's tables where they do not exist yet.

    Args:
        session: of a role that may use SECURITYADMIN, SYSADMIN and ACCOUNTADMIN.
        database: to make and then use.
        users: to make, members of the project's role; they must change their password at first login.

    Returns:
        the first password of each user that is new.
    """
    caller = session.get_current_role()
    session.use_role("SECURITYADMIN")
    _run(session, f"CREATE ROLE IF NOT EXISTS {names.ROLE} COMMENT = 'tripcast: load, train and forecast'")
    _run(session, f"GRANT ROLE {names.ROLE} TO ROLE SYSADMIN")
    passwords = {user: password for user in users if (password := _make_user(session, user))}
    session.use_role("SYSADMIN")
    _run(session, f"CREATE DATABASE IF NOT EXISTS {database}")
    session.use_role("ACCOUNTADMIN")
    for warehouse in names.WAREHOUSES.values():
        size = warehouse.split("_")[0]
        _run(
            session,
            f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} WITH WAREHOUSE_SIZE = '{size}' WAREHOUSE_TYPE = 'STANDARD' "
            "AUTO_SUSPEND = 300 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE",
        )
        _run(session, f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {names.ROLE}")
    _run(session, f"GRANT IMPORT SHARE ON ACCOUNT TO ROLE {names.ROLE}")
    _run(session, f"GRANT EXECUTE TASK ON ACCOUNT TO ROLE {names.ROLE}")
    _run(session, f"GRANT USAGE ON DATABASE {database} TO ROLE {names.ROLE}")
    # each run works in a schema of its own
    _run(session, f"GRANT CREATE SCHEMA ON DATABASE {database} TO ROLE {names.ROLE}")
    _run(session, f"GRANT ALL PRIVILEGES ON SCHEMA {database}.{names.SCHEMA} TO ROLE {names.ROLE}")
    if caller:
        session.use_role(caller)
    session.use_database(database)
    session.use_schema(names.SCHEMA)
    session.use_warehouse(names.WAREHOUSES["default_warehouse"])
    make_objects(session)
    _run(session, f"GRANT APPLY ON TAG {database}.{names.SCHEMA}.{names.MODEL_TAG} TO ROLE {names.ROLE}")
    for kind in ("TABLES", "STAGES", "FILE FORMATS"):
        for when in ("ALL", "FUTURE"):
            _run(
                session,
                f"GRANT ALL PRIVILEGES ON {when} {kind} IN SCHEMA {database}.{names.SCHEMA} TO ROLE {names.ROLE}",
            )
    return passwords


def make_objects(session: Session) -> None:
    """Makes the stages, the file format, the tables that are written to bit by bit and the tag in the current schema."""
    for stage in (names.LOAD_STAGE, names.MODEL_STAGE):
        _run(session, f"CREATE STAGE IF NOT EXISTS {stage}")
    # texts as they are: what stands for null is decided when trips are conformed
    _run(
        session,
        f"CREATE FILE FORMAT IF NOT EXISTS {names.CSV_FORMAT} TYPE = CSV COMPRESSION = GZIP SKIP_HEADER = 1 "
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = () EMPTY_FIELD_AS_NULL = TRUE",
    )
    for schema in SCHEMAS:
        columns = ", ".join(f"{column} VARCHAR" for column in schema.columns)
        _run(
            session,
            f"CREATE TABLE IF NOT EXISTS {schema.raw_table} ({columns}, SOURCE_FILE VARCHAR, SOURCE_ROW NUMBER(12, 0))",
        )
    for table, columns in (
        (names.TRIPS, TRIPS_COLUMNS),
        (names.LOAD_FILES, LOAD_FILES_COLUMNS),
        (names.LOAD_ISSUES, LOAD_ISSUES_COLUMNS),
        (names.RUNS, RUNS_COLUMNS),
        (names.FORGOTTEN, FORGOTTEN_COLUMNS),
        (names.DRIFT, DRIFT_COLUMNS),
    ):
        _run(session, f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    _run(session, f"CREATE TAG IF NOT EXISTS {names.MODEL_TAG} COMMENT = 'the run that made a table'")


def _make_user(session: Session, user: str) -> str | None:
    """Makes a user; answers the first password, None if the user was there."""
    if session.sql(f"SHOW USERS LIKE '{user}'").collect():
        return None
    password = secrets.token_urlsafe(12)
    _run(
        session,
        f"CREATE USER IF NOT EXISTS {user} PASSWORD = '{password}' LOGIN_NAME = '{user}' "
        f"DEFAULT_ROLE = '{names.ROLE}' DEFAULT_WAREHOUSE = '{names.WAREHOUSES['default_warehouse']}' "
        "MUST_CHANGE_PASSWORD = TRUE",
    )
    _run(session, f"GRANT ROLE {names.ROLE} TO USER {user}")
    return password


def _run(session: Session, statement: str) -> None:
    session.sql(statement).collect()
