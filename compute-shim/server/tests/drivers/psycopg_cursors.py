"""psycopg 3: server-side cursors with parameters, in text and binary, and rows one by one."""
import sys
import psycopg

with psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres") as connection:
    connection.execute("CREATE TABLE big (i int PRIMARY KEY, s text)")
    connection.execute("INSERT INTO big SELECT n, 'row' || n FROM generate_series(1, 2000) n")
    connection.commit()
    for binary in (False, True):
        with connection.cursor("named") as cursor:
            cursor.execute("SELECT i, s FROM big WHERE i > %s ORDER BY i", (5,), binary=binary)
            assert cursor.fetchmany(2) == [(6, "row6"), (7, "row7")]
            assert sum(row[0] for row in cursor) == sum(range(8, 2001))
    with connection.cursor() as cursor:
        assert sum(row[0] for row in cursor.stream("SELECT i FROM big")) == sum(range(1, 2001))
        assert cursor.execute("SELECT name FROM pg_cursors").fetchall() == []
