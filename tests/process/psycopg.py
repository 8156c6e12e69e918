# What a Python program does with psycopg2: parameters, types, transactions, COPY, errors. Argument: the port.
import io
import sys
from decimal import Decimal
from datetime import date, datetime

import psycopg2
import psycopg2.errors

connection = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres")
cursor = connection.cursor()
cursor.execute(
    "create table things (id int primary key, name text, price numeric(10,2), big bigint, is_on bool,"
    " day date, at timestamp, ratio double precision)"
)
row = (1, "naïve ☃ 'quoted'", Decimal("12.50"), 2**40, True, date(2024, 2, 29), datetime(2024, 2, 29, 12, 30, 1), 0.1)
cursor.execute("insert into things values (%s, %s, %s, %s, %s, %s, %s, %s)", row)
cursor.execute("insert into things (id) values (%s)", (2,))
connection.commit()

cursor.execute("select * from things order by id")
assert cursor.fetchall() == [row, (2,) + (None,) * 7], "types round-trip"
assert [column.name for column in cursor.description][:2] == ["id", "name"]

cursor.execute("update things set name = %s where id = %s", ("gone", 1))
assert cursor.rowcount == 1
connection.rollback()
cursor.execute("select name from things where id = 1")
assert cursor.fetchone()[0] == row[1], "a rollback undoes"

try:
    cursor.execute("insert into things (id) values (1)")
    raise SystemExit("a duplicate was taken")
except psycopg2.errors.UniqueViolation as error:
    assert error.diag.constraint_name == "things_pkey", error.diag.constraint_name
connection.rollback()

cursor.copy_expert("copy things (id, name) from stdin", io.StringIO("".join(f"{i}\tname {i}\n" for i in range(10, 1010))))
connection.commit()
cursor.execute("select count(*), min(id), max(name) from things where id >= 10")
assert cursor.fetchone() == (1000, 10, "name 999")

cursor.executemany("delete from things where id = %s", [(i,) for i in range(10, 60)])
connection.commit()
connection.autocommit = True
cursor.execute("select count(*) from things")
assert cursor.fetchone() == (952,)
cursor.execute("show server_version")
assert cursor.fetchone()[0].startswith("15")
connection.close()
print("done")
