-- System columns: xmin and xmax of rows, tableoid.
CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0);
CREATE TABLE u (a int, b text);
-- Inserted or updated: the first has no xmax.
INSERT INTO t VALUES (1, 'one'), (2, 'two') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, (xmax = 0) AS inserted;
INSERT INTO t VALUES (2, 'zwei'), (3, 'drei') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, v, (xmax = 0) AS inserted, xmin = 0 AS none;
INSERT INTO t AS x VALUES (3, 'III'), (4, 'IV') ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = x.n + 1 RETURNING x.*, x.xmax = 0, x.xmax::text = '0', x.xmax <> x.xmin;
INSERT INTO t VALUES (4, 'x') ON CONFLICT DO NOTHING RETURNING xmax = 0;
WITH w AS (INSERT INTO t VALUES (1, 'uno'), (5, 'cinco') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, xmax = 0 AS inserted) SELECT inserted, count(*) FROM w GROUP BY inserted ORDER BY 1;
INSERT INTO t VALUES (6, 'a'), (7, 'b'), (1, 'c') ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE t.n > 100 RETURNING id, xmax = 0;
INSERT INTO u SELECT id, v FROM t RETURNING a, xmax, xmin <> 0, tableoid::regclass;
-- What was written together has one xmin, what was written apart has not.
SELECT xmin = xmin, xmax FROM u WHERE a = 1;
SELECT count(DISTINCT xmin::text) FROM u;
INSERT INTO u VALUES (100, 'later');
SELECT count(DISTINCT xmin::text) FROM u;
SELECT count(*) FROM u a JOIN u b ON a.xmin = b.xmin WHERE b.a = 100;
SELECT count(*) FROM u a, u b WHERE a.xmin <> b.xmin AND b.a = 100;
SELECT a.a, b.xmin IS NULL FROM u a LEFT JOIN t b ON b.id = a.a WHERE a.a IN (1, 100) ORDER BY a.a;
SELECT x.a, y.same FROM u x, LATERAL (SELECT count(*) AS same FROM u WHERE u.xmin = x.xmin) y ORDER BY x.a;
SELECT (SELECT count(*) FROM u i WHERE i.xmin = o.xmin) FROM u o WHERE a = 100;
SELECT a FROM u WHERE xmin = (SELECT xmin FROM u WHERE a = 100);
-- As a token of what was read: a row that has changed has another one.
CREATE TABLE seen AS SELECT id, xmin::text AS token FROM t;
SELECT count(*) FROM t, seen s WHERE s.id = t.id AND t.xmin::text = s.token;
UPDATE t SET n = 5 WHERE id = 1 AND xmin::text = (SELECT token FROM seen WHERE id = 1) RETURNING id, n, xmax = 0;
UPDATE t SET n = 6 WHERE id = 1 AND xmin::text = (SELECT token FROM seen WHERE id = 1) RETURNING id, n;
UPDATE t SET n = 7 WHERE id = 1 RETURNING id, xmin::text = (SELECT token FROM seen WHERE id = 1);
DELETE FROM t WHERE id = 2 AND xmin::text = (SELECT token FROM seen WHERE id = 2) RETURNING id, xmax = 0, xmin::text = (SELECT token FROM seen WHERE id = 2);
UPDATE t SET n = s.id FROM seen s WHERE s.id = t.id AND s.id IN (3, 4) AND t.xmin::text = s.token RETURNING t.id, t.n, s.id, t.xmin::text = s.token, t.xmax;
DELETE FROM t USING seen s WHERE s.id = t.id AND s.id = 3 RETURNING t.id, s.id, t.xmin::text = s.token, t.xmax = 0;
BEGIN;
INSERT INTO t VALUES (20, 'x');
UPDATE t SET n = 1 WHERE id = 4;
SELECT count(DISTINCT xmin::text) FROM t WHERE id IN (4, 20);
ROLLBACK;
-- Of the row that is locked, not of the one that was seen.
BEGIN;
UPDATE t SET n = 40 WHERE id = 4;
\session b
SELECT id, n, xmin::text = (SELECT token FROM seen WHERE id = 4) FROM t WHERE id = 4;
SELECT id, n, xmin = (SELECT xmin FROM t i WHERE i.id = 4) AS stale FROM t WHERE id = 4 FOR UPDATE;
\waits
\session a
COMMIT;
\session b
\finish
\session a
BEGIN;
UPDATE t SET n = 41 WHERE id = 4;
\session b
UPDATE t SET n = n + 1 WHERE id = 4 AND xmin = (SELECT xmin FROM t i WHERE i.id = 4) RETURNING n;
\waits
\session a
COMMIT;
\session b
\finish
\session a
-- Names.
SELECT xmin FROM t, u;
SELECT xmin FROM (SELECT 1 AS a) s;
SELECT s.xmin FROM (SELECT * FROM t) s;
SELECT xmin FROM (SELECT id AS xmin FROM t WHERE id = 1) s;
SELECT t.nope, xmin FROM t;
SELECT xmin + 1 FROM t;
SELECT pg_typeof(xmin), pg_typeof(xmax), pg_typeof(tableoid), tableoid::regclass FROM t WHERE id = 1;
UPDATE t SET xmin = 5;
INSERT INTO t (xmin) VALUES (5);
CREATE TABLE bad (xmin int);
CREATE TABLE bad (a int, xmax int);
ALTER TABLE t ADD tableoid int;
ALTER TABLE t RENAME n TO cmin;
CREATE TABLE bad AS SELECT xmin FROM t;
CREATE VIEW seen_at AS SELECT id, v FROM t;
SELECT xmin FROM seen_at;
EXPLAIN (COSTS OFF) SELECT * FROM u WHERE xmin = 5;
EXPLAIN (COSTS OFF) SELECT * FROM u WHERE xmax <> xmin FOR UPDATE;
PREPARE p (int) AS SELECT id, xmax FROM t WHERE id = $1 AND xmin <> 0;
EXECUTE p (1);
\unsupported
SELECT ctid FROM t;
SELECT cmin, cmax FROM t;
SELECT xmin FROM pg_class;
INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1 WHERE t.xmin = 0;
CREATE VIEW versions AS SELECT id, xmin AS version FROM t;
