"""psycopg2: named cursors, scrolled, and held over a commit."""
import sys
import psycopg2

connection = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres")
plain = connection.cursor()
plain.execute("CREATE TABLE big (i int PRIMARY KEY, s text)")
plain.execute("INSERT INTO big SELECT n, 'row' || n FROM generate_series(1, 5000) n")
connection.commit()

cursor = connection.cursor("streamed")
cursor.itersize = 777
cursor.execute("SELECT i, s FROM big ORDER BY i")
assert sum(row[0] for row in cursor) == 5000 * 5001 // 2
cursor.close()

cursor = connection.cursor("kept", scrollable=True, withhold=True)
cursor.execute("SELECT i FROM big ORDER BY i")
assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
connection.commit()
plain.execute("DELETE FROM big")
connection.commit()
cursor.scroll(-2)
assert cursor.fetchone() == (2,)
cursor.scroll(4999, mode="absolute")
assert cursor.fetchall() == [(5000,)]
cursor.close()
connection.commit()
