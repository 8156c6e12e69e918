-- EXISTS, NOT EXISTS and IN as joins: NULLs, duplicates and empty sides, residual conditions, nesting, outer joins, changes, locks.
CREATE TABLE a (id int PRIMARY KEY, x int, y int, t text);
CREATE TABLE b (id int PRIMARY KEY, x int, y bigint, t varchar(9));
CREATE TABLE c (x numeric, z int);
CREATE TABLE none (x int, y int);
INSERT INTO a SELECT i, nullif(i % 7, 3), i % 5, chr(97 + i % 6) FROM generate_series(1, 40) i;
INSERT INTO b SELECT i, nullif(i % 9, 4), nullif(i % 4, 2), chr(98 + i % 7) FROM generate_series(1, 30) i;
INSERT INTO c SELECT nullif(i % 6, 0), i FROM generate_series(1, 20) i;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT x FROM b) ORDER BY id;
SELECT id FROM a WHERE x NOT IN (SELECT x FROM b) ORDER BY id;
SELECT id FROM a WHERE x NOT IN (SELECT x FROM b WHERE x IS NOT NULL AND x > 2) ORDER BY id;
SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM none WHERE none.x = a.x);
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM none WHERE none.x = a.x);
SELECT count(*) FROM a WHERE x IN (SELECT x FROM none);
SELECT count(*) FROM a WHERE x NOT IN (SELECT x FROM none);
SELECT count(*) FROM none WHERE EXISTS (SELECT 1 FROM a WHERE none.x = a.x);
SELECT count(*) FROM none WHERE NOT EXISTS (SELECT 1 FROM a WHERE none.x = a.x);
-- What is compared besides the key.
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y <> a.y) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y <> a.y) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y > a.y AND a.id > 20) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND a.y = 3) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND a.y IS NULL) ORDER BY id LIMIT 3;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.t = a.t) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x IS NOT DISTINCT FROM a.x AND b.y = a.y) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE (b.x = a.x OR b.y = a.y) AND b.id = a.id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE (b.x, b.y) = (a.x, a.y)) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE (b.x, b.y) < (a.x, a.y) AND b.t = a.t) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM c WHERE c.x = a.x) ORDER BY id;
SELECT id FROM a WHERE x + 1 IN (SELECT c.x - 1 FROM c) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x + b.y = a.x * 2) ORDER BY id;
SELECT id FROM a WHERE (x, y) IN (SELECT x, y FROM b) ORDER BY id;
SELECT id FROM a WHERE (x, y) NOT IN (SELECT x, y FROM b) ORDER BY id;
SELECT id FROM a WHERE (y, 'c') IN (SELECT y, t FROM b) ORDER BY id;
SELECT id FROM a WHERE x = ANY (SELECT y FROM b) ORDER BY id;
SELECT id FROM a WHERE NOT x <> ALL (SELECT y FROM b) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT x FROM b WHERE b.y = a.y) ORDER BY id;
SELECT id FROM a WHERE x NOT IN (SELECT x FROM b WHERE b.y = a.y AND x > 0) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT max(x) FROM b GROUP BY y) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT x FROM b UNION SELECT z FROM c WHERE z < 3) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT DISTINCT x FROM b ORDER BY x LIMIT 2) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT x FROM b WHERE b.t = a.t ORDER BY id LIMIT 1) ORDER BY id;
SELECT id FROM a WHERE x IN (VALUES (1), (2), (NULL)) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT generate_series(4, 5)) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x LIMIT 1) AND id < 9 ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x LIMIT 0) AND id < 9 ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x OFFSET 3) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.x = a.x) AND id < 4 ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT y FROM b WHERE b.x = a.x GROUP BY y HAVING count(*) > 1) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b HAVING max(b.x) = a.x + 3) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT generate_series(1, b.x) FROM b WHERE b.id = a.id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x UNION ALL SELECT 1 FROM c WHERE c.z = a.id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT DISTINCT ON (y) y FROM b WHERE b.x = a.x ORDER BY y, id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT row_number() OVER () FROM b WHERE b.x = a.x AND b.id > 20) ORDER BY id;
-- Lists that EXISTS does not compute.
SELECT count(*) FROM a WHERE EXISTS (SELECT 1 / 0 FROM b WHERE b.x = a.x);
SELECT count(*) FROM a WHERE EXISTS (SELECT * FROM b WHERE b.x = a.x);
SELECT count(*) FROM a WHERE x IN (SELECT 1 / (b.x - b.x) FROM b);
-- Nesting, and both kinds side by side.
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND EXISTS (SELECT 1 FROM c WHERE c.x = b.y)) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = b.y AND c.z = a.id)) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = b.y)) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y IN (SELECT x FROM c)) ORDER BY id;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y NOT IN (SELECT x FROM c WHERE x < 3)) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = a.y) AND id > 5 ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT x FROM b) AND y IN (SELECT x FROM c) AND x NOT IN (SELECT z FROM c) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) OR id = 3 ORDER BY id;
SELECT id FROM a WHERE NOT (EXISTS (SELECT 1 FROM b WHERE b.x = a.x) AND id > 3) ORDER BY id;
SELECT id, EXISTS (SELECT 1 FROM b WHERE b.x = a.x) AS e, x IN (SELECT x FROM b) AS i FROM a WHERE id < 8 ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b JOIN c ON c.x = b.y WHERE b.x = a.x AND c.z > a.id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b LEFT JOIN c ON c.x = b.y WHERE b.x = a.x AND c.z IS NULL) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b JOIN c ON c.x = a.y WHERE b.x = a.x) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b, LATERAL (SELECT c.z FROM c WHERE c.x = b.y LIMIT 1) l WHERE b.x = a.x AND l.z <> a.id) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM (SELECT x, count(*) AS n FROM b GROUP BY x) g WHERE g.x = a.x AND g.n > a.y) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM generate_series(1, 3) s WHERE s = a.x) ORDER BY id;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM generate_series(1, a.y) s WHERE s = a.x) ORDER BY id;
SELECT (SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.id > c.z)) AS n, z FROM c ORDER BY z LIMIT 5;
SELECT (SELECT count(*) FROM a WHERE a.y < c.z AND EXISTS (SELECT 1 FROM b WHERE b.x = a.x)) AS n, z FROM c ORDER BY z LIMIT 5;
SELECT (SELECT count(*) FROM a WHERE a.y < c.z AND a.x NOT IN (SELECT x FROM b WHERE x > 2)) AS n, z FROM c ORDER BY z LIMIT 5;
SELECT (SELECT count(*) FROM a WHERE a.x NOT IN (SELECT x FROM b WHERE x > c.z)) AS n, z FROM c ORDER BY z LIMIT 8;
SELECT (SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x + c.z = a.x)) AS n, z FROM c ORDER BY z LIMIT 8;
-- Joins around.
SELECT a.id, b.id FROM a JOIN b ON b.id = a.id WHERE EXISTS (SELECT 1 FROM c WHERE c.x = a.x AND c.z > b.id) ORDER BY 1;
SELECT a.id, b.id FROM a, b WHERE b.x = a.x AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = a.x + b.y) AND a.id < 9 ORDER BY 1, 2;
SELECT a.id, b.id FROM a JOIN b ON b.x = a.x AND EXISTS (SELECT 1 FROM c WHERE c.x = b.y) WHERE a.id < 9 ORDER BY 1, 2;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id AND EXISTS (SELECT 1 FROM c WHERE c.x = b.y) WHERE a.id < 15 ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id AND EXISTS (SELECT 1 FROM c WHERE c.x = a.y) WHERE a.id < 15 ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = a.x AND c.z = b.id) WHERE a.id < 15 ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id + 15 WHERE EXISTS (SELECT 1 FROM c WHERE c.x = b.y) ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id + 15 WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.x = b.y) ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id + 15 WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.x = coalesce(b.y, a.y)) ORDER BY 1;
SELECT a.id, b.id FROM a LEFT JOIN b ON b.id = a.id + 15 WHERE EXISTS (SELECT 1 FROM c WHERE c.x = a.y) ORDER BY 1;
SELECT a.id, b.id FROM b RIGHT JOIN a ON b.id = a.id + 15 WHERE b.y NOT IN (SELECT x FROM c WHERE x > 1) ORDER BY 1;
SELECT a.id, b.id FROM a FULL JOIN b ON b.id = a.id + 15 WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.z = b.id) ORDER BY 1, 2;
SELECT a.id, s.n FROM a LEFT JOIN (SELECT x, count(*) AS n FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.x = b.y) GROUP BY x) s ON s.x = a.x WHERE a.id < 8 ORDER BY 1;
-- Groups, unions, common tables, views.
SELECT x, count(*) FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) GROUP BY x ORDER BY x;
SELECT x, count(*) FROM a GROUP BY x HAVING EXISTS (SELECT 1 FROM b WHERE b.x = a.x) ORDER BY x;
SELECT x, count(*) FROM a GROUP BY x HAVING NOT EXISTS (SELECT 1 FROM b WHERE b.y = count(a.y)) ORDER BY x;
SELECT x FROM a GROUP BY x HAVING EXISTS (SELECT 1 FROM b WHERE b.x = a.y);
SELECT x FROM a GROUP BY x HAVING x IN (SELECT x FROM b WHERE b.x = a.y);
SELECT x FROM (SELECT x FROM a UNION ALL SELECT z FROM c) u WHERE EXISTS (SELECT 1 FROM b WHERE b.x = u.x) ORDER BY x;
SELECT DISTINCT x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x) ORDER BY x;
SELECT * FROM (SELECT x, row_number() OVER (ORDER BY id) AS n FROM a) w WHERE EXISTS (SELECT 1 FROM c WHERE c.z = w.n) ORDER BY n LIMIT 4;
SELECT * FROM (SELECT id, x FROM a ORDER BY id LIMIT 10) l WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = l.x) ORDER BY id;
WITH w AS (SELECT id, x FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x)) SELECT * FROM w ORDER BY id;
WITH w AS MATERIALIZED (SELECT x FROM b WHERE x > 5) SELECT id FROM a WHERE EXISTS (SELECT 1 FROM w WHERE w.x = a.x) AND id IN (SELECT x * 6 FROM w) ORDER BY id;
SELECT id FROM a WHERE EXISTS (WITH w AS (SELECT * FROM b WHERE b.y = a.y) SELECT 1 FROM w WHERE w.x = a.x) ORDER BY id;
SELECT id FROM a WHERE x IN (WITH w AS (SELECT x FROM b) SELECT x + 1 FROM w) ORDER BY id;
WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE EXISTS (SELECT 1 FROM a WHERE a.id = n + 1 AND a.id < 12)) SELECT count(*), max(n) FROM r;
WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT b.id FROM b WHERE b.id - 1 IN (SELECT n FROM r)) SELECT count(*) FROM r;
CREATE VIEW v AS SELECT id, x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x);
SELECT * FROM v WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.x = v.x) ORDER BY id;
SELECT pg_get_viewdef('v'::regclass) LIKE '%EXISTS%';
-- Names from outside, errors of binding.
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.nope = a.x);
SELECT id FROM a WHERE EXISTS (SELECT nope FROM b WHERE b.x = a.x);
SELECT id FROM a WHERE x IN (SELECT x, y FROM b);
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.t = a.x);
-- Changes.
BEGIN;
UPDATE a SET t = 'u' WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = 3) RETURNING id, t;
DELETE FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x) RETURNING id;
DELETE FROM a WHERE x IN (SELECT x FROM b WHERE y = 1) AND id > 20 RETURNING id;
DELETE FROM b USING c WHERE c.z = b.id AND EXISTS (SELECT 1 FROM a WHERE a.x = b.x) RETURNING b.id;
UPDATE c SET z = z + 1 FROM b WHERE b.id = c.z AND NOT EXISTS (SELECT 1 FROM a WHERE a.x = c.x) RETURNING c.z;
UPDATE a SET x = x + 1 WHERE EXISTS (SELECT 1 FROM a o WHERE o.x = a.x + 1);
SELECT count(*), sum(x) FROM a;
INSERT INTO c SELECT x, id FROM a WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.x = a.x) RETURNING z;
ROLLBACK;
BEGIN;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = 3) ORDER BY id FOR UPDATE;
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x) ORDER BY id LIMIT 2 FOR SHARE;
SELECT a.id FROM a JOIN b ON b.id = a.id WHERE a.x IN (SELECT x FROM c) ORDER BY 1 LIMIT 3 FOR UPDATE OF b;
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x FOR UPDATE) ORDER BY id LIMIT 2;
ROLLBACK;
-- A row that has changed meanwhile is asked again.
BEGIN;
UPDATE a SET x = 0 WHERE id IN (1, 2);
UPDATE a SET x = 99 WHERE id = 5;
\session other
UPDATE a SET t = 'seen' WHERE id < 7 AND EXISTS (SELECT 1 FROM c WHERE c.x = a.x) RETURNING id, x;
\waits
\session a
COMMIT;
\session other
\finish
\session a
BEGIN;
UPDATE a SET x = 99 WHERE id = 6;
UPDATE a SET y = 77 WHERE id = 8;
\session other
DELETE FROM a WHERE id BETWEEN 6 AND 9 AND NOT EXISTS (SELECT 1 FROM c WHERE c.x = a.x) RETURNING id, y;
\waits
\session a
COMMIT;
\session other
\finish
\session a
BEGIN;
UPDATE a SET x = 5 WHERE id = 20;
UPDATE a SET x = 98 WHERE id = 22;
\session other
SELECT id, x FROM a WHERE id BETWEEN 19 AND 23 AND x IN (SELECT x FROM c) ORDER BY id FOR UPDATE;
\waits
\session a
COMMIT;
\session other
\finish
\session a
-- Parameters, and plans that are kept.
PREPARE p (int, text) AS SELECT id FROM a WHERE t <> $2 AND EXISTS (SELECT 1 FROM b WHERE b.x = a.x + $1) ORDER BY id LIMIT 5;
EXECUTE p (1, 'b');
EXECUTE p (-1, 'c');
EXECUTE p (NULL, 'c');
SELECT id FROM a WHERE x NOT IN (SELECT x + $1 FROM b WHERE x > 1) AND EXISTS (SELECT $2::int FROM c WHERE c.x = a.x) ORDER BY id LIMIT 5;
\bind 1 | 2
\bind 3 | \N
-- Little memory: the same rows.
CREATE TABLE l AS SELECT i AS k, nullif(i % 5000, 7) AS x, repeat('l', 50) || i % 3000 AS t FROM generate_series(1, 6000) i;
SET work_mem = '64kB';
SELECT count(*), sum(k) FROM l WHERE EXISTS (SELECT 1 FROM l m WHERE m.k = l.x + 2000 AND m.t <> l.t);
SELECT count(*), sum(k) FROM l WHERE NOT EXISTS (SELECT 1 FROM l m WHERE m.k = l.x + 2000);
SELECT count(*), sum(k) FROM l WHERE t IN (SELECT t FROM l m WHERE m.x < 1000);
SELECT count(*), sum(k) FROM l WHERE (x, t) NOT IN (SELECT x, t FROM l m WHERE m.x < 1000);
BEGIN;
UPDATE l SET x = -1 WHERE NOT EXISTS (SELECT 1 FROM l m WHERE m.k = l.x + 2000 AND m.t < l.t);
DELETE FROM l WHERE EXISTS (SELECT 1 FROM l m WHERE m.x = l.k);
SELECT count(*), sum(k), sum(x) FROM l;
ROLLBACK;
RESET work_mem;
-- Each key once, however many rows have it.
CREATE TABLE same AS SELECT 1 AS k, i FROM generate_series(1, 3000) i;
SELECT count(*) FROM same WHERE EXISTS (SELECT 1 FROM same o WHERE o.k = same.k);
SELECT count(*) FROM same WHERE NOT EXISTS (SELECT 1 FROM same o WHERE o.k = same.k AND o.i > 5000);
-- Where no row can match, nothing is computed of those outside.
SELECT count(*) FROM a WHERE 1 / (id - id) IN (SELECT x FROM none);
SELECT count(*) FROM a WHERE EXISTS (SELECT 1 FROM none WHERE none.x = 1 / (a.id - a.id));
SELECT count(*) FROM a WHERE NOT EXISTS (SELECT 1 FROM none WHERE none.x = 1 / (a.id - a.id));
SELECT count(*) FROM a WHERE 1 / (id - id) IN (SELECT x FROM b);
-- A query inside reads a common table that is another for each row outside.
SELECT a.id, (WITH w AS MATERIALIZED (SELECT a.id AS v) SELECT (SELECT 1 + (SELECT v FROM w))) FROM a WHERE id < 4 ORDER BY 1;
SELECT a.id, (WITH w AS MATERIALIZED (SELECT a.id AS v) SELECT max(b.id) FROM b WHERE b.id <= 5 AND b.id NOT IN (SELECT d.id FROM b d WHERE d.id < 6 AND NOT d.id = (SELECT v FROM w))) FROM a WHERE id < 4 ORDER BY 1;
SELECT a.id, (WITH w AS MATERIALIZED (SELECT a.id AS v) SELECT (SELECT sum(CASE WHEN EXISTS (SELECT 1 FROM w WHERE v = 2) THEN 1 ELSE 0 END) FROM b WHERE id < 5)) FROM a WHERE id < 4 ORDER BY 1;
SELECT a.id, (WITH w AS MATERIALIZED (SELECT a.id AS v) SELECT (SELECT max((SELECT max((SELECT v FROM w)) FROM c)) FROM none RIGHT JOIN c ON true)) FROM a WHERE id < 4 ORDER BY 1;
-- Without a row outside the query is not read.
SELECT * FROM none WHERE EXISTS (SELECT 1 FROM b WHERE b.x = none.x AND 1 / (b.y - b.y) > 0);
SELECT * FROM none WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = none.x AND 1 / (b.y - b.y) > 0);
SELECT * FROM none WHERE x IN (SELECT 1 / (y - y) FROM b);
SELECT * FROM a WHERE id < 0 AND x IN (SELECT 1 / (y - y) FROM b);
SELECT * FROM a WHERE id < 0 AND NOT EXISTS (SELECT 1 FROM b WHERE b.id = a.id AND 1 / (b.y - b.y) > 0);
CREATE TABLE few AS SELECT i AS k, i AS x FROM generate_series(1, 30) i;
SELECT g, (SELECT count(*) FROM few WHERE few.k < g % 3 * 2 AND few.x IN (SELECT z FROM c)) FROM generate_series(1, 7) g ORDER BY g;
SELECT g, (SELECT count(*) FROM few WHERE few.k < g % 3 * 2 AND few.x IN (SELECT z FROM c)) FROM generate_series(3, 9) g ORDER BY g;
SELECT g, (SELECT count(*) FROM few WHERE few.k < g % 3 * 2 AND NOT EXISTS (SELECT 1 FROM c WHERE c.z = few.k + 18)) FROM generate_series(3, 9) g ORDER BY g;
SELECT g, (SELECT count(*) FROM few WHERE few.k < g % 3 * 2 AND few.x IN (SELECT z + g - 4 FROM c)) FROM generate_series(3, 9) g ORDER BY g;
-- What a query compares is computed of rows that its own conditions let through, those that read the row outside among them.
SELECT id FROM a WHERE x IN (SELECT 6 / b.y FROM b WHERE b.y = a.y) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT 6 / b.y FROM b WHERE b.y = a.y AND a.y > 0) ORDER BY id;
SELECT id FROM a WHERE x + 1 = ANY (SELECT (6 / b.y)::int FROM b WHERE b.x = a.x AND a.y < b.y) ORDER BY id;
SELECT id FROM a WHERE (x, t) IN (SELECT 6 / b.y, b.t FROM b WHERE b.x = a.x AND a.y < b.y) ORDER BY id;
SELECT id FROM a WHERE a.y = 1 AND x IN (SELECT (b.t || '0')::int FROM b WHERE b.x = a.x AND a.y > 1) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT g.v FROM (SELECT 6 / y AS v, x, y FROM b) g WHERE g.x = a.x AND a.y < g.y) ORDER BY id;
SELECT id FROM a WHERE x IN (SELECT g.v FROM c JOIN (SELECT 6 / y AS v, x, y FROM b) g ON c.x = g.x WHERE c.x = a.x AND a.y < g.y) ORDER BY id;
