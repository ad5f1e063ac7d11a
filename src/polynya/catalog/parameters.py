"""Session parameters: names, types, defaults (docs.snowflake.com/en/sql-reference/parameters)."""

from __future__ import annotations

from dataclasses import dataclass

from polynya.errors import invalid_value, unsupported

# The warehouse's own parameters: Snowflake has none for what they set.
PYTHON_MEMORY_MB = "POLYNYA_PYTHON_MEMORY_MB"
PYTHON_TIMEOUT_SECONDS = "POLYNYA_PYTHON_TIMEOUT_SECONDS"
PYTHON_PACKAGE_VERSIONS = "POLYNYA_PYTHON_PACKAGE_VERSIONS"
EVENT_TABLE = "snowflake.telemetry.events"
# From the most verbose one (docs.snowflake.com/en/sql-reference/parameters#log-level).
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter.

    Args:
        value: its default.
        description: what SHOW PARAMETERS says of it.
        choices: the words that it takes.
        least: the least number that it takes.
        fixed: another value than the default would change answers, and is refused as not supported.
    """

    value: bool | int | str
    description: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    fixed: bool = False

    @property
    def type(self) -> str:
        if isinstance(self.value, bool):
            return "BOOLEAN"
        return "NUMBER" if isinstance(self.value, int) else "STRING"


DEFAULTS: dict[str, Parameter] = {
    "ABORT_DETACHED_QUERY": Parameter(False),
    "AUTOCOMMIT": Parameter(True),
    "BINARY_INPUT_FORMAT": Parameter("HEX"),
    "BINARY_OUTPUT_FORMAT": Parameter("HEX"),
    "CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX": Parameter(False),
    "CLIENT_PREFETCH_THREADS": Parameter(4),
    "CLIENT_RESULT_CHUNK_SIZE": Parameter(160),
    "CLIENT_SESSION_KEEP_ALIVE": Parameter(False),
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": Parameter(3600),
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": Parameter(65280),
    # Nobody reads what clients would send.
    "CLIENT_TELEMETRY_ENABLED": Parameter(False),
    "DATE_INPUT_FORMAT": Parameter("AUTO"),
    "DATE_OUTPUT_FORMAT": Parameter("YYYY-MM-DD"),
    "ERROR_ON_NONDETERMINISTIC_MERGE": Parameter(True),
    "ERROR_ON_NONDETERMINISTIC_UPDATE": Parameter(False),
    "GEOGRAPHY_OUTPUT_FORMAT": Parameter("GeoJSON"),
    "GEOMETRY_OUTPUT_FORMAT": Parameter("GeoJSON"),
    "JDBC_QUERY_RESULT_FORMAT": Parameter("JSON"),
    "JSON_INDENT": Parameter(2),
    "LOCK_TIMEOUT": Parameter(43200),
    # OFF on Snowflake, where who pays for storing events decides to have them.
    "LOG_LEVEL": Parameter("INFO", "LOG_LEVEL to use when filtering events", choices=LOG_LEVELS),
    "MULTI_STATEMENT_COUNT": Parameter(1),
    PYTHON_MEMORY_MB: Parameter(4096, "Megabytes that a worker may hold while it runs a Python handler", least=256),
    PYTHON_PACKAGE_VERSIONS: Parameter(
        "STRICT",
        "Whether PACKAGES must fit what is installed (STRICT) or the installed versions are taken (INSTALLED)",
        choices=("STRICT", "INSTALLED"),
    ),
    PYTHON_TIMEOUT_SECONDS: Parameter(
        3600, "Seconds that a Python function may take for one batch of rows or one partition; 0 for no limit", least=0
    ),
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": Parameter("ARROW"),
    "PYTHON_CONNECTOR_USE_NANOARROW": Parameter(True),
    # What Snowflake tells Snowpark's client to do.
    "PYTHON_SNOWPARK_COMPILATION_STAGE_ENABLED": Parameter(True),
    "PYTHON_SNOWPARK_ELIMINATE_NUMERIC_SQL_VALUE_CAST_ENABLED": Parameter(True),
    "PYTHON_SNOWPARK_ENABLE_THREAD_SAFE_SESSION": Parameter(True),
    "QUERY_TAG": Parameter(""),
    "QUOTED_IDENTIFIERS_IGNORE_CASE": Parameter(False),
    "ROWS_PER_RESULTSET": Parameter(0, fixed=True),
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": Parameter(0),
    "STATEMENT_TIMEOUT_IN_SECONDS": Parameter(172800),
    "STRICT_JSON_OUTPUT": Parameter(False),
    "TIMEZONE": Parameter("America/Los_Angeles"),
    "TIME_INPUT_FORMAT": Parameter("AUTO"),
    "TIME_OUTPUT_FORMAT": Parameter("HH24:MI:SS"),
    "TIMESTAMP_DAY_IS_ALWAYS_24H": Parameter(False, fixed=True),
    "TIMESTAMP_INPUT_FORMAT": Parameter("AUTO"),
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": Parameter(""),
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": Parameter("YYYY-MM-DD HH24:MI:SS.FF3"),
    "TIMESTAMP_OUTPUT_FORMAT": Parameter("YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"),
    "TIMESTAMP_TYPE_MAPPING": Parameter("TIMESTAMP_NTZ"),
    "TIMESTAMP_TZ_OUTPUT_FORMAT": Parameter(""),
    "TRANSACTION_DEFAULT_ISOLATION_LEVEL": Parameter("READ COMMITTED"),
    "TWO_DIGIT_CENTURY_START": Parameter(1970),
    "UNSUPPORTED_DDL_ACTION": Parameter("ignore"),
    "USE_CACHED_RESULT": Parameter(True),
    "WEEK_OF_YEAR_POLICY": Parameter(0),
    "WEEK_START": Parameter(0),
}

# Parameters of databases, schemas, tables and the account rather than of sessions.
OBJECT_DEFAULTS: dict[str, Parameter] = {
    "CATALOG": Parameter("", "Name of the catalog integration to use for Iceberg tables"),
    "DATA_RETENTION_TIME_IN_DAYS": Parameter(1, "number of days to retain the old version of deleted/updated data"),
    "DEFAULT_DDL_COLLATION": Parameter(
        "", "Collation that is used for all the new columns created by the DDL statements", fixed=True
    ),
    "DEFAULT_PYTHON_ARTIFACT_REPOSITORY": Parameter("", "Default artifact repository of Python functions"),
    "ENABLE_CONSOLE_OUTPUT": Parameter(False, "Enables printing to the console of stored procedures"),
    "EXTERNAL_VOLUME": Parameter(
        "", "Name of an external volume that will be used for persisted Iceberg data and metadata"
    ),
    "EVENT_TABLE": Parameter(EVENT_TABLE, "Fully qualified name of the event table that events go to"),
    "LOG_LEVEL": Parameter("INFO", "LOG_LEVEL to use when filtering events"),
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": Parameter(
        14,
        "Maximum number of days to extend data retention beyond the retention period to prevent a stream becoming stale.",
    ),
    "MIN_DATA_RETENTION_TIME_IN_DAYS": Parameter(0, "Minimum number of days for which the account retains old data"),
    "METRIC_LEVEL": Parameter("NONE", "METRIC_LEVEL value to control whether to emit metrics to Event Table"),
    "NETWORK_POLICY": Parameter("", "Network policy assigned for the given target"),
    "QUOTED_IDENTIFIERS_IGNORE_CASE": Parameter(False, "If true, the case of quoted identifiers is ignored"),
    "REPLACE_INVALID_CHARACTERS": Parameter(False, "Replaces invalid characters in Iceberg tables and external tables"),
    "STORAGE_SERIALIZATION_POLICY": Parameter(
        "OPTIMIZED", "Storage serialization policy used for managed Iceberg table"
    ),
    "SUSPEND_TASK_AFTER_NUM_FAILURES": Parameter(
        10, "How many times a task must fail in a row before it is automatically suspended"
    ),
    "TRACE_LEVEL": Parameter("OFF", "Trace level value to use when generating/filtering trace events"),
    "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE": Parameter(
        "Medium", "The initial size of warehouse to use for managed warehouses"
    ),
    "USER_TASK_TIMEOUT_MS": Parameter(3600000, "Time, in milliseconds, set as the timeout for user tasks"),
}


def coerce(name: str, value: object) -> bool | int | str:
    """A parameter's value, in the parameter's own type, from what a client or a statement gives.

    Args:
        name: upper case; of an unknown one the value is taken as it is.
        value: text, number or boolean.

    Raises:
        SnowflakeError: 001008 if it cannot be that type; 000002 for a value that is not supported.
    """
    default = DEFAULTS.get(name)
    coerced = _coerced(name, value, default.type if default else "ANY")
    known = default or OBJECT_DEFAULTS.get(name)
    if known is not None and known.fixed and coerced != known.value:
        raise unsupported(f"{name} = {value}")
    if default is None:
        return coerced
    if default.choices:
        coerced = str(coerced).upper()
    if (default.choices and coerced not in default.choices) or (
        default.least is not None and isinstance(coerced, int) and coerced < default.least
    ):
        raise invalid_value(f"invalid value [{value}] for parameter '{name}'")
    return coerced


def _coerced(name: str, value: object, kind: str) -> bool | int | str:
    if kind == "BOOLEAN" and not isinstance(value, bool):
        word = str(value).strip().lower()
        if word not in ("true", "false", "1", "0", "on", "off", "yes", "no"):
            raise invalid_value(f"invalid value [{value}] for parameter '{name}'")
        return word in ("true", "1", "on", "yes")
    if kind == "NUMBER" and not isinstance(value, int):
        try:
            return int(str(value).strip())
        except ValueError:
            raise invalid_value(f"invalid value [{value}] for parameter '{name}'") from None
    if kind == "STRING":
        return str(value)
    return value if isinstance(value, (bool, int, str)) else str(value)
