"""asyncpg: records to a table in binary, a table and a query to a file as csv and binary."""
import asyncio
import io
import sys
import asyncpg


async def main():
    connection = await asyncpg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", database="postgres")
    await connection.execute("CREATE TABLE t (a int, b text, c float8[])")
    rows = [(1, "x", [1.5, None]), (2, None, None), (3, 'q"\n', [])]
    assert await connection.copy_records_to_table("t", records=rows) == "COPY 3"
    assert await connection.copy_records_to_table("t", records=[(9,), (4,)], columns=["a"], where="a > 5") == "COPY 1"
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM t WHERE a < 9 ORDER BY a")] == rows
    for options in ({"format": "csv", "header": True, "force_quote": ["b"]}, {"format": "binary"},
                    {"format": "text", "delimiter": ",", "null": "nil"}):
        out = io.BytesIO()
        assert await connection.copy_from_table("t", output=out, **options) == "COPY 4"
        await connection.execute("TRUNCATE t")
        options.pop("force_quote", None)
        out.seek(0)
        assert await connection.copy_to_table("t", source=out, **options) == "COPY 4"
        assert [tuple(row) for row in await connection.fetch("SELECT * FROM t WHERE a < 9 ORDER BY a")] == rows
    out = io.BytesIO()
    await connection.copy_from_query("SELECT a FROM t WHERE a > $1 ORDER BY a", 2, output=out, format="csv")
    assert out.getvalue() == b"3\n9\n"
    await connection.close()


asyncio.run(main())
