-- SELECT FOR UPDATE, NO KEY UPDATE, SHARE, KEY SHARE: what they give, refuse, wait for and see afterwards.
CREATE TABLE t (id int PRIMARY KEY, v int, w text DEFAULT 'w');
CREATE TABLE u (id int PRIMARY KEY, t int, note text);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40);
INSERT INTO u VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 9, 'none');
SELECT * FROM t WHERE id = 1 FOR UPDATE;
SELECT v FROM t ORDER BY v DESC FOR NO KEY UPDATE;
SELECT id FROM t ORDER BY id LIMIT 2 FOR SHARE;
SELECT id FROM t ORDER BY id FOR KEY SHARE LIMIT 2;
SELECT id FROM t ORDER BY id FOR UPDATE NOWAIT OFFSET 3;
SELECT id FROM t ORDER BY v + 1 DESC FOR UPDATE SKIP LOCKED;
SELECT t.id, u.note FROM t JOIN u ON u.t = t.id ORDER BY 1 FOR UPDATE;
SELECT t.id, u.note FROM t, u WHERE u.t = t.id ORDER BY 1 FOR UPDATE OF t FOR SHARE OF u NOWAIT;
SELECT t.id, u.note FROM t LEFT JOIN u ON u.t = t.id ORDER BY 1 FOR UPDATE OF t;
SELECT t.id, u.note FROM t LEFT JOIN u ON u.t = t.id ORDER BY 1 FOR UPDATE;
SELECT t.id, u.note FROM t RIGHT JOIN u ON u.t = t.id ORDER BY 1 FOR UPDATE OF t;
SELECT t.id, u.note FROM t RIGHT JOIN u ON u.t = t.id ORDER BY 2 FOR UPDATE OF u;
SELECT t.id, u.note FROM t FULL JOIN u ON u.t = t.id ORDER BY 1 FOR UPDATE OF u;
SELECT a.id, b.id FROM t a, t b WHERE a.id = b.id + 1 ORDER BY 1 FOR UPDATE OF a, b;
SELECT s.id FROM (SELECT id FROM t WHERE v > 15) s ORDER BY 1 FOR UPDATE;
SELECT s.id FROM (SELECT id FROM t WHERE v > 15) s ORDER BY 1 FOR UPDATE OF s;
SELECT (SELECT max(x.v) FROM t x) FROM t WHERE id = 1 FOR UPDATE;
SELECT * FROM (SELECT id FROM t ORDER BY id FOR UPDATE) s LIMIT 1;
WITH c AS (SELECT id FROM t ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) SELECT * FROM c ORDER BY 1;
UPDATE t SET v = v + 1 WHERE id IN (SELECT id FROM t WHERE id > 2 FOR UPDATE);
INSERT INTO u SELECT id + 10, id, 'copied' FROM t WHERE id < 3 FOR UPDATE;
SELECT 1 FOR UPDATE;
(SELECT id FROM t WHERE id = 1) FOR UPDATE;
SELECT id FROM t WHERE id = 1 FOR SHARE FOR UPDATE;
SELECT id, nope FROM t FOR UPDATE;
SELECT id FROM t FOR UPDATE OF nope;
SELECT id FROM t x FOR UPDATE OF t;
SELECT id FROM t FOR UPDATE OF public.t;
SELECT DISTINCT v FROM t FOR UPDATE;
SELECT v FROM t GROUP BY v FOR SHARE;
SELECT count(*) FROM t FOR NO KEY UPDATE;
SELECT 1 FROM t HAVING true FOR KEY SHARE;
SELECT row_number() OVER (ORDER BY id) FROM t FOR UPDATE;
SELECT generate_series(1, 2) FROM t FOR UPDATE;
SELECT id FROM t UNION SELECT id FROM u FOR UPDATE;
VALUES (1) FOR UPDATE;
SELECT * FROM generate_series(1, 2) g FOR UPDATE;
SELECT * FROM generate_series(1, 2) g FOR UPDATE OF g;
WITH c AS (SELECT 1) SELECT * FROM c FOR UPDATE;
WITH c AS (SELECT 1) SELECT * FROM c FOR UPDATE OF c;
SELECT * FROM (SELECT count(*) FROM t) s FOR UPDATE;
SELECT * FROM t JOIN u USING (id) ORDER BY id FOR UPDATE OF u;
SELECT id AS update FROM t WHERE id = 1;
BEGIN READ ONLY;
SELECT id FROM t FOR KEY SHARE;
ROLLBACK;
PREPARE p AS SELECT v FROM t WHERE id = $1 FOR UPDATE;
EXECUTE p (2);
SELECT v FROM t WHERE id = $1 FOR UPDATE;
\bind 3
SELECT v FROM t WHERE id = $1 ORDER BY v LIMIT $2 FOR UPDATE SKIP LOCKED;
\bind 3 | 1
-- Two sessions: modes.
\session b
SET lock_timeout = '50ms';
\session a
BEGIN;
SELECT id FROM t WHERE id = 1 FOR UPDATE;
SELECT id FROM t WHERE id = 2 FOR NO KEY UPDATE;
SELECT id FROM t WHERE id = 3 FOR SHARE;
SELECT id FROM t WHERE id = 4 FOR KEY SHARE;
\session b
SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED;
SELECT id FROM t ORDER BY id FOR NO KEY UPDATE SKIP LOCKED;
SELECT id FROM t ORDER BY id FOR SHARE SKIP LOCKED;
SELECT id FROM t ORDER BY id FOR KEY SHARE SKIP LOCKED;
SELECT id FROM t ORDER BY id LIMIT 1 FOR KEY SHARE SKIP LOCKED;
SELECT id FROM t WHERE id = 1 FOR KEY SHARE NOWAIT;
SELECT id FROM t WHERE id = 2 FOR SHARE NOWAIT;
SELECT id FROM t WHERE id = 3 FOR NO KEY UPDATE NOWAIT;
SELECT id FROM t WHERE id = 4 FOR UPDATE NOWAIT;
SELECT id FROM t WHERE id = 4 FOR UPDATE;
SELECT id FROM t WHERE id = 1;
UPDATE t SET v = 0 WHERE id = 1;
UPDATE t SET v = 0 WHERE id = 3;
DELETE FROM t WHERE id = 4;
UPDATE t SET id = 44 WHERE id = 4;
UPDATE t SET v = 444 WHERE id = 4;
LOCK TABLE t;
BEGIN;
LOCK TABLE t IN SHARE MODE;
LOCK TABLE t IN EXCLUSIVE MODE;
ROLLBACK;
INSERT INTO t VALUES (1, 1) ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (1, 1);
\session a
SELECT v FROM t WHERE id = 4;
COMMIT;
-- A row that changes meanwhile: seen anew, checked anew.
BEGIN;
UPDATE t SET v = v + 1000 WHERE id IN (1, 2, 3);
DELETE FROM t WHERE id = 4;
\session b
RESET lock_timeout;
SELECT id, v, v * 2 AS twice FROM t WHERE id = 1 FOR UPDATE;
\waits
\session c
SELECT id, v FROM t WHERE v < 100 ORDER BY v DESC FOR UPDATE;
\waits
\session d
SELECT id, v FROM t WHERE id = 4 FOR SHARE;
\waits
\session e
SELECT id, v FROM t ORDER BY id FOR KEY SHARE SKIP LOCKED;
SELECT id, v FROM t WHERE id = 1 FOR KEY SHARE;
\session a
COMMIT;
\session b
\finish
\session c
\finish
\session d
\finish
\session a
INSERT INTO t VALUES (4, 40);
-- Moved to another key.
BEGIN;
UPDATE t SET id = 5 WHERE id = 4;
\session b
SELECT id, v FROM t WHERE v = 40 FOR UPDATE;
\waits
\session c
SELECT id, v FROM t WHERE id = 4 FOR UPDATE;
\waits
\session a
COMMIT;
\session b
\finish
\session c
\finish
-- REPEATABLE READ fails.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t;
\session a
UPDATE t SET v = 41 WHERE id = 5;
\session c
SELECT v FROM t WHERE id = 5;
SELECT v FROM t WHERE id = 5 FOR UPDATE;
ROLLBACK;
-- A joined row: one side changes, the other stays.
\session a
BEGIN;
UPDATE t SET v = 7 WHERE id = 1;
UPDATE u SET note = 'changed' WHERE id = 2;
\session b
SELECT t.id, t.v, u.note FROM t JOIN u ON u.t = t.id WHERE t.id = 1 AND u.id = 1 FOR UPDATE OF t;
\waits
\session c
SELECT t.id, u.note FROM t JOIN u ON u.t = t.id WHERE u.note = 'two' FOR UPDATE OF u;
\waits
\session a
COMMIT;
\session b
\finish
\session c
\finish
-- A writer waits for a lock, goes on with what is there.
\session a
BEGIN;
SELECT v FROM t WHERE id = 2 FOR UPDATE;
\session b
UPDATE t SET v = v + 1 WHERE id = 2;
\waits
\session a
UPDATE t SET v = 5 WHERE id = 2;
COMMIT;
\session b
\finish
SELECT v FROM t WHERE id = 2;
-- Locks fall with their savepoint.
\session a
BEGIN;
SELECT v FROM t WHERE id = 1 FOR SHARE;
SAVEPOINT s;
SELECT v FROM t WHERE id IN (1, 2) ORDER BY v FOR UPDATE;
\session b
SELECT id FROM t WHERE id < 3 ORDER BY id FOR SHARE SKIP LOCKED;
\session a
ROLLBACK TO s;
\session b
SELECT id FROM t WHERE id < 3 ORDER BY id FOR SHARE SKIP LOCKED;
SELECT id FROM t WHERE id < 3 ORDER BY id FOR UPDATE SKIP LOCKED;
\session a
COMMIT;
-- Two who share and both want more.
BEGIN;
SELECT id FROM t WHERE id = 1 FOR SHARE;
\session b
BEGIN;
SELECT id FROM t WHERE id = 1 FOR SHARE;
\session a
SET LOCAL deadlock_timeout = '10s';
UPDATE t SET v = 1 WHERE id = 1;
\waits
\session b
SET LOCAL deadlock_timeout = '10ms';
UPDATE t SET v = 2 WHERE id = 1;
ROLLBACK;
\session a
\finish
COMMIT;
-- A unique key that changes is a key: KEY SHARE holds it back.
CREATE TABLE k (id int PRIMARY KEY, code int UNIQUE, v int);
INSERT INTO k VALUES (1, 100, 0);
BEGIN;
SELECT id FROM k FOR KEY SHARE;
\session b
SET lock_timeout = '50ms';
UPDATE k SET v = 1;
UPDATE k SET code = 100;
UPDATE k SET code = 101;
DELETE FROM k;
\session a
COMMIT;
-- A queue.
\session b
RESET lock_timeout;
CREATE TABLE q (id serial PRIMARY KEY, job text);
INSERT INTO q (job) SELECT 'job ' || i FROM generate_series(1, 4) i;
\session a
BEGIN;
DELETE FROM q WHERE id = (SELECT id FROM q ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING job;
\session b
BEGIN;
DELETE FROM q WHERE id = (SELECT id FROM q ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING job;
\session c
SELECT job FROM q ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
\session a
ROLLBACK;
\session b
COMMIT;
\session c
SELECT job FROM q ORDER BY id FOR UPDATE SKIP LOCKED;
-- Long values.
\session a
CREATE TABLE d (id int PRIMARY KEY, n int, body text);
INSERT INTO d SELECT i, i, repeat(md5(i::text), 400) FROM generate_series(1, 3) i;
BEGIN;
UPDATE d SET n = 0, body = repeat(md5('new'), 500) WHERE id = 1;
\session b
SELECT id, n, length(body), right(body, 4) FROM d WHERE id = 1 FOR UPDATE;
\waits
\session c
SELECT id FROM d WHERE n = 1 FOR SHARE;
\waits
\session a
COMMIT;
\session b
\finish
\session c
\finish
SELECT id, length(body) FROM d ORDER BY id FOR UPDATE;
-- Locks in a subquery beside rows that are to be changed or locked themselves.
\session a
CREATE TABLE mine (id int PRIMARY KEY, v int);
CREATE TABLE theirs (id int);
INSERT INTO mine SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO theirs SELECT g FROM generate_series(1, 10) g;
DELETE FROM mine USING (SELECT id FROM theirs WHERE id > 8 FOR UPDATE) s WHERE mine.id < s.id - 6 RETURNING mine.id;
UPDATE mine SET v = 7 FROM (SELECT id FROM theirs WHERE id > 8 FOR UPDATE) s WHERE mine.id < s.id - 2 AND s.id = 9 RETURNING mine.id;
SELECT mine.id, s.id FROM mine, LATERAL (SELECT id FROM theirs WHERE theirs.id = mine.id + 1 FOR UPDATE) s WHERE mine.id < 9 FOR UPDATE OF mine;
WITH src AS (SELECT id FROM theirs FOR UPDATE) DELETE FROM mine USING src WHERE mine.id > src.id + 4 RETURNING mine.id;
UPDATE mine SET v = 0 WHERE id IN (SELECT id FROM mine WHERE v > 0 ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) RETURNING *;
SELECT * FROM mine ORDER BY id;
-- Nothing to lock.
SELECT 1 AS x FOR UPDATE;
SELECT 1 FOR NO KEY UPDATE NOWAIT;
SELECT 'a' FOR SHARE SKIP LOCKED;
SELECT 1 FOR UPDATE OF nope;
SELECT (SELECT 2 FOR UPDATE) AS y FOR KEY SHARE LIMIT 1;
SELECT extract(year FROM date '2024-01-01') FOR UPDATE;


-- A row is followed, and not its key: who waits for a change of a row whose key another row then has does not take that one.
CREATE TABLE follow (id int PRIMARY KEY, p int, v int);
INSERT INTO follow VALUES (1, 10, 0), (2, 20, 0), (5, 7, 0);
\session b
BEGIN;
UPDATE follow SET id = 9 WHERE id = 5;
INSERT INTO follow VALUES (5, 7, 100);
\session a
UPDATE follow SET v = v + 1 WHERE p = 7 RETURNING *;
\waits
\session b
COMMIT;
\session a
\finish
SELECT * FROM follow ORDER BY id;
\session b
BEGIN;
UPDATE follow SET id = 3 WHERE id = 1;
UPDATE follow SET id = 1 WHERE id = 2;
UPDATE follow SET id = 2 WHERE id = 3;
\session a
UPDATE follow SET v = v + 1 WHERE p = 20 RETURNING *;
\waits
\session b
COMMIT;
\session a
\finish
\session b
BEGIN;
DELETE FROM follow WHERE id = 1;
INSERT INTO follow VALUES (1, 11, 0);
\session a
SELECT * FROM follow WHERE id = 1 FOR UPDATE;
\waits
\session b
COMMIT;
\session a
\finish
DROP TABLE follow;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY, p int REFERENCES parents);
INSERT INTO parents VALUES (7);
INSERT INTO children VALUES (5, 7);
\session b
BEGIN;
UPDATE children SET id = 1 WHERE id = 5;
INSERT INTO children VALUES (5, NULL);
\session a
DELETE FROM parents WHERE id = 7;
\waits
\session b
COMMIT;
\session a
\finish
SELECT * FROM children ORDER BY id;
DROP TABLE children, parents;

-- ON CONFLICT looks again when the row that it found goes or changes before it is updated.
CREATE TABLE upserts (id int PRIMARY KEY, u int UNIQUE, v text);
INSERT INTO upserts VALUES (1, 1, 'old'), (2, 2, 'old'), (3, 3, 'old');
\session b
BEGIN;
SELECT id FROM upserts ORDER BY id FOR SHARE;
\session a
INSERT INTO upserts VALUES (1, 1, 'new') ON CONFLICT (id) DO UPDATE SET v = upserts.v || excluded.v RETURNING *;
\waits
\session c
INSERT INTO upserts VALUES (2, 2, 'new') ON CONFLICT (id) DO UPDATE SET v = upserts.v || excluded.v RETURNING *;
\waits
\session d
INSERT INTO upserts VALUES (4, 3, 'new') ON CONFLICT (u) DO UPDATE SET v = upserts.v || excluded.v RETURNING *;
\waits
\session b
DELETE FROM upserts WHERE id < 3;
INSERT INTO upserts VALUES (1, 1, 'again');
UPDATE upserts SET u = 30 WHERE id = 3;
COMMIT;
\session a
\finish
\session c
\finish
\session d
\finish
SELECT * FROM upserts ORDER BY id;
DROP TABLE upserts;
