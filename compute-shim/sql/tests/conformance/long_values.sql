-- Values far larger than a page: stored outside of their row, read where they are wanted.
CREATE TABLE src (id int PRIMARY KEY, v text);
INSERT INTO src SELECT k, (SELECT string_agg(md5((k * 10000 + i)::text), '') FROM generate_series(1, 100 * k * k) i) FROM generate_series(1, 5) k;
SELECT id, length(v), md5(v) FROM src ORDER BY id;
CREATE TABLE t (id int PRIMARY KEY, n int, a text, b bytea, c text NOT NULL DEFAULT 'short', d text[]);
INSERT INTO t (id, n, a) SELECT id, id * 10, v FROM src;
INSERT INTO t (id, n, a, b, c) SELECT id + 10, id * 10, v, decode(v, 'hex'), v || v FROM src;
INSERT INTO t (id, n, d) SELECT 20, 0, array_agg(v ORDER BY id) FROM src;
INSERT INTO t VALUES (21, 1, repeat('x', 300000), decode(repeat('00', 70000), 'hex'), repeat('äöü', 9000), NULL);
SELECT id, n, length(a), md5(a), length(b), md5(b), length(c), md5(c), array_length(d, 1), length(d[5]), md5(d[3]) FROM t ORDER BY id;
SELECT id, substr(a, 3000, 20) FROM t WHERE a IS NOT NULL ORDER BY id;
SELECT count(*) FROM t WHERE a LIKE '%x';
SELECT t.id, src.id FROM t JOIN src ON t.a = src.v ORDER BY t.id;
SELECT id FROM t WHERE a = (SELECT v FROM src WHERE id = 3) ORDER BY id;
-- An update of another column, of the value, of the key; values that change places.
UPDATE t SET n = n + 1 WHERE id IN (3, 13, 20, 21);
UPDATE t SET a = a WHERE id = 4 RETURNING id, length(a);
UPDATE t SET a = a || '!', c = c WHERE id IN (5, 15) RETURNING id, length(a), md5(a), length(c);
UPDATE t SET a = c, c = a WHERE id = 13 RETURNING id, n, md5(a), md5(b), md5(c);
UPDATE t SET id = id + 100 WHERE id IN (2, 12) RETURNING id, md5(a), length(c);
UPDATE t SET a = NULL, b = NULL WHERE id = 14 RETURNING id, a, b, length(c);
UPDATE t SET a = 'short' WHERE id = 21;
UPDATE t SET a = src.v FROM src WHERE t.id = 1 AND src.id = 5 RETURNING t.id, md5(t.a), length(src.v);
SELECT id, n, length(a), md5(a), length(b), length(c), md5(c) FROM t ORDER BY id;
-- What refuses a row shows its beginning.
UPDATE t SET c = NULL WHERE id = 11;
UPDATE t SET n = NULL, c = NULL WHERE id = 3;
ALTER TABLE t ADD CONSTRAINT small CHECK (n < 1000);
UPDATE t SET n = 2000 WHERE id = 11;
INSERT INTO t (id, n, a) SELECT 30, 5000, v FROM src WHERE id = 5;
ALTER TABLE t ADD CONSTRAINT bounded CHECK (length(a) < 200000);
UPDATE t SET a = repeat(md5('a'), 10000) WHERE id = 3;
UPDATE t SET n = n + 1 WHERE id = 5 RETURNING id, n;
ALTER TABLE t DROP CONSTRAINT bounded;
-- ON CONFLICT: nothing of the row that is not inserted is left.
INSERT INTO t (id, n, a) SELECT 3, 7, v FROM src WHERE id = 5 ON CONFLICT DO NOTHING;
INSERT INTO t (id, n, a) SELECT 3, 7, v FROM src WHERE id = 5 ON CONFLICT (id) DO UPDATE SET n = excluded.n, a = excluded.a RETURNING id, n, md5(a), c;
INSERT INTO t (id, n, a) SELECT 3, 8, v FROM src WHERE id = 5 ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING id, n, md5(a);
INSERT INTO t (id, n, a) SELECT 3, 8, v FROM src WHERE id = 1;
DELETE FROM t WHERE id IN (102, 112) RETURNING id, length(a), md5(c);
SELECT id, n, length(a), md5(a), length(c) FROM t ORDER BY id;
-- Sorting, grouping, sets.
SELECT DISTINCT length(v), md5(v) FROM (SELECT a AS v FROM t UNION ALL SELECT v FROM src) u ORDER BY 1, 2;
SELECT count(*), md5(v) FROM (SELECT a AS v FROM t WHERE a IS NOT NULL UNION ALL SELECT v FROM src) u GROUP BY v ORDER BY v;
SELECT id FROM src ORDER BY v;
SELECT id FROM src ORDER BY v DESC LIMIT 2;
SELECT count(*) FROM (SELECT v FROM src EXCEPT SELECT a FROM t) u;
SELECT max(v) = (SELECT v FROM src ORDER BY v DESC LIMIT 1) FROM src;
-- Indexes.
CREATE UNIQUE INDEX src_v ON src (v);
CREATE TABLE k (id int PRIMARY KEY, v text UNIQUE, w text);
INSERT INTO k SELECT id, left(v, 1200 + id), v FROM src;
INSERT INTO k SELECT id + 10, left(v, 1200 + id), v FROM src WHERE id = 2;
INSERT INTO k SELECT id + 10, left(v, 1210 + id), v FROM src WHERE id = 2;
SELECT id, length(v), length(w) FROM k WHERE v = (SELECT left(v, 1203) FROM src WHERE id = 3);
INSERT INTO k SELECT id + 20, left(v, 1203), v FROM src WHERE id = 3 ON CONFLICT (v) DO NOTHING;
INSERT INTO k SELECT id + 20, left(v, 1203), v FROM src WHERE id = 3 ON CONFLICT (v) DO UPDATE SET w = k.w || 'more' RETURNING id, length(w);
UPDATE k SET v = left(w, 1300) WHERE id = 1 RETURNING id, length(v), length(w);
CREATE INDEX k_w ON k (id, v);
SELECT id, length(w) FROM k WHERE id = 12 AND v > 'a';
-- Defaults, generated rows, rewritten tables.
ALTER TABLE k ADD COLUMN e text DEFAULT repeat('e', 5000);
SELECT id, length(e), length(w) FROM k ORDER BY id;
UPDATE k SET e = e || 'f' WHERE id = 2 RETURNING id, length(e);
ALTER TABLE k ADD COLUMN s serial;
SELECT id, length(e), length(w), md5(w) FROM k ORDER BY id;
ALTER TABLE k DROP CONSTRAINT k_pkey;
ALTER TABLE k ADD PRIMARY KEY (s);
SELECT id, length(e), length(w), md5(w) FROM k ORDER BY id;
CREATE TABLE c AS SELECT id, v || v AS v FROM src;
SELECT id, length(v), md5(v) FROM c ORDER BY id;
ALTER TABLE c DROP COLUMN v;
SELECT * FROM c ORDER BY id;
TRUNCATE c;
DROP TABLE c;
-- Rollback, and a snapshot that reads what is gone.
BEGIN;
UPDATE t SET a = repeat(md5('x'), 2000), c = repeat(md5('y'), 2000);
DELETE FROM src WHERE id = 4;
SELECT id, length(a), length(c) FROM t ORDER BY id;
ROLLBACK;
SELECT id, n, length(a), md5(a), length(c) FROM t ORDER BY id;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM src;
\session b
UPDATE src SET v = repeat('new', 3000) WHERE id > 2;
DELETE FROM src WHERE id = 2;
SELECT id, length(v), md5(v) FROM src ORDER BY id;
\session a
SELECT id, length(v), md5(v) FROM src ORDER BY id;
COMMIT;
SELECT id, length(v), md5(v) FROM src ORDER BY id;
-- COPY.
CREATE TABLE o (id int PRIMARY KEY, v text);
INSERT INTO o SELECT i, repeat(md5(i::text) || E'\t\\\n', 80) FROM generate_series(1, 3) i;
COPY o TO STDOUT;
INSERT INTO o SELECT 4, md5('bound') || repeat($1, 3000) RETURNING length(v), md5(v);
\bind abc
SELECT md5(v), length(v) FROM o WHERE v = $1 || repeat('abc', 3000);
\bind c3b830fdd5d1f6f8df57cf2f8e2ce3e5
