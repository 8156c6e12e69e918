-- Temporary tables, sequences and views: where they are, who sees them, and when they go.
SELECT * FROM pg_temp.t;
SELECT pg_my_temp_schema(), current_schemas(true);
CREATE TABLE perm (a int PRIMARY KEY);
INSERT INTO perm VALUES (1), (2);
CREATE TEMP TABLE t (a int PRIMARY KEY, b serial, c text DEFAULT 'x');
INSERT INTO t (a) VALUES (1), (2), (3);
SELECT * FROM t ORDER BY a;
SELECT * FROM pg_temp.t ORDER BY a;
SELECT relname, relpersistence, relkind, relnamespace = pg_my_temp_schema() AS own, pg_is_other_temp_schema(relnamespace) AS other FROM pg_class WHERE relname IN ('t', 't_pkey', 't_b_seq', 'perm') ORDER BY 1;
SELECT 't'::regclass, 'pg_temp.t'::regclass = 't'::regclass AS same, pg_table_is_visible('t'::regclass) AS visible;
SELECT regexp_replace(array_to_string(current_schemas(true), ','), '[0-9]+', 'N'), current_schema(), current_schemas(false);
SELECT table_type, table_name FROM information_schema.tables WHERE table_name IN ('t', 'perm') ORDER BY 2;
SELECT regexp_replace(pg_get_expr(adbin, adrelid), '_[0-9]+', '_N') FROM pg_attrdef WHERE adrelid = 't'::regclass ORDER BY adnum;

-- A temporary table hides another of its name.
CREATE TEMP TABLE perm (b text);
SELECT * FROM perm;
SELECT * FROM public.perm ORDER BY 1;
DROP TABLE perm;
SELECT * FROM perm ORDER BY 1;

-- Other sessions do not see it.
\session b
SELECT * FROM t;
SELECT * FROM pg_temp.t;
CREATE TEMPORARY TABLE t (z int);
INSERT INTO t VALUES (42);
SELECT * FROM t;
SELECT count(*) FROM pg_class WHERE relname = 't' AND relpersistence = 't';
SELECT count(*) FROM information_schema.tables WHERE table_name = 't';
SELECT count(*) FROM pg_class WHERE relname = 't' AND pg_is_other_temp_schema(relnamespace);
\session a
SELECT count(*) FROM t;

-- Names.
CREATE TEMP TABLE public.t2 (a int);
CREATE TEMP TABLE nosuch.t2 (a int);
CREATE TABLE pg_temp.t2 (a int);
INSERT INTO t2 VALUES (7);
SELECT * FROM pg_temp.t2;
CREATE TEMP TABLE t (a int);
CREATE TEMP TABLE IF NOT EXISTS t (a int);
CREATE LOCAL TEMPORARY TABLE lo (a int);
ALTER TABLE t2 SET SCHEMA public;
ALTER TABLE perm SET SCHEMA pg_temp;
ALTER TABLE t2 RENAME TO t3;
ALTER TABLE t3 ADD COLUMN b int DEFAULT 5;
SELECT * FROM t3;
CREATE INDEX t3_a ON t3 (a);
SELECT relpersistence FROM pg_class WHERE relname = 't3_a';
TRUNCATE t3;
SELECT * FROM t3;
DROP TABLE pg_temp.t3;
CREATE SCHEMA pg_temp_77;
CREATE TABLE x (a int) ON COMMIT DROP;
CREATE TABLE x ON COMMIT DELETE ROWS AS SELECT 1;
CREATE TEMP TABLE x (a int) ON COMMIT NOTHING;
CREATE TABLE pg_temp_99.x (a int);
CREATE TEMP SCHEMA x;
CREATE TEMP INDEX x ON t (a);

-- Along a search path that names pg_temp.
SET search_path = pg_temp, public;
CREATE TABLE via (a int);
SELECT relpersistence FROM pg_class WHERE oid = 'via'::regclass;
SELECT regexp_replace(array_to_string(current_schemas(true), ','), '[0-9]+', 'N'), regexp_replace(current_schema(), '[0-9]+', 'N');
SET search_path = public, pg_temp;
CREATE TEMP TABLE perm (b text);
SELECT * FROM perm ORDER BY 1;
SELECT * FROM pg_temp.perm;
CREATE TABLE via2 (a int);
SELECT relpersistence FROM pg_class WHERE oid = 'via2'::regclass;
DROP TABLE pg_temp.perm;
RESET search_path;

-- References stay on one side.
CREATE TEMP TABLE f1 (a int REFERENCES perm);
CREATE TABLE f2 (a int REFERENCES t);
CREATE TEMP TABLE f3 (a int REFERENCES t ON DELETE CASCADE);
INSERT INTO f3 VALUES (1);
DELETE FROM t WHERE a = 1;
SELECT * FROM f3;

-- Views that read what is temporary are temporary.
CREATE VIEW v AS SELECT a FROM t;
SELECT relpersistence FROM pg_class WHERE relname = 'v';
SELECT * FROM v ORDER BY 1;
CREATE VIEW public.v2 AS SELECT a FROM t;
CREATE TEMP VIEW tv AS SELECT a FROM perm;
CREATE OR REPLACE TEMP VIEW tv AS SELECT a FROM perm WHERE a > 1;
SELECT * FROM tv;
CREATE OR REPLACE VIEW pv AS SELECT a FROM perm;
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('tv', 'pv') ORDER BY 1;
DROP TABLE t;
DROP VIEW v;

-- Sequences.
CREATE TEMP SEQUENCE s;
SELECT nextval('s'), nextval('pg_temp.s'), 's'::regclass;
DROP SEQUENCE s;

-- ON COMMIT.
CREATE TEMP TABLE pr (a int) ON COMMIT PRESERVE ROWS;
CREATE TEMP TABLE de (a int PRIMARY KEY) ON COMMIT DELETE ROWS;
INSERT INTO pr VALUES (1);
INSERT INTO de VALUES (1);
SELECT * FROM pr;
SELECT * FROM de;
BEGIN;
INSERT INTO de VALUES (1), (2);
INSERT INTO pr VALUES (2);
SELECT * FROM de ORDER BY 1;
COMMIT;
SELECT * FROM de;
SELECT * FROM pr ORDER BY 1;
BEGIN;
INSERT INTO de VALUES (1), (2);
SAVEPOINT s;
DELETE FROM de WHERE a = 1;
ROLLBACK TO s;
SELECT * FROM de ORDER BY 1;
ROLLBACK;
SELECT * FROM de;
CREATE TEMP TABLE gone (a int) ON COMMIT DROP;
SELECT * FROM gone;
BEGIN;
CREATE TEMP TABLE gone (a serial, b text) ON COMMIT DROP;
CREATE VIEW gone_view AS SELECT * FROM gone;
INSERT INTO gone (b) VALUES ('x');
SELECT * FROM gone_view;
COMMIT;
SELECT * FROM gone;
SELECT count(*) FROM pg_class WHERE relname LIKE 'gone%';
BEGIN;
CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT 1 AS a;
SELECT * FROM kept;
ROLLBACK;
SELECT * FROM kept;
BEGIN;
SAVEPOINT s;
CREATE TEMP TABLE undone (a int) ON COMMIT DROP;
ROLLBACK TO s;
CREATE TEMP TABLE undone (a int) ON COMMIT DELETE ROWS;
INSERT INTO undone VALUES (1);
COMMIT;
SELECT * FROM undone;
CREATE TEMP TABLE re (a int REFERENCES de);
SELECT * FROM re;
CREATE TEMP TABLE re (a int REFERENCES de) ON COMMIT DELETE ROWS;
BEGIN;
INSERT INTO de VALUES (1);
INSERT INTO re VALUES (1);
COMMIT;
SELECT * FROM re;
SELECT * FROM de;
INSERT INTO de VALUES (5); SELECT * FROM de; INSERT INTO de VALUES (6);
SELECT * FROM de;

-- CREATE TABLE AS and SELECT INTO.
CREATE TEMP TABLE asq AS SELECT a, a * 2 AS b FROM perm;
SELECT * FROM asq ORDER BY 1;
CREATE TEMP TABLE asq2 (x, y) ON COMMIT PRESERVE ROWS AS SELECT a, a * 2 AS b FROM perm WITH NO DATA;
SELECT * FROM asq2;
SELECT a INTO TEMP inq FROM perm;
SELECT a INTO TEMPORARY TABLE inq2 FROM perm;
SELECT * FROM inq ORDER BY 1;
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('asq', 'inq', 'inq2') ORDER BY 1;
SELECT 1 INTO TEMP public.q;

-- Rolled back, the schema is not there either.
\session c
BEGIN;
CREATE TEMP TABLE r (a int);
SELECT pg_my_temp_schema() <> 0 AS there;
ROLLBACK;
SELECT * FROM r;
BEGIN;
CREATE TEMP TABLE r (a int);
INSERT INTO r VALUES (1);
COMMIT;
SELECT * FROM r;
BEGIN READ ONLY;
SELECT * FROM r;
DISCARD TEMP;
SELECT * FROM r;
ROLLBACK;
SELECT * FROM r;
BEGIN READ ONLY;
CREATE TEMP TABLE r2 (a int);
ROLLBACK;

-- DISCARD.
\session a
CREATE TEMP SEQUENCE s2;
DISCARD TEMP;
SELECT * FROM pr;
SELECT nextval('s2');
SELECT * FROM tv;
SELECT * FROM perm ORDER BY 1;
CREATE TEMP TABLE again (a int);
BEGIN;
DISCARD TEMPORARY;
SELECT * FROM again;
ROLLBACK;
SELECT * FROM again;
BEGIN;
DISCARD ALL;
ROLLBACK;
DISCARD ALL;
SELECT * FROM again;
SELECT * FROM pv ORDER BY 1;
\session b
SELECT * FROM t;
