"""The matrix of privileges: each kind of statement with exactly the privileges that it needs."""

from __future__ import annotations

from dataclasses import dataclass

# Placeholders of the statements: {d} database, {s} schema in it, {n} a number of the row's own.
HIDDEN, DENIED = 2003, 3001


@dataclass(frozen=True)
class Row:
    """One statement.

    Args:
        sql: what a role with exactly these privileges may do, and without any one of them may not.
        needs: ``SELECT ON TABLE {s}.t{n}``: given by GRANT to the role, which has USAGE on {d} and {s} besides;
            ``ROLE x`` is a role that it is granted.
        before: what the administrator does first.
        has: what the role has besides, so that it sees the object.
        code: of the error without a privilege, where it is neither that of a hidden object nor, if the role has another
            privilege on the object, that of a denied one.
        shows: the statement is refused to nobody, but lists this name only to who has the privileges.
    """

    sql: str
    needs: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    code: int | None = None
    shows: str = ""


T = "CREATE TABLE {s}.t{n} AS SELECT 1 AS a"
V = "CREATE VIEW {s}.v{n} AS SELECT 1 AS a"
U = "CREATE TABLE {s}.u{n} AS SELECT 2 AS a"
ON_T, ON_U, ON_V = "ON TABLE {s}.t{n}", "ON TABLE {s}.u{n}", "ON VIEW {s}.v{n}"
STAGE = "CREATE STAGE {s}.st{n}"
ON_STAGE = "ON STAGE {s}.st{n}"
FILES = (
    STAGE,
    "COPY INTO @{s}.st{n}/a.csv FROM (SELECT 1 AS a) SINGLE = TRUE FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE)",
)
F = "CREATE FUNCTION {s}.f{n}() RETURNS INT AS '1'"
P = "CREATE PROCEDURE {s}.p{n}() RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'"
ON_F, ON_P = "ON FUNCTION {s}.f{n}()", "ON PROCEDURE {s}.p{n}()"
DT = "CREATE DYNAMIC TABLE {s}.dt{n} TARGET_LAG = '1 day' WAREHOUSE = compute_wh AS SELECT 1 AS a"
ON_DT = "ON DYNAMIC TABLE {s}.dt{n}"
UNKNOWN_FUNCTION, NO_USE, TAKEN, NOT_GRANTED = 2140, 2043, 3041, 3011

QUERIES = [
    Row("SELECT * FROM {s}.t{n}", (f"SELECT {ON_T}",), (T,)),
    Row("SELECT * FROM {s}.t{n}", (f"SELECT {ON_T}",), (T,), (f"INSERT {ON_T}",)),
    Row("SELECT * FROM {s}.v{n}", (f"SELECT {ON_V}",), (V,)),
    Row("SELECT * FROM {s}.t{n} JOIN {s}.u{n} USING (a)", (f"SELECT {ON_T}", f"SELECT {ON_U}"), (T, U)),
    Row("SELECT (SELECT max(a) FROM {s}.u{n}) FROM {s}.t{n}", (f"SELECT {ON_T}", f"SELECT {ON_U}"), (T, U)),
    Row("SELECT * FROM {s}.t{n} AT (OFFSET => 0)", (f"SELECT {ON_T}",), (T,)),
    Row("SELECT * FROM TABLE('{s}.t{n}')", (f"SELECT {ON_T}",), (T,)),
    Row("SELECT * FROM IDENTIFIER('{s}.t{n}')", (f"SELECT {ON_T}",), (T,)),
    Row("WITH x AS (SELECT * FROM {s}.t{n}) SELECT * FROM x", (f"SELECT {ON_T}",), (T,)),
    Row("EXPLAIN SELECT * FROM {s}.t{n}", (f"SELECT {ON_T}",), (T,)),
    Row("SELECT {s}.q{n}.NEXTVAL", ("USAGE ON SEQUENCE {s}.q{n}",), ("CREATE SEQUENCE {s}.q{n}",)),
    Row("SELECT {s}.f{n}()", (f"USAGE {ON_F}",), (F,), code=UNKNOWN_FUNCTION),
    Row("CALL {s}.p{n}()", (f"USAGE {ON_P}",), (P,), code=UNKNOWN_FUNCTION),
    Row("SELECT $1 FROM @{s}.st{n}", (f"READ {ON_STAGE}",), FILES),
    Row(
        "SELECT $1 FROM @{s}.st{n} (FILE_FORMAT => '{s}.ff{n}')",
        (f"READ {ON_STAGE}", "USAGE ON FILE FORMAT {s}.ff{n}"), (*FILES, "CREATE FILE FORMAT {s}.ff{n} TYPE = CSV"),
    ),
    Row("SELECT GET_DDL('TABLE', '{s}.t{n}')", (f"REFERENCES {ON_T}",), (T,)),
    Row("SELECT SYSTEM$REFERENCE('TABLE', '{s}.t{n}')", (f"SELECT {ON_T}",), (T,)),
    Row("SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.ROLES", ("IMPORTED PRIVILEGES ON DATABASE SNOWFLAKE",)),
    Row(
        "SELECT table_name FROM {d}.INFORMATION_SCHEMA.TABLES WHERE table_name = 'T{n}'", (f"INSERT {ON_T}",), (T,),
        shows="T{n}",
    ),
    Row(
        "SELECT function_name FROM {d}.INFORMATION_SCHEMA.FUNCTIONS", (f"USAGE {ON_F}",), (F,), shows="F{n}",
    ),
]  # fmt: skip

CHANGES = [
    Row("INSERT INTO {s}.t{n} VALUES (2)", (f"INSERT {ON_T}",), (T,)),
    Row("INSERT INTO {s}.t{n} SELECT a FROM {s}.u{n}", (f"INSERT {ON_T}", f"SELECT {ON_U}"), (T, U)),
    Row("INSERT OVERWRITE INTO {s}.t{n} VALUES (2)", (f"INSERT {ON_T}", f"DELETE {ON_T}"), (T,)),
    Row("INSERT ALL INTO {s}.t{n} INTO {s}.u{n} SELECT 1", (f"INSERT {ON_T}", f"INSERT {ON_U}"), (T, U)),
    Row("UPDATE {s}.t{n} SET a = 2", (f"UPDATE {ON_T}", f"SELECT {ON_T}"), (T,)),
    Row("DELETE FROM {s}.t{n}", (f"DELETE {ON_T}", f"SELECT {ON_T}"), (T,)),
    Row(
        "MERGE INTO {s}.t{n} t USING {s}.u{n} u ON t.a = u.a WHEN MATCHED THEN UPDATE SET a = 3 "
        "WHEN NOT MATCHED THEN INSERT VALUES (u.a)",
        (f"SELECT {ON_T}", f"UPDATE {ON_T}", f"INSERT {ON_T}", f"SELECT {ON_U}"), (T, U),
    ),
    Row("MERGE INTO {s}.t{n} t USING (SELECT 1 AS a) u ON t.a = u.a WHEN MATCHED THEN DELETE", (f"SELECT {ON_T}", f"DELETE {ON_T}"), (T,)),
    Row("TRUNCATE TABLE {s}.t{n}", (f"TRUNCATE {ON_T}",), (T,)),
    Row("TRUNCATE {s}.t{n}", (f"DELETE {ON_T}",), (T,)),
    Row(
        "COPY INTO {s}.t{n} FROM @{s}.st{n} FILE_FORMAT = (TYPE = CSV)", (f"INSERT {ON_T}", f"READ {ON_STAGE}"), (T, *FILES),
    ),
    Row("COPY INTO {s}.t{n} FROM @{s}.%t{n}", (f"OWNERSHIP {ON_T}",), (T,), code=2003),
    Row("COPY INTO @{s}.st{n}/b FROM {s}.t{n}", (f"SELECT {ON_T}", f"WRITE {ON_STAGE}"), (T, STAGE)),
    Row(
        "COPY FILES INTO @{s}.to{n} FROM @{s}.st{n}", (f"READ {ON_STAGE}", "WRITE ON STAGE {s}.to{n}"),
        (*FILES, "CREATE STAGE {s}.to{n}"),
    ),
    Row("LIST @{s}.st{n}", (f"READ {ON_STAGE}",), FILES),
    Row("LS @{s}.%t{n}", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("REMOVE @{s}.st{n}", (f"WRITE {ON_STAGE}",), FILES),
    Row("PUT file://{put} @{s}.st{n}", (f"WRITE {ON_STAGE}",), (STAGE,)),
    Row("GET @{s}.st{n} file://{get}", (f"READ {ON_STAGE}",), FILES),
    Row("EXECUTE IMMEDIATE 'DELETE FROM {s}.t{n}'", (f"DELETE {ON_T}", f"SELECT {ON_T}"), (T,)),
    Row("BEGIN INSERT INTO {s}.t{n} VALUES (1); END", (f"INSERT {ON_T}",), (T,)),
    Row(
        "WITH p AS PROCEDURE () RETURNS INT LANGUAGE SQL AS 'BEGIN INSERT INTO {s}.t{n} VALUES (1); RETURN 1; END' CALL p()",
        (f"INSERT {ON_T}",), (T,),
    ),
]  # fmt: skip

TABLES = [
    Row("CREATE TABLE {s}.n{n} (a INT)", ("CREATE TABLE ON SCHEMA {s}",)),
    Row("CREATE TABLE IF NOT EXISTS {s}.t{n} (a INT)", ("CREATE TABLE ON SCHEMA {s}",), (T,)),
    Row("CREATE OR REPLACE TABLE {s}.t{n} (a INT)", ("CREATE TABLE ON SCHEMA {s}", f"OWNERSHIP {ON_T}"), (T,), (f"INSERT {ON_T}",)),
    Row("CREATE OR REPLACE TABLE {s}.t{n} (a INT)", (f"OWNERSHIP {ON_T}",), (T,), ("CREATE TABLE ON SCHEMA {s}",), code=TAKEN),
    Row("CREATE TABLE {s}.n{n} AS SELECT * FROM {s}.t{n}", ("CREATE TABLE ON SCHEMA {s}", f"SELECT {ON_T}"), (T,)),
    Row("CREATE TABLE {s}.n{n} LIKE {s}.t{n}", ("CREATE TABLE ON SCHEMA {s}", f"SELECT {ON_T}"), (T,)),
    Row("CREATE TABLE {s}.n{n} CLONE {s}.t{n}", ("CREATE TABLE ON SCHEMA {s}", f"SELECT {ON_T}"), (T,)),
    Row("CREATE TABLE {s}.n{n} (a INT REFERENCES {s}.t{n} (a))", ("CREATE TABLE ON SCHEMA {s}", f"REFERENCES {ON_T}"), (T,), (f"SELECT {ON_T}",)),
    Row("CREATE TEMPORARY TABLE {s}.n{n} AS SELECT * FROM {s}.t{n}", (f"SELECT {ON_T}",), (T,)),
    Row("ALTER TABLE {s}.t{n} ADD COLUMN b INT", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("ALTER TABLE {s}.t{n} RENAME TO {s}.n{n}", (f"OWNERSHIP {ON_T}", "CREATE TABLE ON SCHEMA {s}"), (T,)),
    Row("ALTER TABLE {s}.t{n} SWAP WITH {s}.u{n}", (f"OWNERSHIP {ON_T}", f"OWNERSHIP {ON_U}"), (T, U)),
    Row("ALTER TABLE {s}.t{n} SET TAG {s}.tg{n} = 'x'", (f"OWNERSHIP {ON_T}", "APPLY ON TAG {s}.tg{n}"), (T, "CREATE TAG {s}.tg{n}")),
    Row("ALTER TABLE {s}.t{n} SET TAG {s}.tg{n} = 'x'", ("APPLY TAG ON ACCOUNT",), (T, "CREATE TAG {s}.tg{n}"), (f"REFERENCES {ON_T}", "READ ON TAG {s}.tg{n}")),
    Row("COMMENT ON TABLE {s}.t{n} IS 'x'", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("COMMENT ON COLUMN {s}.t{n}.a IS 'x'", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("DROP TABLE {s}.t{n}", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("DESCRIBE TABLE {s}.t{n}", (f"REFERENCES {ON_T}",), (T,)),
    Row("SHOW TABLES IN SCHEMA {s}", (f"INSERT {ON_T}",), (T,), shows="T{n}"),
    Row("SHOW OBJECTS IN SCHEMA {s}", (f"INSERT {ON_T}",), (T,), shows="T{n}"),
    Row("SHOW COLUMNS IN SCHEMA {s}", (f"INSERT {ON_T}",), (T,), shows="T{n}"),
    Row("SHOW COLUMNS IN TABLE {s}.t{n}", (f"INSERT {ON_T}",), (T,)),
    Row("SHOW PRIMARY KEYS IN SCHEMA {s}", (f"INSERT {ON_T}",), ("CREATE TABLE {s}.t{n} (a INT PRIMARY KEY)",), shows="T{n}"),
    Row("SHOW UNIQUE KEYS IN SCHEMA {s}", (f"INSERT {ON_T}",), ("CREATE TABLE {s}.t{n} (a INT UNIQUE)",), shows="T{n}"),
    Row("SHOW IMPORTED KEYS IN TABLE {s}.t{n}", (f"INSERT {ON_T}",), (T,)),
    Row("SHOW EXPORTED KEYS IN TABLE {s}.t{n}", (f"INSERT {ON_T}",), (T,)),
    Row("SHOW AS RESOURCE TABLES IN SCHEMA {s}", (f"INSERT {ON_T}",), (T,), shows="T{n}"),
    Row("DESCRIBE AS RESOURCE TABLE {s}.t{n}", (f"INSERT {ON_T}",), (T,)),
    Row("CREATE VIEW {s}.n{n} AS SELECT * FROM {s}.t{n}", ("CREATE VIEW ON SCHEMA {s}", f"SELECT {ON_T}"), (T,)),
    Row("ALTER VIEW {s}.v{n} SET COMMENT = 'x'", (f"OWNERSHIP {ON_V}",), (V,)),
    Row("ALTER VIEW {s}.v{n} RENAME TO {s}.n{n}", (f"OWNERSHIP {ON_V}", "CREATE VIEW ON SCHEMA {s}"), (V,)),
    Row("DROP VIEW {s}.v{n}", (f"OWNERSHIP {ON_V}",), (V,)),
    Row("DESCRIBE VIEW {s}.v{n}", (f"REFERENCES {ON_V}",), (V,)),
    Row("SHOW VIEWS IN SCHEMA {s}", (f"REFERENCES {ON_V}",), (V,), shows="V{n}"),
    Row(
        "CREATE DYNAMIC TABLE {s}.n{n} TARGET_LAG = '1 day' WAREHOUSE = compute_wh AS SELECT * FROM {s}.t{n}",
        ("CREATE DYNAMIC TABLE ON SCHEMA {s}", f"SELECT {ON_T}"), (T,),
    ),
    Row("ALTER DYNAMIC TABLE {s}.dt{n} REFRESH", (f"OPERATE {ON_DT}",), (DT,)),
    Row("ALTER DYNAMIC TABLE {s}.dt{n} SET COMMENT = 'x'", (f"OWNERSHIP {ON_DT}",), (DT,)),
    Row("DROP DYNAMIC TABLE {s}.dt{n}", (f"OWNERSHIP {ON_DT}",), (DT,)),
    Row("DESCRIBE DYNAMIC TABLE {s}.dt{n}", (f"MONITOR {ON_DT}",), (DT,)),
    Row("SHOW DYNAMIC TABLES IN SCHEMA {s}", (f"MONITOR {ON_DT}",), (DT,), shows="DT{n}"),
    Row("UNDROP DYNAMIC TABLE {s}.dt{n}", ("ROLE ACCOUNTADMIN",), (DT, "DROP DYNAMIC TABLE {s}.dt{n}"), code=0),
    Row("UNDROP TABLE {s}.t{n}", ("ROLE ACCOUNTADMIN",), (T, "DROP TABLE {s}.t{n}"), code=0),
]  # fmt: skip


def life(
    kind: str,
    create: str,
    privilege: str = "USAGE",
    plural: str = "",
    written: str = "",
    signature: str = "",
    alter: str = "SET COMMENT = 'x'",
    place: str = "SCHEMA {s}",
) -> list[Row]:
    """CREATE, ALTER, DROP, DESCRIBE and SHOW of a kind.

    Args:
        kind: as GRANT names it.
        create: what follows the name in CREATE.
        privilege: one that its holder needs not own it for, by which it is seen.
        plural: as SHOW names it.
        written: kind as its own statements name it, if otherwise.
        signature: of a routine.
        alter: what follows the name in ALTER.
        place: on what CREATE is granted.
    """
    word = written or kind
    name = "x{n}" if place == "ACCOUNT" else "{d}.x{n}" if place.startswith("DATABASE") else "{s}.x{n}"
    made = f"CREATE {word} {name}{signature} {create}"
    owned = f"OWNERSHIP ON {kind} {name}{signature}"
    where = {"SCHEMA {s}": " IN SCHEMA {s}", "DATABASE {d}": " IN DATABASE {d}"}.get(place, "")
    plural = plural or f"{word}S"
    return [
        Row(made, (f"CREATE {kind} ON {place}",)),
        Row(f"ALTER {word} {name}{signature} {alter}", (owned,), (made,)),
        Row(f"DROP {word} {name}{signature}", (owned,), (made,)),
        Row(f"DESCRIBE {word} {name}{signature}", (f"{privilege} ON {kind} {name}{signature}",), (made,)),
        Row(f"SHOW {plural}{where}", (f"{privilege} ON {kind} {name}{signature}",), (made,), shows="X{n}"),
    ]  # fmt: skip


KINDS = [
    *life("SEQUENCE", ""),
    *life("STAGE", "", "READ"),
    *life("FILE FORMAT", "TYPE = CSV"),
    *life("FUNCTION", "RETURNS INT AS '1'", signature="()"),
    *life("PROCEDURE", "RETURNS INT LANGUAGE SQL AS 'BEGIN RETURN 1; END'", signature="()"),
    Row("DROP AGGREGATE FUNCTION {s}.f{n}()", (f"OWNERSHIP {ON_F}",), (F,)),
    Row("SHOW USER FUNCTIONS IN SCHEMA {s}", (f"USAGE {ON_F}",), (F,), shows="F{n}"),
    Row("SHOW AGGREGATE FUNCTIONS IN SCHEMA {s}"),
    Row("SHOW USER PROCEDURES IN SCHEMA {s}", (f"USAGE {ON_P}",), (P,), shows="P{n}"),
    *life("TAG", "", "APPLY"),
    *life("SECRET", "TYPE = GENERIC_STRING SECRET_STRING = 'x'", "READ"),
    *life("NETWORK RULE", "TYPE = HOST_PORT MODE = EGRESS VALUE_LIST = ('example.com')"),
    *life("IMAGE REPOSITORY", "", "READ", "IMAGE REPOSITORIES"),
    *life("ARTIFACT REPOSITORY", "TYPE = PIP", "USAGE", "ARTIFACT REPOSITORIES"),
    *life("EVENT TABLE", "", "SELECT"),
    *life("MASKING POLICY", "AS (v INT) RETURNS INT -> v", "APPLY", "MASKING POLICIES"),
    *life("ROW ACCESS POLICY", "AS (v INT) RETURNS BOOLEAN -> TRUE", "APPLY", "ROW ACCESS POLICIES"),
    *life("DATABASE", "", "MONITOR", place="ACCOUNT"),
    *life("SCHEMA", "", "MONITOR", place="DATABASE {d}"),
    *life("WAREHOUSE", "INITIALLY_SUSPENDED = TRUE", "MONITOR", place="ACCOUNT"),
    *life("NETWORK POLICY", "ALLOWED_IP_LIST = ('0.0.0.0/0')", "USAGE", "NETWORK POLICIES", place="ACCOUNT"),
    *life("COMPUTE POOL", "MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS", place="ACCOUNT"),
    *life("RESOURCE MONITOR", "WITH CREDIT_QUOTA = 1", "MONITOR", alter="SET CREDIT_QUOTA = 2", place="ACCOUNT"),
    *(
        row
        for kind in ("API", "STORAGE", "NOTIFICATION", "SECURITY", "EXTERNAL ACCESS")
        for row in life("INTEGRATION", "ENABLED = TRUE", written=f"{kind} INTEGRATION", place="ACCOUNT")
    ),
    *life("INTEGRATION", "ENABLED = TRUE", place="ACCOUNT"),
]  # fmt: skip

ROLE, USER, SHARE = "CREATE ROLE xr{n}", "CREATE USER xu{n}", "CREATE SHARE xs{n}"
ON_ROLE, ON_USER = "ON ROLE xr{n}", "ON USER xu{n}"
DB, SC = "CREATE DATABASE xd{n}", "CREATE SCHEMA {d}.xc{n}"
ON_DB, ON_SC = "ON DATABASE xd{n}", "ON SCHEMA {d}.xc{n}"
DBR = "CREATE DATABASE ROLE {d}.xb{n}"

ACCOUNT = [
    Row("CREATE USER xu{n}", ("CREATE USER ON ACCOUNT",)),
    Row("ALTER USER xu{n} SET COMMENT = 'x'", (f"OWNERSHIP {ON_USER}",), (USER,), code=DENIED),
    Row("DROP USER xu{n}", (f"OWNERSHIP {ON_USER}",), (USER,), code=DENIED),
    Row("DESCRIBE USER xu{n}", (f"OWNERSHIP {ON_USER}",), (USER,), code=DENIED),
    Row("SHOW USERS", (f"MONITOR {ON_USER}",), (USER,), shows="XU{n}"),
    Row("SHOW PARAMETERS IN USER xu{n}", (f"MONITOR {ON_USER}",), (USER,), code=DENIED),
    Row("CREATE ROLE xr{n}", ("CREATE ROLE ON ACCOUNT",)),
    Row("ALTER ROLE xr{n} SET COMMENT = 'x'", (f"OWNERSHIP {ON_ROLE}",), (ROLE,), code=DENIED),
    Row("DROP ROLE xr{n}", (f"OWNERSHIP {ON_ROLE}",), (ROLE,), code=DENIED),
    Row("GRANT ROLE xr{n} TO ROLE PUBLIC", (f"OWNERSHIP {ON_ROLE}",), (ROLE,), code=DENIED),
    Row("GRANT ROLE xr{n} TO ROLE PUBLIC", ("MANAGE GRANTS ON ACCOUNT",), (ROLE,)),
    Row("GRANT ROLE ACCOUNTADMIN TO ROLE xr{n}", ("ROLE ACCOUNTADMIN",), (ROLE,), code=DENIED),
    Row("REVOKE ROLE xr{n} FROM ROLE sysadmin", (f"OWNERSHIP {ON_ROLE}",), (ROLE, "GRANT ROLE xr{n} TO ROLE sysadmin"), code=DENIED),
    Row("CREATE DATABASE ROLE {d}.xb{n}", ("CREATE DATABASE ROLE ON DATABASE {d}",)),
    Row("ALTER DATABASE ROLE {d}.xb{n} SET COMMENT = 'x'", ("OWNERSHIP ON DATABASE ROLE {d}.xb{n}",), (DBR,)),
    Row("DROP DATABASE ROLE {d}.xb{n}", ("OWNERSHIP ON DATABASE ROLE {d}.xb{n}",), (DBR,)),
    Row("SHOW DATABASE ROLES IN DATABASE {d}", ("OWNERSHIP ON DATABASE ROLE {d}.xb{n}",), (DBR,), shows="XB{n}"),
    Row("GRANT DATABASE ROLE {d}.xb{n} TO ROLE sysadmin", ("OWNERSHIP ON DATABASE ROLE {d}.xb{n}",), (DBR,)),
    Row("CREATE SHARE xs{n}", ("CREATE SHARE ON ACCOUNT",)),
    Row("ALTER SHARE xs{n} SET COMMENT = 'x'", ("OWNERSHIP ON SHARE xs{n}",), (SHARE,)),
    Row("DROP SHARE xs{n}", ("OWNERSHIP ON SHARE xs{n}",), (SHARE,)),
    Row("DESCRIBE SHARE xs{n}", ("OWNERSHIP ON SHARE xs{n}",), (SHARE,)),
    Row("SHOW SHARES", ("OWNERSHIP ON SHARE xs{n}",), (SHARE,), shows="XS{n}"),
    Row("GRANT USAGE ON DATABASE xd{n} TO SHARE xs{n}", ("OWNERSHIP ON SHARE xs{n}", f"OWNERSHIP {ON_DB}"), (SHARE, DB)),
    Row("ALTER ACCOUNT SET TIMEZONE = 'America/Los_Angeles'", ("ROLE ACCOUNTADMIN",), code=DENIED),
    Row("GRANT CREATE DATABASE ON ACCOUNT TO ROLE xr{n}", ("MANAGE GRANTS ON ACCOUNT",), (ROLE,)),
    Row("SHOW GRANTS TO ROLE xr{n}", (f"OWNERSHIP {ON_ROLE}",), (ROLE,), code=DENIED),
    Row("SHOW GRANTS OF ROLE xr{n}", (f"OWNERSHIP {ON_ROLE}",), (ROLE,), code=DENIED),
    Row("SHOW GRANTS TO USER xu{n}", (f"OWNERSHIP {ON_USER}",), (USER,), code=DENIED),
    Row("SHOW GRANTS ON TABLE {s}.t{n}", (f"INSERT {ON_T}",), (T,)),
    Row("SHOW FUTURE GRANTS IN SCHEMA {d}.xc{n}", (f"OWNERSHIP {ON_SC}",), (SC, "GRANT SELECT ON FUTURE TABLES IN SCHEMA {d}.xc{n} TO ROLE sysadmin")),
    Row("ALTER WAREHOUSE xw{n} SET COMMENT = 'x'", ("MODIFY ON WAREHOUSE xw{n}",), ("CREATE WAREHOUSE xw{n}",)),
    Row("ALTER WAREHOUSE xw{n} SUSPEND", ("OPERATE ON WAREHOUSE xw{n}",), ("CREATE WAREHOUSE xw{n}",)),
    Row("ALTER WAREHOUSE xw{n} SUSPEND", ("MANAGE WAREHOUSES ON ACCOUNT",), ("CREATE WAREHOUSE xw{n}",), ("MONITOR ON WAREHOUSE xw{n}",), code=DENIED),
]  # fmt: skip

CONTAINERS = [
    Row("CREATE DATABASE n{n} CLONE xd{n}", ("CREATE DATABASE ON ACCOUNT", f"USAGE {ON_DB}"), (DB,)),
    Row("ALTER DATABASE xd{n} SET COMMENT = 'x'", (f"MODIFY {ON_DB}",), (DB,)),
    Row("ALTER DATABASE xd{n} RENAME TO n{n}", (f"OWNERSHIP {ON_DB}", "CREATE DATABASE ON ACCOUNT"), (DB,)),
    Row("UNDROP DATABASE xd{n}", ("ROLE ACCOUNTADMIN",), (DB, "DROP DATABASE xd{n}"), code=0),
    Row("CREATE SCHEMA {d}.n{n} CLONE {d}.xc{n}", ("CREATE SCHEMA ON DATABASE {d}", f"USAGE {ON_SC}"), (SC,)),
    Row("ALTER SCHEMA {d}.xc{n} SET COMMENT = 'x'", (f"MODIFY {ON_SC}",), (SC,)),
    Row("ALTER SCHEMA {d}.xc{n} RENAME TO {d}.n{n}", (f"OWNERSHIP {ON_SC}", "CREATE SCHEMA ON DATABASE {d}"), (SC,)),
    Row("ALTER SCHEMA {d}.xc{n} ENABLE MANAGED ACCESS", (f"OWNERSHIP {ON_SC}", "MANAGE GRANTS ON ACCOUNT"), (SC,), code=0),
    Row("UNDROP SCHEMA {d}.xc{n}", ("ROLE ACCOUNTADMIN",), (SC, "DROP SCHEMA {d}.xc{n}"), code=0),
    Row("UNDROP TAG {s}.tg{n}", ("ROLE ACCOUNTADMIN",), ("CREATE TAG {s}.tg{n}", "DROP TAG {s}.tg{n}"), code=0),
    Row("USE DATABASE xd{n}", (f"USAGE {ON_DB}",), (DB,), code=NO_USE),
    Row("USE SCHEMA {d}.xc{n}", (f"USAGE {ON_SC}",), (SC,), code=NO_USE),
    Row("USE WAREHOUSE xw{n}", ("USAGE ON WAREHOUSE xw{n}",), ("CREATE WAREHOUSE xw{n}",), code=NO_USE),
    Row("SHOW PARAMETERS IN DATABASE xd{n}", (f"USAGE {ON_DB}",), (DB,)),
    Row("SHOW GRANTS ON DATABASE xd{n}", (f"USAGE {ON_DB}",), (DB,)),
]  # fmt: skip

GRANTS = [
    Row("GRANT SELECT ON TABLE {s}.t{n} TO ROLE sysadmin", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("GRANT SELECT ON TABLE {s}.t{n} TO ROLE sysadmin", (f"SELECT {ON_T} WITH GRANT OPTION",), (T,), (f"INSERT {ON_T}",), NOT_GRANTED),
    Row("GRANT SELECT ON TABLE {s}.t{n} TO ROLE sysadmin", ("MANAGE GRANTS ON ACCOUNT",), (T,), code=HIDDEN),
    Row("REVOKE SELECT ON TABLE {s}.t{n} FROM ROLE sysadmin", (f"OWNERSHIP {ON_T}",), (T, "GRANT SELECT ON TABLE {s}.t{n} TO ROLE sysadmin")),
    Row("GRANT OWNERSHIP ON TABLE {s}.t{n} TO ROLE sysadmin", (f"OWNERSHIP {ON_T}",), (T,)),
    Row("GRANT SELECT ON FUTURE TABLES IN SCHEMA {d}.xc{n} TO ROLE sysadmin", ("MANAGE GRANTS ON ACCOUNT",), (SC,), (f"USAGE {ON_SC}",)),
    Row("GRANT SELECT ON ALL TABLES IN SCHEMA {d}.xc{n} TO ROLE sysadmin", ("OWNERSHIP ON TABLE {d}.xc{n}.y", f"USAGE {ON_SC}"), (SC, "CREATE TABLE {d}.xc{n}.y (a INT)"), code=0),
]  # fmt: skip

# The grantee of a table that others see: INSERT makes the table visible, so what is refused is refused as such.
VISIBLE = [
    Row(row.sql, row.needs, row.before, (*row.has, f"INSERT {ON_T}"))
    for row in TABLES
    if row.needs == (f"OWNERSHIP {ON_T}",)
]

STREAMS = [
    Row("CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}", ("CREATE STREAM ON SCHEMA {s}", f"SELECT {ON_T}"), (T,)),
    Row("SELECT a FROM {s}.xm{n}", ("SELECT ON STREAM {s}.xm{n}", f"SELECT {ON_T}"), (T, "CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}"), code=0),
    Row("ALTER STREAM {s}.xm{n} SET COMMENT = 'x'", ("OWNERSHIP ON STREAM {s}.xm{n}",), (T, "CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}")),
    Row("DROP STREAM {s}.xm{n}", ("OWNERSHIP ON STREAM {s}.xm{n}",), (T, "CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}")),
    Row("DESCRIBE STREAM {s}.xm{n}", ("SELECT ON STREAM {s}.xm{n}",), (T, "CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}")),
    Row("SHOW STREAMS IN SCHEMA {s}", ("SELECT ON STREAM {s}.xm{n}",), (T, "CREATE STREAM {s}.xm{n} ON TABLE {s}.t{n}"), shows="XM{n}"),
]  # fmt: skip

TASK = "CREATE TASK {s}.xk{n} WAREHOUSE = compute_wh AS SELECT 1"
ON_TASK = "ON TASK {s}.xk{n}"

TASKS = [
    Row(TASK, ("CREATE TASK ON SCHEMA {s}",)),
    Row("ALTER TASK {s}.xk{n} SET COMMENT = 'x'", (f"OWNERSHIP {ON_TASK}",), (TASK,)),
    Row("ALTER TASK {s}.xk{n} SUSPEND", (f"OPERATE {ON_TASK}",), (TASK,)),
    Row("EXECUTE TASK {s}.xk{n}", (f"OPERATE {ON_TASK}",), (TASK,)),
    Row("DROP TASK {s}.xk{n}", (f"OWNERSHIP {ON_TASK}",), (TASK,)),
    Row("DESCRIBE TASK {s}.xk{n}", (f"MONITOR {ON_TASK}",), (TASK,)),
    Row("SHOW TASKS IN SCHEMA {s}", (f"MONITOR {ON_TASK}",), (TASK,), shows="XK{n}"),
]  # fmt: skip

ROWS = [*QUERIES, *CHANGES, *TABLES, *KINDS, *ACCOUNT, *CONTAINERS, *GRANTS, *VISIBLE, *STREAMS, *TASKS]

# Statements that anyone may give: what they touch is the session's own, or is asked for where it is used.
FREE = {
    "ALTER SESSION": "the session's own parameters",
    "SET": "the session's own variables",
    "UNSET": "the session's own variables",
    "SHOW VARIABLES": "the session's own variables",
    "SHOW TRANSACTIONS": "the session's own transaction",
    "DESCRIBE RESULT": "results are readable by the user who ran the query (test_others)",
    "SHOW ROLES": "names of roles are no secret: whoever grants must know them",
    "SHOW USER PATS": "users see their own tokens (tests of access tokens)",
    "SHOW USER PROGRAMMATIC ACCESS": "users see their own tokens (tests of access tokens)",
}
