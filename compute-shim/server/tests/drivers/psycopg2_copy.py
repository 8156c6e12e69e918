"""psycopg 2: copy_expert, copy_from and copy_to."""
import io
import sys
import psycopg2

connection = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres")
with connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE t (a int, b text)")
    cursor.copy_from(io.StringIO("1,x\n2,nil\n"), "t", sep=",", null="nil", columns=("a", "b"))
    assert cursor.rowcount == 2
    cursor.copy_expert("COPY t (b, a) FROM STDIN WITH CSV HEADER QUOTE ''''", io.StringIO("b,a\n'q''r',3\n"))
    out = io.StringIO()
    cursor.copy_to(out, "t", sep="|", null="-")
    assert sorted(out.getvalue().splitlines()) == ["1|x", "2|-", "3|q'r"]
    out = io.BytesIO()
    cursor.copy_expert("COPY t TO STDOUT WITH BINARY", out)
    cursor.execute("TRUNCATE t")
    cursor.copy_expert("COPY t FROM STDIN WITH BINARY", io.BytesIO(out.getvalue()))
    cursor.execute("SELECT a, b FROM t ORDER BY a")
    assert cursor.fetchall() == [(1, "x"), (2, None), (3, "q'r")]
