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
-- Grouped and told apart, though not ordered.
CREATE TABLE g (id int, v int);
INSERT INTO g VALUES (1, 1), (2, 2), (3, 3);
UPDATE g SET v = 30 WHERE id = 3;
SELECT count(*) FROM g GROUP BY xmin ORDER BY 1;
SELECT xmin FROM g GROUP BY xmin HAVING false;
SELECT count(*) FROM g GROUP BY xmin, id ORDER BY id;
SELECT count(*), min(id), max(id) FROM g GROUP BY xmin, xmax ORDER BY 2;
SELECT count(*) FROM (SELECT DISTINCT xmin FROM g) s;
SELECT count(*) FROM (SELECT xmin FROM g UNION SELECT xmin FROM u) s;
SELECT count(*) FROM (SELECT xmin FROM g INTERSECT SELECT xmin FROM g) s;
SELECT count(*) FROM (SELECT xmin FROM g EXCEPT SELECT xmin FROM g WHERE id < 3) s;
WITH RECURSIVE s AS (SELECT xmin FROM g UNION SELECT xmin FROM s) SELECT count(*) FROM s;
SELECT count(*) FROM g WHERE xmin IN (SELECT xmin FROM g WHERE id = 1);
SELECT count(*) FROM g a FULL JOIN g b ON a.xmin = b.xmin;
SELECT count(DISTINCT xmin) FROM g;
SELECT id FROM g ORDER BY xmin;
SELECT max(xmin) FROM g;
SELECT xmin < xmax FROM g;
SELECT row_number() OVER (PARTITION BY xmin) FROM g;
SELECT row_number() OVER (ORDER BY xmin) FROM g;
SELECT mode() WITHIN GROUP (ORDER BY xmin) FROM g;
-- The oid of no table, where an outer join has found no row.
CREATE TABLE h (id int, v int);
INSERT INTO h VALUES (1, 1), (4, 4);
SELECT g.id, h.tableoid::regclass, h.tableoid IS NULL FROM g LEFT JOIN h ON h.id = g.id ORDER BY g.id;
SELECT g.id, h.tableoid::regclass, g.tableoid::regclass FROM h RIGHT JOIN g ON h.id = g.id ORDER BY g.id;
SELECT g.tableoid::regclass, h.tableoid::regclass, g.id, h.id FROM g FULL JOIN h USING (id) ORDER BY g.id, h.id;
SELECT g.tableoid IS NULL, h.tableoid IS NULL, count(*) FROM (SELECT * FROM g WHERE id = 2) x FULL JOIN h ON h.id = x.id LEFT JOIN g ON g.id = x.id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT a.id, b.tableoid::regclass, c.tableoid::regclass FROM g a LEFT JOIN (h b JOIN h c ON c.id = b.id AND c.tableoid = b.tableoid) ON b.id = a.id ORDER BY a.id;
SELECT g.id FROM g LEFT JOIN h ON h.id = g.id WHERE h.tableoid IS NULL ORDER BY g.id;
SELECT g.id FROM g LEFT JOIN h ON h.id = g.id WHERE h.tableoid = 'h'::regclass ORDER BY g.id;
SELECT g.id, (SELECT h.tableoid IS NULL) FROM g LEFT JOIN h ON h.id = g.id ORDER BY g.id;
SELECT g.id, h.tableoid FROM g LEFT JOIN h ON h.id = g.id AND h.tableoid = 0 ORDER BY g.id;
SELECT count(h.tableoid), count(g.tableoid) FROM g LEFT JOIN h ON h.id = g.id;
SELECT g.id, x.tableoid FROM g LEFT JOIN LATERAL (SELECT h.tableoid IS NULL AS tableoid FROM h WHERE h.id = g.id) x ON true ORDER BY g.id;
SELECT c.relname, d.tableoid IS NULL, c.tableoid::regclass FROM pg_class c LEFT JOIN pg_index d ON d.indexrelid = c.oid AND false WHERE c.relname = 'h';
SELECT c.relname, d.tableoid::regclass FROM pg_class c LEFT JOIN pg_namespace d ON d.oid = c.relnamespace WHERE c.relname = 'h';
SELECT g.id, h.tableoid::regclass FROM g LEFT JOIN h ON h.id = g.id ORDER BY g.id FOR UPDATE OF g;
UPDATE g SET v = 7 FROM g b LEFT JOIN h ON h.id = b.id WHERE b.id = g.id RETURNING g.id, h.tableoid::regclass;
DELETE FROM g USING g b LEFT JOIN h ON h.id = b.id WHERE b.id = g.id AND h.tableoid IS NULL RETURNING g.id, h.tableoid::regclass, g.tableoid::regclass;
INSERT INTO h VALUES (9, 9) RETURNING id, tableoid::regclass;
CREATE VIEW of_h AS SELECT * FROM h;
SELECT tableoid FROM of_h;
SELECT of_h.tableoid FROM of_h;
SELECT tableoid FROM pg_tables;
SELECT tableoid FROM g, h;
SELECT tableoid FROM of_h, h WHERE false;
\unsupported
SELECT cmin, cmax FROM t;
SELECT xmin FROM pg_class;
INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1 WHERE t.xmin = 0;
CREATE VIEW versions AS SELECT id, xmin AS version FROM t;
