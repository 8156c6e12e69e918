-- pg_stat_statements: recorded on a server with shared_preload_libraries = pg_stat_statements.
\session a
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
RESET client_min_messages;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public VERSION '1.4' CASCADE;
DROP EXTENSION IF EXISTS nothing_like_that;
DROP EXTENSION nothing_like_that;
SELECT extname, extversion FROM pg_extension WHERE extname = 'pg_stat_statements';
SELECT * FROM pg_available_extensions WHERE name = 'pg_stat_statements';
BEGIN READ ONLY;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
ROLLBACK;
CREATE TABLE t (a int PRIMARY KEY, b text);
CREATE TABLE u (a int, c numeric(5,2));
CREATE VIEW statements AS SELECT s.query, s.calls, s.rows, s.toplevel, s.plans FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() ORDER BY s.query COLLATE "C";
SELECT pg_stat_statements_reset();
-- Constants are left out; case and blanks say nothing.
INSERT INTO t VALUES (1, 'one'), (2, NULL);
INSERT INTO t VALUES (3, 'three'), (4, 'four');
SELECT * FROM t WHERE a = 1;
select *  from T where a = -2;
SELECT b FROM t WHERE a IN (1, 2, 3) ORDER BY a DESC, 1 LIMIT 2;
SELECT b FROM t WHERE a IN (1, 3, 4) ORDER BY a DESC, 1 LIMIT 1;
SELECT count(*) FROM t WHERE a BETWEEN -1 AND 2 - 3 OR b LIKE 'x!%' ESCAPE '!';
SELECT a - 1, (a) -1, - 1, -1::int, 'a'::varchar(10), CAST('1.5' AS numeric(5,2)) FROM t;
SELECT date '2020-01-01', interval '1' day, timestamp(3) '2020-01-01 10:00', E'\n', $$x$$, 'a'
'b';
SELECT extract(year FROM date '2020-01-01'), TRUE, NULL, b IS NOT NULL, (a > 1) IS NOT TRUE FROM t;
SELECT a, 1 AS one FROM t GROUP BY 1, 2 ORDER BY 1, 2 DESC LIMIT ALL OFFSET 1;
SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM t;
SELECT x FROM (SELECT a + 1 AS x FROM t ORDER BY 1) s WHERE x > 2;
SELECT ('{1,2}'::int[])[1], '{3}'::int[3], ARRAY[1, 2];
SELECT CASE WHEN a = 1 THEN 'x' ELSE NULL END FROM t;
UPDATE t SET b = 'zwei' WHERE a = 2;
UPDATE t SET b = NULL WHERE a > 2 RETURNING a;
DELETE FROM t WHERE a = 99;
WITH w AS (SELECT 1 AS n) SELECT n FROM w;
SELECT * FROM statements;
SELECT pg_stat_statements_reset();
-- What fails is not counted; statements without a plan are counted by their text.
SELECT 1 / 0;
SELECT nothing_of_that;
BEGIN;
BEGIN;
  SAVEPOINT  s ;
ROLLBACK TO s;
COMMIT;
SET work_mem = '5MB';
SET work_mem = '6MB';
SHOW work_mem;
EXPLAIN (COSTS OFF) SELECT 1;
CREATE TABLE v AS SELECT a FROM t;
DROP TABLE v;
BEGIN;
DECLARE c CURSOR FOR SELECT a FROM t;
FETCH 2 FROM c;
MOVE 1 FROM c;
CLOSE c;
COMMIT;
COPY t (a, b) FROM STDIN;
10	ten
11	eleven
\.
COPY t (a) TO STDOUT;
TRUNCATE u;
SELECT * FROM statements;
SELECT pg_stat_statements_reset();
-- Prepared statements are counted as what they are.
PREPARE p (int) AS SELECT a FROM t WHERE a > $1 AND a < 4 LIMIT 2;
EXECUTE p (1);
EXECUTE p (2);
DEALLOCATE p;
SELECT a FROM t WHERE a > 2 AND a < 4 LIMIT 2;
SELECT b FROM t WHERE a = $1 AND b <> 'x';
\bind 1
\bind 2
-- Several statements in one message.
SELECT 'ä', 1; -- a comment
 SELECT 2 ; INSERT INTO u VALUES (1, 2.5), (2, 3);
/* who asks */ SELECT 'x' WHERE 1 = 2;
SELECT * FROM statements;
-- The same words about another table are another statement.
SELECT pg_stat_statements_reset();
CREATE SCHEMA s;
CREATE TABLE s.t (a int);
SELECT count(*) FROM t;
SET search_path = s, public, pg_catalog;
SELECT count(*) FROM t;
SELECT count(*) FROM t;
RESET search_path;
SELECT query, calls FROM statements WHERE query LIKE 'SELECT count%' ORDER BY calls;
-- A column called rows was once taken for ROWS FROM.
SELECT calls, rows FROM pg_stat_statements WHERE query = 'CREATE SCHEMA s';
SELECT rows FROM (SELECT rows FROM pg_stat_statements WHERE query = 'CREATE SCHEMA s') q WHERE rows IN (SELECT rows FROM pg_stat_statements);
SELECT a, b FROM pg_stat_statements_info, ROWS FROM (generate_series(1, 2), generate_series(3, 3)) AS f (a, b);
SELECT a, b FROM (ROWS FROM (generate_series(1, 2), generate_series(3, 3)) AS f (a, b) JOIN pg_stat_statements_info ON true);
-- One statement is forgotten.
SELECT pg_stat_statements_reset(userid, dbid, queryid) FROM pg_stat_statements WHERE query = 'SET search_path = s, public, pg_catalog';
SELECT pg_stat_statements_reset(0, 1);
SELECT pg_stat_statements_reset(userid => 0, dbid => 1, queryid => 2);
SELECT count(*) FROM statements WHERE query LIKE 'SET%';
-- Of all that is counted.
SELECT pg_stat_statements_reset();
SELECT a FROM t ORDER BY a;
SELECT plans, total_plan_time, min_plan_time, max_plan_time, mean_plan_time, stddev_plan_time, calls, total_exec_time > 0 AS total, min_exec_time = total_exec_time AS min, max_exec_time = mean_exec_time AS max, stddev_exec_time, rows, shared_blks_hit + shared_blks_read > 0 AS blocks, shared_blks_dirtied, shared_blks_written, local_blks_hit, local_blks_read, local_blks_dirtied, local_blks_written, temp_blks_read, temp_blks_written, blk_read_time, blk_write_time, temp_blk_read_time, temp_blk_write_time, wal_records, wal_fpi, wal_bytes, jit_functions, jit_generation_time, jit_inlining_count, jit_inlining_time, jit_optimization_count, jit_optimization_time, jit_emission_count, jit_emission_time FROM pg_stat_statements WHERE query = 'SELECT a FROM t ORDER BY a';
SELECT query, calls FROM pg_stat_statements(showtext => false) WHERE queryid = (SELECT queryid FROM pg_stat_statements WHERE query = 'SELECT a FROM t ORDER BY a' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()));
SELECT dealloc, stats_reset <= now(), pg_typeof(stats_reset) FROM pg_stat_statements_info;
SELECT dealloc FROM pg_stat_statements_info();
-- What a session wants counted.
SHOW pg_stat_statements.max;
SHOW pg_stat_statements.track;
SET pg_stat_statements.max = 100;
SET pg_stat_statements.track = 'none';
SELECT pg_stat_statements_reset();
SELECT 1;
SET pg_stat_statements.track = 'top';
SET pg_stat_statements.track_utility = off;
SELECT 2;
SET work_mem = '7MB';
SET pg_stat_statements.track_utility = on;
SET compute_query_id = off;
SELECT 3;
RESET compute_query_id;
SET pg_stat_statements.track_planning = on;
SELECT 4;
SELECT 5;
SET pg_stat_statements.track_planning = off;
SELECT * FROM statements WHERE query NOT LIKE '%reset%';
SET pg_stat_statements.track = 'nested';
