-- CREATE VIEW, what reads it, what keeps it, and what falls with it.
CREATE TABLE t (a int PRIMARY KEY, b text, c numeric(10,2), d date);
CREATE TABLE u (a int, x int);
INSERT INTO t VALUES (1, 'one', 1.50, '2024-01-01'), (2, 'two', 2.25, '2024-02-02'), (3, NULL, NULL, NULL);
INSERT INTO u VALUES (1, 10), (1, 11), (3, 30);
CREATE VIEW v AS SELECT * FROM t;
SELECT * FROM v ORDER BY a;
SELECT v.a, v.* FROM v WHERE a > 1 ORDER BY a;
SELECT public.v.b FROM public.v WHERE v.a = 1;
SELECT count(v) FROM v;
SELECT count(*), max(c) FROM v;
SELECT x.q, y.b FROM v AS x(q) JOIN v y ON x.q = y.a ORDER BY x.q;
SELECT * FROM v JOIN u USING (a) ORDER BY a, x;
SELECT * FROM u LEFT JOIN v ON u.a = v.a AND v.b IS NOT NULL ORDER BY x;
SELECT b, (SELECT sum(x) FROM u WHERE u.a = v.a) FROM v ORDER BY a;
SELECT b FROM v WHERE EXISTS (SELECT FROM u WHERE u.a = v.a) ORDER BY b;
SELECT u.x, l.b FROM u, LATERAL (SELECT b FROM v WHERE v.a = u.a) l ORDER BY u.x;
-- Views of views, with names of their own, grouping, windows, set operations, common tables, parameters.
CREATE VIEW w (n, total) AS SELECT v.a, sum(x) FROM v JOIN u ON u.a = v.a GROUP BY v.a;
SELECT * FROM w ORDER BY n;
SELECT n, total FROM w WHERE n = $1;
\bind 1
CREATE VIEW ranked AS SELECT a, x, row_number() OVER (PARTITION BY a ORDER BY x DESC) AS place FROM u;
SELECT * FROM ranked WHERE place = 1 ORDER BY a;
CREATE VIEW both_sides AS SELECT a FROM t UNION SELECT x FROM u ORDER BY 1 DESC LIMIT 3;
SELECT * FROM both_sides;
CREATE VIEW counted AS WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r;
SELECT sum(n) FROM counted;
WITH t AS (SELECT 42 AS a), u AS (SELECT 1) SELECT v.a FROM v ORDER BY a;
CREATE VIEW literal AS SELECT 'x', 1 AS one, NULL AS nothing, 'y'::varchar(3) AS y;
SELECT * FROM literal;
CREATE VIEW "Odd ""Name" AS SELECT a AS "A b", t.b AS "select" FROM t AS "T t"(a), t WHERE "T t".a = t.a;
SELECT * FROM "Odd ""Name" ORDER BY 1;
CREATE VIEW answers AS VALUES (1, 'a'), (2, 'b');
SELECT column2 FROM answers ORDER BY 1;
CREATE VIEW correlated AS SELECT a, (SELECT max(x) FROM u WHERE u.a = t.a) AS best FROM t;
SELECT * FROM correlated ORDER BY a;
-- What comes to a table later is not in the view; a dropped and added column is another one.
ALTER TABLE t ADD COLUMN e int DEFAULT 7;
SELECT * FROM v ORDER BY a;
ALTER TABLE u ADD COLUMN b int DEFAULT 9;
CREATE VIEW joined AS SELECT b FROM t NATURAL JOIN (SELECT a, x FROM u) s;
SELECT * FROM joined ORDER BY b;
ALTER TABLE u ADD COLUMN best int DEFAULT 1;
SELECT * FROM correlated ORDER BY a;
-- The search path of a reader says nothing.
CREATE SCHEMA s;
CREATE TABLE s.t (a int, b text, c numeric, d date);
SET search_path TO s, public;
SELECT count(*) FROM v;
CREATE VIEW inner_view AS SELECT a FROM t;
RESET search_path;
SELECT count(*) FROM s.inner_view;
-- Settings of a reader neither.
SET timezone TO 'America/New_York';
CREATE VIEW moments AS SELECT timestamptz '2024-06-01 12:00' AS m, '2024-06-01 12:00'::timestamptz AS n WHERE timestamptz '2024-06-01 12:00+00' < '2024-06-01 12:00';
SET timezone TO 'UTC';
SELECT * FROM moments;
-- Errors of making one.
CREATE VIEW v AS SELECT 1;
CREATE VIEW t AS SELECT 1;
CREATE VIEW d AS SELECT a, a FROM t;
CREATE VIEW e AS SELECT $1;
CREATE VIEW g (a, b, c) AS SELECT 1;
CREATE VIEW h AS SELECT * FROM nope;
CREATE VIEW h AS SELECT nope FROM t;
CREATE VIEW nope.h AS SELECT 1;
CREATE VIEW h AS INSERT INTO t VALUES (9) RETURNING a;
-- Replacing.
CREATE VIEW k (x) AS SELECT a, b FROM t;
CREATE OR REPLACE VIEW k AS SELECT a, b FROM t;
CREATE OR REPLACE VIEW k AS SELECT a AS x FROM t;
CREATE OR REPLACE VIEW k AS SELECT a::text AS x, b FROM t;
CREATE OR REPLACE VIEW k AS SELECT a AS x, b, a * 2 AS twice FROM t WHERE a < 3;
SELECT * FROM k ORDER BY x;
CREATE VIEW on_k AS SELECT * FROM k;
CREATE OR REPLACE VIEW k AS SELECT a AS x, b, a * 3 AS twice, 'new' AS more FROM t;
SELECT * FROM on_k ORDER BY x;
SELECT * FROM k ORDER BY x;
CREATE OR REPLACE VIEW t AS SELECT 1;
CREATE OR REPLACE VIEW fresh AS SELECT 1 AS one;
SELECT * FROM fresh;
-- What depends on what.
DROP TABLE u;
DROP TABLE t;
DROP VIEW k;
ALTER TABLE u DROP COLUMN x;
ALTER TABLE t DROP COLUMN e;
ALTER TABLE t DROP COLUMN c;
DROP TABLE k;
DROP VIEW t;
DROP VIEW nope;
DROP VIEW IF EXISTS nope;
DROP VIEW k, on_k;
ALTER TABLE t DROP COLUMN d CASCADE;
SELECT * FROM v;
CREATE VIEW grouped AS SELECT a, b, count(*) FROM t GROUP BY a;
ALTER TABLE t DROP CONSTRAINT t_pkey;
CREATE SEQUENCE q;
CREATE VIEW of_q AS SELECT is_called FROM q;
SELECT * FROM of_q;
DROP SEQUENCE q;
DROP SEQUENCE q CASCADE;
DROP SCHEMA s;
DROP SCHEMA s CASCADE;
-- Other statements that a view is none for.
CREATE INDEX ON w (n);
TRUNCATE w;
ALTER TABLE w ADD COLUMN z int;
VACUUM w;
ANALYZE w;
COPY w TO STDOUT;
COPY w FROM STDIN;
\.
COPY (SELECT * FROM ranked ORDER BY a, x) TO STDOUT;
-- Renaming.
ALTER VIEW ranked RENAME TO ordered;
ALTER TABLE ordered RENAME TO ranked;
ALTER VIEW ranked RENAME COLUMN place TO rank;
ALTER VIEW ranked RENAME nope TO rank;
ALTER VIEW ranked RENAME a TO rank;
ALTER VIEW ranked RENAME TO t;
ALTER VIEW t RENAME TO t9;
ALTER VIEW nope RENAME TO t9;
ALTER VIEW IF EXISTS nope RENAME TO t9;
SELECT * FROM ranked ORDER BY a, x;
ALTER TABLE u RENAME TO u2;
SELECT a, x FROM ranked ORDER BY x;
SELECT a, best FROM correlated ORDER BY a;
ALTER TABLE u2 RENAME TO u;
-- Transactions.
BEGIN;
CREATE VIEW passing AS SELECT 1 AS one;
SELECT * FROM passing;
LOCK TABLE ranked IN SHARE MODE;
ROLLBACK;
SELECT * FROM passing;
BEGIN;
CREATE TABLE young (a int);
INSERT INTO young VALUES (5);
CREATE VIEW on_young AS SELECT a + 1 AS b FROM young;
SELECT * FROM on_young;
COMMIT;
SELECT * FROM on_young;
DROP TABLE young CASCADE;
-- Row locks reach through.
BEGIN;
SELECT a FROM both_sides FOR UPDATE;
ROLLBACK;
BEGIN;
CREATE VIEW plain AS SELECT a, x FROM u;
COMMIT;
BEGIN;
SELECT a FROM plain WHERE x = 30 FOR UPDATE;
\session b
SELECT a FROM u WHERE x = 30 FOR UPDATE NOWAIT;
SELECT a FROM plain WHERE x = 30 FOR UPDATE SKIP LOCKED;
SELECT a FROM plain WHERE x = 10 FOR UPDATE OF plain;
\session a
COMMIT;
-- What the catalogs say.
SELECT relname, relkind, relhasrules, relnatts FROM pg_class WHERE relname IN ('ranked', 'w') ORDER BY 1;
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 'ranked'::regclass ORDER BY attnum;
SELECT table_name, table_type, is_insertable_into FROM information_schema.tables WHERE table_name = 'w';
SELECT column_name, ordinal_position, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'ranked' ORDER BY 2;
SELECT view_name, table_name FROM information_schema.view_table_usage WHERE view_name = 'correlated' ORDER BY 1, 2;
SELECT view_name, table_name, column_name FROM information_schema.view_column_usage WHERE view_name = 'correlated' ORDER BY 1, 2, 3;
SELECT schemaname, viewname, viewowner, definition IS NOT NULL FROM pg_views WHERE viewname = 'w';
SELECT pg_get_viewdef('t'::regclass), pg_get_viewdef('w'::regclass) IS NOT NULL, pg_get_viewdef('public.w') IS NOT NULL;
SELECT pg_get_viewdef('nope');
SELECT rulename, ev_class::regclass, ev_type, is_instead FROM pg_rewrite WHERE ev_class = 'w'::regclass;
SELECT d.refobjid::regclass, d.refobjsubid, d.deptype FROM pg_depend d JOIN pg_rewrite r ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass WHERE r.ev_class = 'correlated'::regclass ORDER BY 1, 2, 3;
SELECT has_table_privilege('w', 'SELECT'), has_column_privilege('w', 'n', 'SELECT');
\unsupported
CREATE RECURSIVE VIEW rv (n) AS VALUES (1);
CREATE VIEW cv WITH (security_barrier) AS SELECT a FROM t;
CREATE VIEW cv AS SELECT 't'::regclass;
ALTER VIEW w ALTER COLUMN n SET DEFAULT 1;
