-- pg_blocking_pids: whom a session that waits waits for.
\session a
CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE);
INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
CREATE TABLE sessions (name text PRIMARY KEY, pid int);
CREATE VIEW waits AS SELECT w.name, ARRAY(SELECT b.name FROM sessions b WHERE b.pid = ANY (pg_blocking_pids(w.pid)) ORDER BY 1) AS waits_for, cardinality(pg_blocking_pids(w.pid)) AS count FROM sessions w;
INSERT INTO sessions VALUES ('a', pg_backend_pid());
\session b
INSERT INTO sessions VALUES ('b', pg_backend_pid());
\session c
INSERT INTO sessions VALUES ('c', pg_backend_pid());
\session d
INSERT INTO sessions VALUES ('d', pg_backend_pid());
SELECT * FROM waits ORDER BY name;
SELECT pg_blocking_pids(0), pg_blocking_pids(-1), pg_blocking_pids(NULL), pg_typeof(pg_blocking_pids(1));
SELECT pg_blocking_pids('x');
-- A row, and who stands in front.
\session a
BEGIN;
UPDATE t SET n = 10 WHERE id = 1;
\session b
UPDATE t SET n = 20 WHERE id = 1;
\waits
\session d
SELECT * FROM waits ORDER BY name;
\session c
DELETE FROM t WHERE id = 1;
\waits
\session d
SELECT * FROM waits ORDER BY name;
\session a
COMMIT;
\session b
\finish
\session c
\finish
\session d
SELECT * FROM waits ORDER BY name;
-- Locks of a row that several share.
\session a
BEGIN;
SELECT id FROM t WHERE id = 2 FOR SHARE;
\session b
BEGIN;
SELECT id FROM t WHERE id = 2 FOR SHARE;
\session c
UPDATE t SET n = 30 WHERE id = 2;
\waits
\session d
SELECT name, count > 0 FROM waits ORDER BY name;
\session a
ROLLBACK;
\session b
ROLLBACK;
\session c
\finish
-- A unique key.
\session a
BEGIN;
INSERT INTO t VALUES (4, 40);
\session b
INSERT INTO t VALUES (5, 40);
\waits
\session d
SELECT * FROM waits ORDER BY name;
\session a
COMMIT;
\session b
\finish
-- Tables: who holds, and who comes first.
\session a
BEGIN;
SELECT count(*) FROM t;
\session b
BEGIN;
LOCK TABLE t IN ACCESS SHARE MODE;
\session c
TRUNCATE t;
\waits
\session d
SELECT * FROM waits ORDER BY name;
SELECT s.name, l.mode, l.granted FROM pg_locks l JOIN sessions s USING (pid) WHERE relation = 't'::regclass ORDER BY name, mode;
\session a
COMMIT;
\session d
SELECT * FROM waits ORDER BY name;
\session a
SELECT count(*) FROM t;
\waits
\session d
SELECT * FROM waits ORDER BY name;
\session b
COMMIT;
\session c
\finish
\session a
\finish
-- Numbers, held by a session.
\session a
SELECT pg_advisory_lock(7);
\session b
BEGIN;
SELECT pg_advisory_lock(7);
\waits
\session c
SELECT pg_advisory_xact_lock_shared(7);
\waits
\session d
SELECT * FROM waits ORDER BY name;
\session a
SELECT pg_advisory_unlock(7);
\session b
\finish
\session d
SELECT * FROM waits ORDER BY name;
\session b
COMMIT;
SELECT pg_advisory_unlock(7);
\session c
\finish
\session d
SELECT * FROM waits ORDER BY name;
