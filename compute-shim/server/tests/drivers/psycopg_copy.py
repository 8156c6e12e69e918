"""psycopg 3: COPY in and out, as text, csv and binary, rows by rows and in blocks."""
import datetime
import decimal
import sys
import psycopg

COLUMNS = ["int4", "text", "numeric", "timestamptz", "bool", "bytea", "int4[]"]
NOON = datetime.datetime(2024, 5, 6, 12, tzinfo=datetime.timezone.utc)
ROWS = [
    (1, "one", decimal.Decimal("1.50"), NOON, True, b"\x00\xff", [1, 2]),
    (2, None, None, None, None, None, None),
    (3, 'tab\t"quote"\nline', decimal.Decimal("-0.001"), NOON, False, b"", []),
]

with psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres") as connection:
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute(
        "CREATE TABLE t (i int PRIMARY KEY, s text, n numeric, d timestamptz, b bool, y bytea, a int[])")
    for form in ("", "(FORMAT binary)"):
        connection.execute("TRUNCATE t")
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY t FROM STDIN {form}") as copy:
                if form:
                    copy.set_types(COLUMNS)
                for row in ROWS:
                    copy.write_row(row)
            assert cursor.rowcount == 3
            assert cursor.execute("SELECT * FROM t ORDER BY i").fetchall() == ROWS
            with cursor.copy(f"COPY (SELECT * FROM t ORDER BY i) TO STDOUT {form}") as copy:
                copy.set_types(COLUMNS)
                assert list(copy.rows()) == ROWS, form
            with cursor.copy(f"COPY (SELECT i FROM t WHERE false) TO STDOUT {form}") as copy:
                assert list(copy.rows()) == []
    with connection.cursor() as cursor:
        with cursor.copy("COPY t TO STDOUT (FORMAT csv, HEADER)") as copy:
            text = b"".join(copy)
        cursor.execute("TRUNCATE t")
        with cursor.copy("COPY t FROM STDIN (FORMAT csv, HEADER MATCH)") as copy:
            for at in range(0, len(text), 7):
                copy.write(text[at:at + 7])
        assert cursor.execute("SELECT * FROM t ORDER BY i").fetchall() == ROWS
    connection.commit()
    try:
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write("4\t")
            raise ValueError("no more")
    except ValueError:
        pass
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (3,)
