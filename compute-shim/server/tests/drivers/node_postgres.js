// node-postgres: connecting, all types as text and binary, prepared statements, errors, cancel, COPY, cursors, a pool under load.
"use strict";
const assert = require("node:assert");
const { once } = require("node:events");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { Client, Pool, types } = require("pg");
const Cursor = require("pg-cursor");
const { from: copyFrom, to: copyTo } = require("pg-copy-streams");

const at = { host: "127.0.0.1", port: Number(process.argv[2]), user: "postgres", database: "postgres" };

// Type, literal, and what the driver makes of it.
const VALUES = [
    ["boolean", "true", true],
    ["smallint", "-32768", -32768],
    ["integer", "2147483647", 2147483647],
    ["bigint", "9223372036854775807", "9223372036854775807"],
    ["numeric", "12345678901234567890.0123456789", "12345678901234567890.0123456789"],
    ["real", "1.5", 1.5],
    ["double precision", "-2.25e-300", -2.25e-300],
    ["text", "ünï\n'quoted' \\", "ünï\n'quoted' \\"],
    ["varchar(5)", "abc", "abc"],
    ["char(5)", "ab", "ab   "],
    ["bytea", "\\x00ff10", Buffer.from([0, 255, 16])],
    ["date", "2024-02-29", new Date(2024, 1, 29)],
    ["time", "12:34:56.789012", "12:34:56.789012"],
    ["timetz", "12:34:56+02", "12:34:56+02"],
    ["timestamp", "2024-05-06 07:08:09.123", new Date(2024, 4, 6, 7, 8, 9, 123)],
    ["timestamptz", "2024-05-06 07:08:09.123+00", new Date(Date.UTC(2024, 4, 6, 7, 8, 9, 123))],
    ["uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    ["json", '{"a": [1, null]}', { a: [1, null] }],
    ["jsonb", '{"a": [1, null]}', { a: [1, null] }],
    ["integer[]", "{1,NULL,3}", [1, null, 3]],
    ["text[]", '{a,"b c",NULL}', ["a", "b c", null]],
    ["oid", "4294967295", 4294967295],
];

async function allTypes(client) {
    for (const [type, literal, expected] of VALUES) {
        const query = { text: `SELECT $1::${type} AS v, NULL::${type} AS n`, values: [literal] };
        const { rows: [row] } = await client.query(query);
        assert.deepStrictEqual(row.v, expected, type);
        assert.strictEqual(row.n, null, type);
    }
    const { rows: [{ v }] } = await client.query("SELECT interval '1 year 2 days 03:04:05.006' AS v");
    assert.deepStrictEqual({ ...v }, { years: 1, days: 2, hours: 3, minutes: 4, seconds: 5, milliseconds: 6 });
}

// Results in binary. The driver takes their bytes for UTF-8 first, so that none may be above 127.
async function binary(client) {
    const known = [["boolean", "true", true], ["smallint", "258", 258], ["integer", "16909060", 16909060], ["text", "abc", "abc"]];
    for (const [type, literal, expected] of known) {
        const query = { text: `SELECT $1::${type} AS v, NULL::${type} AS n`, values: [literal], binary: true };
        const { rows: [row] } = await client.query(query);
        assert.deepStrictEqual(row.v, expected, type);
        assert.strictEqual(row.n, null, type);
    }
}

async function prepared(client) {
    await client.query("CREATE TABLE t (id int PRIMARY KEY, s text)");
    for (let id = 1; id <= 50; id++) {
        const insert = { name: "put", text: "INSERT INTO t VALUES ($1, $2) RETURNING id", values: [id, `row ${id}`] };
        const result = await client.query(insert);
        assert.strictEqual(result.command, "INSERT");
        assert.deepStrictEqual(result.rows, [{ id }]);
    }
    const result = await client.query({ name: "get", text: "SELECT * FROM t WHERE id = $1", values: [7] });
    assert.deepStrictEqual(result.rows, [{ id: 7, s: "row 7" }]);
    assert.deepStrictEqual(result.fields.map((field) => [field.name, field.dataTypeID]), [["id", 23], ["s", 25]]);
}

async function errors(client) {
    await assert.rejects(client.query("INSERT INTO t VALUES ($1, $2)", [7, "twice"]), (error) => {
        assert.strictEqual(error.code, "23505");
        assert.strictEqual(error.constraint, "t_pkey");
        assert.strictEqual(error.table, "t");
        assert.strictEqual(error.detail, "Key (id)=(7) already exists.");
        return true;
    });
    await assert.rejects(client.query("SELECT * FRM t"), (error) => error.code === "42601" && error.position === "10");
    await assert.rejects(client.query("SELECT nothing FROM t"), { code: "42703" });
    await client.query("BEGIN");
    await assert.rejects(client.query("SELECT 1/$1::int", [0]), { code: "22012" });
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    assert.strictEqual((await client.query("COMMIT")).command, "ROLLBACK");
}

async function cancel(client) {
    const other = new Client(at);
    await other.connect();
    const slow = assert.rejects(client.query("SELECT pg_sleep(60)"), { code: "57014" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    const request = new Client(at);
    request.cancel(client, client.activeQuery ?? client._activeQuery);
    await slow;
    assert.deepStrictEqual((await client.query("SELECT 1 AS one")).rows, [{ one: 1 }]);
    await other.end();
}

async function copy(client) {
    await client.query("CREATE TABLE c (i int, s text)");
    const lines = Array.from({ length: 10000 }, (_, i) => `${i}\tline ${i}\n`);
    await pipeline(Readable.from(lines), client.query(copyFrom("COPY c FROM STDIN")));
    const { rows: [row] } = await client.query("SELECT count(*)::int AS n, sum(i)::int AS s FROM c");
    assert.deepStrictEqual(row, { n: 10000, s: 49995000 });
    const out = client.query(copyTo("COPY (SELECT * FROM c ORDER BY i) TO STDOUT"));
    const chunks = [];
    out.on("data", (chunk) => chunks.push(chunk));
    await once(out, "end");
    assert.strictEqual(Buffer.concat(chunks).toString(), lines.join(""));
    const bad = pipeline(Readable.from(["x\ty\n"]), client.query(copyFrom("COPY c FROM STDIN")));
    await assert.rejects(bad, { code: "22P02" });
}

async function cursor(client) {
    const rows = client.query(new Cursor("SELECT i FROM c ORDER BY i"));
    const seen = [];
    for (;;) {
        const batch = await rows.read(777);
        if (batch.length === 0) break;
        seen.push(...batch.map((row) => row.i));
    }
    await rows.close();
    assert.deepStrictEqual(seen, Array.from({ length: 10000 }, (_, i) => i));
}

// Fifty workers over ten connections move money; nothing is lost, and what must be said again is said again.
async function pool() {
    const clients = new Pool({ ...at, max: 10 });
    await clients.query("CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL)");
    await clients.query("INSERT INTO account SELECT g, 100 FROM generate_series(0, 19) g");
    let moved = 0;
    const worker = async (number) => {
        for (let step = 0; step < 20; step++) {
            const [from, to] = [(number * 7 + step) % 20, (number * 3 + step * 5 + 1) % 20];
            if (from === to) continue;
            const client = await clients.connect();
            try {
                await client.query("BEGIN");
                await client.query("UPDATE account SET amount = amount - 1 WHERE id = $1", [from]);
                await client.query("UPDATE account SET amount = amount + 1 WHERE id = $1", [to]);
                await client.query("COMMIT");
                moved++;
            } catch (error) {
                assert.ok(["40001", "40P01"].includes(error.code), error);
                await client.query("ROLLBACK");
            } finally {
                client.release();
            }
        }
    };
    await Promise.all(Array.from({ length: 50 }, (_, number) => worker(number)));
    assert.ok(moved > 500, `${moved} moved`);
    const { rows: [row] } = await clients.query("SELECT sum(amount)::int AS s, count(*)::int AS n FROM account");
    assert.deepStrictEqual(row, { s: 2000, n: 20 });
    await clients.end();
}

async function main() {
    const client = new Client(at);
    const notices = [];
    client.on("notice", (notice) => notices.push(notice.message));
    await client.connect();
    await client.query("DROP TABLE IF EXISTS t");
    assert.deepStrictEqual(notices, ['table "t" does not exist, skipping']);
    types.setTypeParser(types.builtins.INT8, (text) => text);
    await client.query("SET TIME ZONE 'UTC'");
    await allTypes(client);
    await binary(client);
    await prepared(client);
    await errors(client);
    await cancel(client);
    await copy(client);
    await cursor(client);
    await client.end();
    await pool();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
