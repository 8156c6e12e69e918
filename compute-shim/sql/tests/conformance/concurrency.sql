-- Two sessions: what each sees, and what a change meets, without waiting.
CREATE TABLE t (id int PRIMARY KEY, v int, u int UNIQUE);
INSERT INTO t SELECT g, g, g * 10 FROM generate_series(1, 5) g;
BEGIN;
UPDATE t SET v = v + 100 WHERE id = 1;
INSERT INTO t VALUES (6, 6, 60);
DELETE FROM t WHERE id = 2;
\session b
SELECT * FROM t ORDER BY id;
UPDATE t SET v = 0 WHERE id = 5 RETURNING *;
SELECT count(*) FROM t WHERE u > 0;
SELECT u FROM t WHERE u = 20;
SELECT u FROM t WHERE u = 60;
\session a
SELECT * FROM t ORDER BY id;
COMMIT;
\session b
SELECT * FROM t ORDER BY id;
SELECT u FROM t WHERE u IN (20, 60) ORDER BY u;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(v) FROM t;
\session a
UPDATE t SET v = v * 2;
INSERT INTO t VALUES (7, 7, 70);
UPDATE t SET u = u + 1 WHERE id = 3;
UPDATE t SET id = 40 WHERE id = 4;
\session b
SELECT sum(v) FROM t;
SELECT * FROM t WHERE id = 7;
SELECT id, u FROM t WHERE u = 30;
SELECT id, u FROM t WHERE u = 31;
SELECT id FROM t WHERE id IN (4, 40);
SELECT id FROM t ORDER BY u DESC;
INSERT INTO t VALUES (7, 0, 0);
ROLLBACK;
SELECT sum(v) FROM t;
SELECT id, u FROM t WHERE u IN (30, 31);
BEGIN;
SELECT count(*) FROM t;
\session a
DELETE FROM t WHERE id = 7;
\session b
SELECT count(*) FROM t;
INSERT INTO t VALUES (7, 1, 71) RETURNING *;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t;
\session a
DELETE FROM t WHERE id = 7;
\session b
DELETE FROM t WHERE id = 7;
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT max(v) FROM t;
COMMIT;
\session a
TRUNCATE t;
ALTER TABLE t ADD COLUMN w int DEFAULT 9;
INSERT INTO t VALUES (1, 1, 1);
\session b
SELECT * FROM t;
PREPARE p AS SELECT * FROM t WHERE id = $1;
EXECUTE p (1);
\session a
ALTER TABLE t DROP COLUMN w;
CREATE INDEX t_v ON t (v);
\session b
EXECUTE p (1);
SELECT id FROM t WHERE v = 1;
\session a
DROP TABLE t;
\session b
EXECUTE p (1);
SELECT * FROM t;
\session a
CREATE SEQUENCE s;
SELECT nextval('s');
\session b
SELECT nextval('s');
SELECT currval('s');
\session a
SELECT currval('s');
BEGIN;
SELECT nextval('s');
\session b
SELECT nextval('s');
\session a
ROLLBACK;
SELECT nextval('s') > 4;
