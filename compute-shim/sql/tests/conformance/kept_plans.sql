-- Plans that are kept while other objects change, and made anew when theirs do.
CREATE TABLE t (a int PRIMARY KEY, b text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
CREATE TABLE u (k int);
CREATE SCHEMA early;
CREATE VIEW v AS SELECT a FROM t;
CREATE VIEW w AS SELECT a + 1 AS n FROM v;
PREPARE p AS SELECT * FROM t ORDER BY a;
PREPARE q AS SELECT n FROM w ORDER BY n;
PREPARE d (int) AS DELETE FROM t WHERE a = $1;
PREPARE n AS SELECT count(*) FROM t WHERE b = 'log';
EXECUTE p;
EXECUTE q;
EXECUTE n;
CREATE TABLE other (x int);
ALTER TABLE other ADD COLUMN y int;
CREATE INDEX ON other (y);
ANALYZE other;
DROP TABLE other;
EXECUTE p;
EXECUTE q;
CREATE INDEX t_b ON t (b);
EXECUTE n;
DROP INDEX t_b;
EXECUTE n;
SET search_path = early, public;
EXECUTE p;
SELECT * FROM t ORDER BY a;
CREATE TABLE early.t (a int, b text);
INSERT INTO early.t VALUES (9, 'early');
SELECT * FROM t ORDER BY a;
EXECUTE q;
ALTER TABLE early.t RENAME TO s;
SELECT * FROM t ORDER BY a;
EXECUTE p;
ALTER TABLE early.s RENAME TO t;
SELECT * FROM t ORDER BY a;
DROP TABLE early.t;
SELECT * FROM t ORDER BY a;
EXECUTE p;
RESET search_path;
-- A view below a view.
CREATE OR REPLACE VIEW v AS SELECT a * 10 AS a FROM t;
EXECUTE q;
-- A key that comes to refer to the table.
CREATE TABLE child (r int REFERENCES t);
INSERT INTO child VALUES (2);
EXECUTE d (2);
ALTER TABLE child DROP CONSTRAINT child_r_fkey, ADD FOREIGN KEY (r) REFERENCES t ON DELETE CASCADE;
EXECUTE d (2);
SELECT * FROM child;
DROP TABLE child;
EXECUTE d (1);
EXECUTE p;
-- Columns, and what other sessions do.
ALTER TABLE t ADD COLUMN c int;
EXECUTE p;
ALTER TABLE t DROP COLUMN c;
EXECUTE p;
\session b
CREATE TEMPORARY TABLE t (a text);
ALTER TABLE public.t RENAME TO moved;
\session a
EXECUTE p;
\session b
ALTER TABLE public.moved RENAME TO t;
INSERT INTO public.t VALUES (5, 'five');
\session a
EXECUTE p;
CREATE TEMPORARY TABLE t (a int, b text);
EXECUTE p;
DROP TABLE t;
EXECUTE p;
BEGIN;
CREATE TABLE early.x (a int);
EXECUTE p;
ALTER TABLE t RENAME b TO bb;
EXECUTE p;
ROLLBACK;
EXECUTE p;
CREATE TYPE mood AS ENUM ('a');
PREPARE e AS SELECT 'a'::mood;
EXECUTE e;
PREPARE r AS SELECT 'nope'::regclass;
PREPARE r AS SELECT to_regclass('nope');
EXECUTE r;
CREATE TABLE nope (a int);
EXECUTE r;
