-- WHERE CURRENT OF: the row that the cursor stands on, and no other that has its key by now.
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t ORDER BY id;
FETCH c;
UPDATE t SET v = 'changed' WHERE id = 1;
UPDATE t SET v = v || '!' WHERE CURRENT OF c;
DELETE FROM t WHERE id = 1;
UPDATE t SET v = 'gone' WHERE CURRENT OF c;
INSERT INTO t VALUES (1, 'another');
UPDATE t SET v = 'wrong' WHERE CURRENT OF c;
DELETE FROM t WHERE CURRENT OF c;
SELECT * FROM t ORDER BY id;
ROLLBACK;
-- Another session's row.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t;
FETCH c;
\session b
DELETE FROM t WHERE id = 1;
INSERT INTO t VALUES (1, 'another');
\session a
UPDATE t SET v = 'wrong' WHERE CURRENT OF c;
DELETE FROM t WHERE CURRENT OF c;
SELECT * FROM t ORDER BY id;
FETCH c;
\session b
UPDATE t SET v = 'two!' WHERE id = 2;
\session a
UPDATE t SET v = v || '?' WHERE CURRENT OF c;
SELECT * FROM t ORDER BY id;
COMMIT;
-- A row that has moved to another key, by itself and by another session.
BEGIN;
DECLARE moved CURSOR FOR SELECT * FROM t WHERE id = 2 FOR UPDATE;
FETCH moved;
UPDATE t SET id = 20 WHERE id = 2;
INSERT INTO t VALUES (2, 'new two');
UPDATE t SET v = 'twenty' WHERE CURRENT OF moved;
SELECT * FROM t WHERE id < 20 ORDER BY id;
ROLLBACK;
BEGIN;
DECLARE moved CURSOR FOR SELECT * FROM t WHERE id = 3;
FETCH moved;
\session b
UPDATE t SET id = 4 WHERE id = 3;
INSERT INTO t VALUES (3, 'three again');
\session a
DELETE FROM t WHERE CURRENT OF moved;
SELECT * FROM t WHERE id < 4 ORDER BY id;
ROLLBACK;
-- Gone back.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 2;
FETCH c;
SAVEPOINT s;
DELETE FROM t WHERE id = 2;
INSERT INTO t VALUES (2, 'brief');
ROLLBACK TO s;
UPDATE t SET v = 'right' WHERE CURRENT OF c;
SELECT * FROM t ORDER BY id;
COMMIT;
-- It stands alone behind WHERE of a change.
SELECT * FROM t WHERE CURRENT OF c;
SELECT * FROM (SELECT 1 WHERE CURRENT OF c) x;
