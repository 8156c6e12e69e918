"""asyncpg: cursors, which are portals with row limits."""
import asyncio
import sys
import asyncpg


async def main():
    connection = await asyncpg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", database="postgres")
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("SELECT g FROM generate_series(1, 1000) g", prefetch=50):
            total += row["g"]
            if row["g"] % 400 == 0:
                # Another statement in between takes a snapshot of its own.
                assert await connection.fetchval("SELECT 1") == 1
        assert total == 500500
        cursor = await connection.cursor("SELECT g FROM generate_series(1, 100) g")
        assert [row["g"] for row in await cursor.fetch(3)] == [1, 2, 3]
        await cursor.forward(10)
        assert (await cursor.fetchrow())["g"] == 14
    await connection.close()


asyncio.run(main())
