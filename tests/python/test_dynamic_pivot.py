"""A dynamic PIVOT over a Python table function: its columns are known only once the function has run."""

from snowflake.snowpark import Session

BODY = """
class Pairs:
    def process(self, text):
        for pair in text.split(','):
            key, _, value = pair.partition('=')
            yield (key, int(value))
"""


def test_columns_come_from_the_function(session: Session) -> None:
    session.sql(
        "CREATE FUNCTION pairs(t VARCHAR) RETURNS TABLE (k VARCHAR, v INT) LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        f"HANDLER = 'Pairs' AS $${BODY}$$"
    ).collect()
    frame = session.sql(
        "SELECT * FROM (SELECT k, v FROM TABLE(pairs('a=1,b=2,a=3'))) PIVOT (SUM(v) FOR k IN (ANY ORDER BY k))"
    )
    assert frame.columns == ["\"'a'\"", "\"'b'\""]  # described before it runs
    assert [tuple(row) for row in frame.collect()] == [(4, 2)]
