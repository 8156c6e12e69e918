"""psycopg 3 registers an enum type, and sends and receives its values in both formats."""

import enum
import sys

import psycopg
from psycopg.types.enum import EnumInfo, register_enum


class Mood(enum.Enum):
    SAD = "sad"
    OK = "ok"
    HAPPY = "happy"


with psycopg.connect(f"host=127.0.0.1 port={sys.argv[1]} user=postgres dbname=postgres", autocommit=True) as connection:
    connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    connection.execute("ALTER TYPE mood ADD VALUE 'happy'")
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, m mood, a mood[])")
    info = EnumInfo.fetch(connection, "mood")
    assert info.labels == ["sad", "ok", "happy"], info.labels
    register_enum(info, connection, Mood, mapping={mood: mood.value for mood in Mood})
    for number, binary in enumerate((False, True)):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute("INSERT INTO t VALUES (%s, %s, %s)", (number, Mood.OK, [Mood.HAPPY, Mood.SAD]))
            cursor.execute("SELECT m, a FROM t WHERE id = %s AND m = %s", (number, Mood.OK))
            assert cursor.fetchall() == [(Mood.OK, [Mood.HAPPY, Mood.SAD])]
            cursor.execute("SELECT id FROM t WHERE m = ANY(%s) ORDER BY m, id", ([Mood.SAD, Mood.OK],))
            assert [row[0] for row in cursor] == list(range(number + 1))
    with connection.cursor() as cursor:
        with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "mood", "mood[]"])
            copy.write_row((9, Mood.HAPPY, [Mood.OK]))
        cursor.execute("SELECT m, a FROM t ORDER BY m DESC LIMIT 1")
        assert cursor.fetchone() == (Mood.HAPPY, [Mood.OK])
    try:
        connection.execute("INSERT INTO t VALUES (10, 'angry')")
        raise SystemExit("an unknown value was taken")
    except psycopg.errors.InvalidTextRepresentation as error:
        assert 'invalid input value for enum mood: "angry"' in str(error), error
