-- Indexes on expressions, of a part of the rows, with orders of their own and with columns that are included.
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c varchar(20), d date, ts timestamptz, n numeric, f boolean);
INSERT INTO t SELECT i, i % 7, 'Name' || (i % 5), 'C' || i, date '2024-01-01' + i, NULL, i / 4.0, i % 3 = 0 FROM generate_series(1, 40) i;
CREATE INDEX ON t (lower(b), (a+1), upper(c) DESC, ((n)));
CREATE UNIQUE INDEX t_twice ON t ((id*2)) INCLUDE (b, c) WHERE f AND a > 2;
CREATE INDEX ON t ((a + 1), (a + 2));
CREATE INDEX ON t (md5(b) varchar_pattern_ops);
CREATE INDEX ON t ((b || 'x')) WHERE b IS NOT NULL;
CREATE INDEX ON t (a, b) INCLUDE (a);
CREATE INDEX ON t ((1));
CREATE INDEX ON t ((CASE WHEN a > 1 THEN 'x' ELSE b END));
CREATE INDEX ON t (a) WHERE true;
CREATE INDEX ON t (a) WHERE NULL;
CREATE INDEX ON t (cast(a AS text));
CREATE INDEX ON t (coalesce(a, 1));
CREATE INDEX ON t (nullif(a, 1), greatest(a, id));
CREATE INDEX i1 ON t (a) WHERE a IN (1,2,3);
CREATE INDEX i2 ON t (a) WHERE b LIKE 'x%' OR NOT f;
CREATE INDEX ON t (a int4_ops NULLS FIRST, b text_ops DESC NULLS LAST);
CREATE INDEX ON t (extract(year FROM d));
CREATE INDEX ON t ((d + 1)) WHERE d > '2024-01-10';
-- What is refused.
CREATE INDEX ON t ((ts::date));
CREATE INDEX ON t (now());
CREATE INDEX ON t (random());
CREATE INDEX ON t ((ts::text));
CREATE INDEX ON t (a) WHERE ts < now();
CREATE INDEX ON t ((select 1));
CREATE INDEX ON t (sum(a));
CREATE INDEX ON t (a) WHERE count(*) > 1;
CREATE INDEX ON t (generate_series(1, a));
CREATE INDEX ON t (a) WHERE a;
CREATE INDEX ON t (nope(a));
CREATE INDEX ON t ((nope + 1));
CREATE INDEX ON t (nope);
CREATE INDEX ON t (a) INCLUDE (nope);
CREATE INDEX ON t (a) INCLUDE (lower(b));
CREATE INDEX ON t (a) INCLUDE (b DESC);
CREATE INDEX ON t (a) INCLUDE (b NULLS FIRST);
CREATE INDEX ON t (a) INCLUDE (b text_ops);
CREATE INDEX ON t (('abc'));
CREATE INDEX ON t (a) WHERE nope = 1;
CREATE INDEX ON t (a) WHERE a = 1 AND (SELECT true);
CREATE INDEX ON t (a) WHERE a = $1;
CREATE UNIQUE INDEX ON t ((greatest(id, 2)));
CREATE UNIQUE INDEX ON t (lower(b)) WHERE a = 3;
CREATE INDEX ON t ((1 / (a - 3)));
CREATE TABLE r (b text REFERENCES t (b));
CREATE UNIQUE INDEX t_part ON t (id, a) WHERE a > 0;
CREATE TABLE r (id int, a int, FOREIGN KEY (id, a) REFERENCES t (id, a));
ALTER TABLE t ADD CONSTRAINT x UNIQUE ((a + 1));
-- What the catalog says.
SELECT indexrelid::regclass::text AS i, indisunique, indkey, indclass, indoption, indcollation, indnatts, indnkeyatts, pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1;
SELECT pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 1, true), pg_get_indexdef(indexrelid, 2, false), pg_get_indexdef(indexrelid, 3, false), pg_get_indexdef(indexrelid, 0, true) FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text;
SELECT attrelid::regclass::text AS i, attname, attnum, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 't'::regclass) ORDER BY 1, 3;
SELECT indexdef FROM pg_indexes WHERE tablename = 't' AND indexname IN ('i1', 't_twice');
-- They are used, and give the same rows.
SELECT id FROM t WHERE lower(b) = 'name2' ORDER BY id;
SELECT id FROM t WHERE lower(b) = 'name2' AND a + 1 = 3 ORDER BY id;
SELECT id FROM t WHERE a + 1 > 6 ORDER BY id;
SELECT id FROM t WHERE 5 <= a + 1 AND b || 'x' = 'Name1x' ORDER BY id;
SELECT id FROM t WHERE a + 1 IN (2, 4) ORDER BY id;
SELECT id, id * 2 FROM t WHERE id * 2 BETWEEN 20 AND 60 AND f AND a > 2 ORDER BY id * 2 DESC;
SELECT id FROM t WHERE id * 2 = 36 AND f AND a = 4;
SELECT id FROM t WHERE id * 2 = 36;
SELECT id FROM t WHERE a = 2 ORDER BY id;
SELECT id FROM t WHERE a = 4 AND NOT f ORDER BY id;
SELECT id FROM t WHERE a::text = '5' ORDER BY id;
SELECT id FROM t WHERE coalesce(a, 1) < 1 ORDER BY id;
SELECT id FROM t WHERE d + 1 = '2024-02-01' AND d >= '2024-01-12';
SELECT id FROM t WHERE extract(year FROM d) = 2025;
SELECT a, b FROM t WHERE a < 2 ORDER BY a NULLS FIRST, b DESC NULLS LAST LIMIT 8;
SELECT t1.id, t2.id FROM t t1 JOIN t t2 ON t2.a + 1 = t1.id WHERE t1.id IN (3, 4) AND t2.id < 20 ORDER BY 1, 2;
-- Changes of rows.
INSERT INTO t (id, a, f, b) VALUES (41, 6, true, 'y'), (42, 1, true, 'y'), (43, 6, NULL, NULL);
UPDATE t SET b = upper(b) WHERE id < 5;
SELECT id FROM t WHERE lower(b) = 'name1' ORDER BY id;
UPDATE t SET a = 3, b = 'Name7' WHERE lower(b) = 'name3' RETURNING id;
SELECT id, b FROM t WHERE lower(b) = 'name7' AND a + 1 = 4 ORDER BY id;
SELECT id FROM t WHERE lower(b) = 'name3';
DELETE FROM t WHERE a + 1 = 7 RETURNING id;
SELECT count(*) FROM t WHERE a + 1 = 7;
-- Rows come into a partial index and go out of it.
UPDATE t SET a = 2 WHERE id = 18 RETURNING id * 2;
SELECT id FROM t WHERE id * 2 = 36 AND f AND a > 2;
UPDATE t SET a = 5 WHERE id = 18;
SELECT id FROM t WHERE id * 2 = 36 AND f AND a > 2;
UPDATE t SET n = n * 1.00, a = a WHERE id = 18;
SELECT id FROM t WHERE id * 2 = 36 AND f AND a > 2;
-- Unique ones.
CREATE TABLE u (k int PRIMARY KEY, name text, live boolean NOT NULL DEFAULT true, v int);
CREATE UNIQUE INDEX u_name ON u (lower(name)) WHERE live;
CREATE UNIQUE INDEX u_both ON u (v, lower(name));
INSERT INTO u VALUES (1, 'Ann', true, 1), (2, 'Bob', true, 2), (3, 'ann', false, 3), (4, 'ANN', false, 4);
INSERT INTO u VALUES (5, 'aNN', true, 5);
INSERT INTO u VALUES (5, 'aNN', false, 1);
UPDATE u SET live = true WHERE k = 3;
UPDATE u SET live = false WHERE k = 1;
UPDATE u SET live = true WHERE k = 3;
INSERT INTO u VALUES (6, 'ann', true, 6) ON CONFLICT DO NOTHING;
INSERT INTO u VALUES (6, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE live DO NOTHING RETURNING k;
INSERT INTO u VALUES (6, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE live DO UPDATE SET v = u.v + excluded.v RETURNING *;
INSERT INTO u VALUES (6, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE live AND k > 0 DO UPDATE SET v = u.v + 100 WHERE u.v < 50 RETURNING *;
INSERT INTO u VALUES (6, 'ann', true, 6) ON CONFLICT ((lower(name))) WHERE (live) DO UPDATE SET v = 50 RETURNING *;
INSERT INTO u VALUES (7, 'cid', false, 6) ON CONFLICT (lower(name), v) DO NOTHING;
INSERT INTO u VALUES (8, 'CID', true, 6) ON CONFLICT (v, lower(name)) DO UPDATE SET k = 80 RETURNING k, name;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name)) DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE k > 0 DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (upper(name)) WHERE live DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (k) WHERE live DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name) DESC) WHERE live DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (nope, lower(name)) WHERE live DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(nope)) WHERE live DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE nope DO NOTHING;
INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE v DO NOTHING;
WITH i AS (INSERT INTO u VALUES (9, 'ann', true, 6) ON CONFLICT (lower(name)) WHERE live DO UPDATE SET v = 51 RETURNING k, v) SELECT * FROM i;
INSERT INTO u VALUES ($1, $2, true, 70) ON CONFLICT (lower(name)) WHERE live DO UPDATE SET v = excluded.v RETURNING *;
\bind 10 | Dora
\bind 11 | DORA
TABLE u ORDER BY k;
-- NULL is like nothing.
INSERT INTO u VALUES (20, NULL, true, NULL), (21, NULL, true, NULL);
-- Columns get other names and types, and go.
ALTER TABLE t RENAME a TO aa;
ALTER TABLE t RENAME b TO "B";
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
SELECT id FROM t WHERE lower("B") = 'name2' AND aa + 1 = 3 ORDER BY id;
UPDATE t SET "B" = 'Zed' WHERE lower("B") = 'name2' AND aa + 1 = 3;
SELECT id FROM t WHERE lower("B") = 'zed' ORDER BY id;
ALTER TABLE t ALTER aa TYPE bigint;
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
SELECT id FROM t WHERE aa + 1 = 3 ORDER BY id;
ALTER TABLE t ALTER "B" TYPE int USING length("B");
ALTER TABLE t DROP COLUMN "B";
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
ALTER TABLE t DROP COLUMN aa;
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
ALTER TABLE u DROP COLUMN live;
SELECT indexdef FROM pg_indexes WHERE tablename = 'u' ORDER BY indexname;
TRUNCATE u;
INSERT INTO u VALUES (1, 'x', 1), (2, 'X', 1);
INSERT INTO u VALUES (1, 'x', 1), (2, 'X', 2);
COPY u FROM STDIN;
3	X	1
\.
DROP INDEX u_both;
COPY u FROM STDIN;
3	X	1
\.
SELECT * FROM u ORDER BY k;
-- Two sessions at one key.
CREATE UNIQUE INDEX u_lower ON u (lower(name)) WHERE v > 1;
BEGIN;
INSERT INTO u VALUES (30, 'Race', 2);
\session b
INSERT INTO u VALUES (31, 'rACE', 1);
INSERT INTO u VALUES (32, 'rACE', 5);
\waits
\session a
COMMIT;
\session b
\finish
BEGIN;
UPDATE u SET v = 1 WHERE k = 30;
\session a
INSERT INTO u VALUES (33, 'RACE', 3) ON CONFLICT (lower(name)) WHERE v > 1 DO UPDATE SET v = 9 RETURNING *;
\waits
\session b
COMMIT;
\session a
\finish
SELECT * FROM u WHERE lower(name) = 'race' ORDER BY k;
\session c
CREATE TABLE k (a int, b int, c text, PRIMARY KEY (a) INCLUDE (b), CONSTRAINT k_bc UNIQUE (b, c) INCLUDE (a), UNIQUE (c) INCLUDE (a, a));
SELECT conname, conkey, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'k'::regclass ORDER BY 1;
SELECT indexdef FROM pg_indexes WHERE tablename = 'k' ORDER BY indexname;
INSERT INTO k VALUES (1, 2, 'x');
INSERT INTO k VALUES (1, 3, 'y');
INSERT INTO k VALUES (2, 2, 'x') ON CONFLICT (c) DO NOTHING;
INSERT INTO k VALUES (2, 2, 'x') ON CONFLICT (c, a) DO NOTHING;
ALTER TABLE k ADD UNIQUE (b) INCLUDE (nope);
ALTER TABLE k DROP COLUMN a;
SELECT indexdef FROM pg_indexes WHERE tablename = 'k' ORDER BY indexname;
