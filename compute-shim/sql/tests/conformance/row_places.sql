-- ctid and values of type tid. Numbers are not compared: they are made otherwise here.
SELECT '(1,2)'::tid, '(0,0)'::tid, '(4294967295,65535)'::tid, '( 7, 3)'::tid, '(-1,2)'::tid, '(010,+2)xyz'::tid, 'a(1,2)'::tid, '(,)'::tid;
SELECT '(4294967296,1)'::tid;
SELECT '(1,65536)'::tid;
SELECT '(1,-1)'::tid;
SELECT '(1,2'::tid;
SELECT ' (1 ,2)'::tid;
SELECT 'x'::tid;
SELECT '((1,2)'::tid;
SELECT '(99999999999999999999999,2)'::tid;
SELECT '(1,2)'::tid = '(1,2)', '(1,2)'::tid <> '(1,2)', '(1,2)'::tid < '(1,3)', '(1,9)'::tid < '(2,1)', '(2,0)'::tid >= '(1,65535)', '(4294967295,1)'::tid > '(1,1)', '(1,2)'::tid <= NULL;
SELECT min(x), max(x), count(DISTINCT x) FROM (VALUES ('(1,2)'::tid), ('(0,9)'), ('(1,10)'), ('(1,10)')) v (x);
SELECT x FROM (VALUES ('(1,2)'::tid), ('(0,9)'), ('(1,10)'), (NULL)) v (x) ORDER BY x DESC;
SELECT to_json('(1,2)'::tid), ARRAY['(1,2)'::tid, '(3,4)'], ROW('(1,2)'::tid), '(1,2)'::tid::text || '!', pg_typeof('(1,2)'::tid), '{"(1,2)"}'::tid[];
SELECT '(1,2)'::tid + 1;
SELECT sum('(1,2)'::tid);
SELECT 5::tid;
SELECT $1::tid, $1::text;
\bind (3,4)
CREATE TABLE places (p tid PRIMARY KEY, q tid[], r tid DEFAULT '(5,5)');
INSERT INTO places VALUES ('(2,1)', '{"(1,1)","(2,2)"}'), ('(1,9)', NULL), ('(0,65535)', '{}');
SELECT * FROM places ORDER BY p;
SELECT * FROM places WHERE p = '(1,9)';
SELECT p FROM places WHERE p > '(0,65535)' ORDER BY p DESC;
INSERT INTO places VALUES ('(2,1)');
COPY places TO STDOUT;
-- Rows without a primary key: doubles are told apart and deleted.
CREATE TABLE d (a int, b text);
INSERT INTO d VALUES (1, 'x'), (1, 'x'), (2, 'y'), (1, 'x'), (3, 'z'), (3, 'z');
SELECT count(*), count(DISTINCT ctid), count(ctid), bool_and(ctid = ctid), pg_typeof(min(ctid)) FROM d;
SELECT a, b, row_number() OVER (PARTITION BY a, b ORDER BY ctid) FROM d ORDER BY a, b, ctid;
BEGIN;
DELETE FROM d WHERE ctid NOT IN (SELECT min(ctid) FROM d GROUP BY a, b);
SELECT * FROM d ORDER BY a;
ROLLBACK;
BEGIN;
DELETE FROM d WHERE ctid IN (SELECT min(ctid) FROM d GROUP BY a, b) RETURNING a, b;
SELECT * FROM d ORDER BY a;
ROLLBACK;
BEGIN;
DELETE FROM d x USING d y WHERE x.ctid < y.ctid AND x.a = y.a AND x.b = y.b RETURNING x.a;
SELECT * FROM d ORDER BY a;
ROLLBACK;
BEGIN;
DELETE FROM d x WHERE EXISTS (SELECT 1 FROM d y WHERE y.a = x.a AND y.b = x.b AND y.ctid > x.ctid);
SELECT * FROM d ORDER BY a;
ROLLBACK;
BEGIN;
DELETE FROM d WHERE ctid = ANY (ARRAY(SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY a, b ORDER BY ctid) AS n FROM d) s WHERE n > 1));
SELECT * FROM d ORDER BY a;
ROLLBACK;
BEGIN;
WITH dup AS (SELECT ctid AS place, row_number() OVER (PARTITION BY a, b) AS n FROM d) DELETE FROM d USING dup WHERE d.ctid = dup.place AND dup.n > 1;
SELECT * FROM d ORDER BY a;
ROLLBACK;
DELETE FROM d WHERE ctid IN (SELECT ctid FROM d ORDER BY ctid LIMIT 1 FOR UPDATE) RETURNING a;
UPDATE d SET b = 'once' WHERE ctid = (SELECT max(ctid) FROM d) RETURNING a, b;
SELECT * FROM d ORDER BY a, b;
CREATE TEMP TABLE kept AS SELECT ctid AS place, a, b FROM d;
SELECT count(*) FROM d JOIN kept ON place = d.ctid AND kept.a = d.a;
-- A version's own: another one once the row has changed, the same in RETURNING and for a reader.
UPDATE d SET b = b || '!' WHERE a = 3;
SELECT d.a, count(kept.a) FROM d LEFT JOIN kept ON place = d.ctid GROUP BY d.a ORDER BY d.a;
WITH new AS (INSERT INTO d VALUES (9, 'nine'), (10, NULL) RETURNING ctid AS place, a) INSERT INTO kept SELECT place, a FROM new;
SELECT d.a FROM d JOIN kept ON place = d.ctid WHERE d.a > 8 ORDER BY 1;
WITH new AS (UPDATE d SET b = 'changed' WHERE a = 9 RETURNING ctid AS place, a) INSERT INTO kept SELECT place, a, 'again' FROM new;
SELECT d.a, kept.b FROM d JOIN kept ON place = d.ctid WHERE d.a = 9;
SELECT count(*) FROM kept WHERE a = 9;
WITH gone AS (DELETE FROM d WHERE a = 9 RETURNING ctid AS place) SELECT kept.b FROM gone JOIN kept ON gone.place = kept.place;
UPDATE d SET b = 'never' WHERE ctid = '(4294967295,1)';
DELETE FROM d WHERE ctid = NULL;
SELECT a FROM d WHERE ctid <> ALL (SELECT ctid FROM d);
-- With an integer for a primary key.
CREATE TABLE k (id int PRIMARY KEY, v text, w text);
INSERT INTO k VALUES (1, 'one'), (2, 'two'), (-3, 'minus three'), (2147483647, 'most');
SELECT count(DISTINCT ctid) FROM k;
DELETE FROM k WHERE ctid IN (SELECT ctid FROM k WHERE id > 1 ORDER BY id LIMIT 1) RETURNING id;
INSERT INTO k VALUES (1, 'uno'), (5, 'five') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id, ctid IS NULL, ctid IN (SELECT ctid FROM k);
WITH moved AS (UPDATE k SET id = 50 WHERE id = 5 RETURNING ctid AS place) INSERT INTO kept SELECT place, 50 FROM moved;
SELECT k.id FROM k JOIN kept ON place = ctid AND a = 50;
UPDATE k SET w = repeat('long ', 2000) WHERE id = 1;
WITH new AS (UPDATE k SET v = 'uno!' WHERE id = 1 RETURNING ctid AS place) INSERT INTO kept SELECT place, 1, 'long' FROM new;
SELECT k.id, length(w) FROM k JOIN kept ON place = ctid AND kept.b = 'long';
SELECT k.id, x.ctid IS NULL FROM k LEFT JOIN d x ON x.a = k.id ORDER BY k.id;
SELECT k.id, k.ctid = y.ctid FROM k, LATERAL (SELECT ctid FROM k i WHERE i.id = k.id) y ORDER BY k.id;
-- Names.
SELECT ctid FROM d, k;
SELECT s.ctid FROM (SELECT * FROM d) s;
SELECT ctid FROM (SELECT 1 AS a) s;
INSERT INTO d (ctid) VALUES ('(1,1)');
UPDATE d SET ctid = '(1,1)';
CREATE TABLE bad (ctid int);
-- Another session changes a row between two reads, and takes it back: the row that is read keeps its place.
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMP TABLE before AS SELECT ctid AS place, a FROM d;
\session b
BEGIN;
UPDATE d SET b = 'other';
\session a
SELECT count(*) = (SELECT count(*) FROM d) FROM d JOIN before ON place = ctid AND before.a = d.a;
\session b
ROLLBACK;
\session a
SELECT count(*) = (SELECT count(*) FROM d) FROM d JOIN before ON place = ctid AND before.a = d.a;
COMMIT;
-- A row that has changed meanwhile is locked in its newest version, which has a place of its own.
BEGIN;
UPDATE d SET b = 'newest' WHERE a = 10;
\session b
SELECT a, b, ctid IN (SELECT ctid FROM d) AS is_old FROM d WHERE a = 10 FOR UPDATE;
\waits
\session a
COMMIT;
\session b
\finish
SELECT count(*) FROM k WHERE id > 0;
CREATE TABLE named (name text PRIMARY KEY);
CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE large (id bigint PRIMARY KEY, n int);
INSERT INTO large VALUES (4294967295, 1), (0, 2);
SELECT count(DISTINCT ctid) FROM large;
INSERT INTO large VALUES (4294967296, 3), (-1, 4);
SELECT count(xmin) FROM large;
CREATE VIEW of_d AS SELECT * FROM d;
SELECT ctid FROM of_d;
\unsupported
SELECT ctid FROM large;
SELECT ctid FROM large WHERE id = -1;
INSERT INTO large VALUES (-2, 5) RETURNING ctid;
SELECT ctid FROM named;
SELECT p.ctid FROM pair p;
DELETE FROM pair WHERE ctid = '(0,1)';
SELECT ctid FROM pg_class WHERE false;
CREATE VIEW with_places AS SELECT ctid AS place FROM d;
INSERT INTO k VALUES (1) ON CONFLICT (id) DO UPDATE SET v = k.ctid::text;
