-- Parameters where nobody gives values, and where a statement stands around the one that has them.
CREATE TABLE t (id int PRIMARY KEY, s text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
SELECT $1;
SELECT id FROM t WHERE id = $1;
SELECT 1; SELECT $2::int;
INSERT INTO t VALUES ($1, 'x');
UPDATE t SET s = $1;
DELETE FROM t WHERE id = $1 RETURNING s;
WITH x AS (SELECT $1::int AS n) SELECT n FROM x;
SELECT id FROM t ORDER BY id LIMIT $1;
INSERT INTO t VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET s = $1;
EXPLAIN (COSTS OFF) SELECT $1::int;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT $1::int;
DECLARE c CURSOR WITH HOLD FOR SELECT $1::int;
COPY (SELECT $1::int) TO STDOUT;
COPY t FROM STDIN WHERE id > $1;
\.
CREATE TABLE made AS SELECT $1::int AS n;
SELECT $1::int AS n INTO made;
CREATE VIEW seen AS SELECT $1::int AS n;
PREPARE p (int) AS SELECT $1 + 1;
EXECUTE p ($1);
EXECUTE p (1);
-- The same text with and without values.
SELECT s FROM t WHERE id = $1;
\bind 1
SELECT s FROM t WHERE id = $1;
SELECT s FROM t WHERE id = $1;
\bind 2
COPY (SELECT $1::int) TO STDOUT;
\bind
EXPLAIN (COSTS OFF) SELECT 1 FROM t WHERE s = $1;
\bind
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1 / $1;
\bind 1
\bind 0
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) INSERT INTO t VALUES ($1, $2);
\bind 3 | three
\bind 4 | \N
\bind 4 | \N
SELECT id, s FROM t ORDER BY id;
EXPLAIN (COSTS OFF) SELECT nosuch FROM t WHERE id = $1;
\bind 1
