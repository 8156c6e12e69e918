-- FOR UPDATE and its kin in subqueries that read the rows around them.
CREATE TABLE t (id int PRIMARY KEY, a int, n int);
CREATE TABLE u (id int PRIMARY KEY, a int, n int);
INSERT INTO t VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0);
INSERT INTO u VALUES (1, 10, 100), (2, 20, 200), (3, 30, 300), (4, 10, 400);
SELECT id, (SELECT n FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE) FROM t ORDER BY id;
SELECT id, (SELECT u.n + t.id FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR SHARE) FROM t ORDER BY id;
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.n > t.n FOR UPDATE) ORDER BY id;
SELECT id FROM t WHERE id IN (SELECT u.id FROM u WHERE u.a = t.a FOR UPDATE) ORDER BY id;
SELECT id, ARRAY(SELECT u.n FROM u WHERE u.a = t.a ORDER BY u.id FOR UPDATE) FROM t ORDER BY id;
SELECT t.id, x.n FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE) x ORDER BY t.id;
SELECT t.id, x.n FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1) x ORDER BY t.id FOR UPDATE;
SELECT t.id, x.n FROM t LEFT JOIN LATERAL (SELECT * FROM u WHERE u.a = t.a AND u.n > 150 FOR UPDATE) x ON true ORDER BY t.id, x.n;
SELECT t.id, (SELECT x.n FROM (SELECT * FROM u WHERE u.a = t.a) x ORDER BY x.id LIMIT 1 FOR UPDATE) FROM t ORDER BY 1;
SELECT t.id, (SELECT (SELECT n FROM u i WHERE i.id = o.id AND i.a = t.a FOR SHARE) FROM u o WHERE o.id = t.id FOR UPDATE) FROM t ORDER BY 1;
UPDATE t SET n = (SELECT u.n FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE) RETURNING id, n;
UPDATE t SET n = 0 WHERE id IN (SELECT u.id FROM u WHERE u.a = t.a FOR UPDATE SKIP LOCKED) RETURNING id;
DELETE FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.a > 25 FOR UPDATE) RETURNING id;
INSERT INTO t VALUES (3, 30, 0) RETURNING id, (SELECT u.n FROM u WHERE u.a = t.a ORDER BY id LIMIT 1 FOR UPDATE);
WITH c AS (SELECT * FROM u WHERE id < 3 FOR UPDATE) SELECT t.id, (SELECT c.n FROM c WHERE c.a = t.a) FROM t ORDER BY id;
SELECT t.id FROM t WHERE t.n < (SELECT sum(q.n) FROM (SELECT n FROM u WHERE u.a = t.a FOR UPDATE) q) ORDER BY 1;
SELECT id, (SELECT count(*) FROM u WHERE u.a = t.a FOR UPDATE) FROM t;
-- The rows are locked: others skip them.
BEGIN;
SELECT id, (SELECT n FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE) FROM t WHERE id < 3 ORDER BY id;
\session b
SELECT id FROM u ORDER BY id FOR UPDATE SKIP LOCKED;
SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED;
SELECT t.id, (SELECT u.id FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE SKIP LOCKED) FROM t ORDER BY 1;
SELECT t.id, (SELECT u.id FROM u WHERE u.a = t.a ORDER BY u.id LIMIT 1 FOR UPDATE NOWAIT) FROM t ORDER BY 1;
\session a
ROLLBACK;
-- A row that has changed since: its newest version is checked against the condition with the outer row, and shown.
BEGIN;
UPDATE u SET n = n + 1, a = 11 WHERE id = 1;
UPDATE u SET n = n + 1 WHERE id = 2;
\session b
SELECT id, (SELECT n + t.id FROM u WHERE u.a = t.a AND u.id < 4 FOR UPDATE) FROM t ORDER BY id;
\waits
\session a
COMMIT;
\session b
\finish
\session a
BEGIN;
UPDATE u SET n = n + 1 WHERE id = 2;
\session b
SELECT t.id, x.n, x.m FROM t, LATERAL (SELECT u.n, t.id * 1000 + u.n AS m FROM u WHERE u.a = t.a AND u.id = t.id FOR UPDATE) x ORDER BY t.id;
\waits
\session a
COMMIT;
\session b
\finish
\session a
BEGIN;
UPDATE u SET n = 0 WHERE id = 3;
\session b
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.n > t.n FOR UPDATE) ORDER BY id;
\waits
\session a
COMMIT;
\session b
\finish
\session a
BEGIN;
UPDATE u SET n = 7 WHERE id = 3;
\session b
UPDATE t SET n = (SELECT u.n + t.id FROM u WHERE u.a = t.a AND u.id = 3 FOR UPDATE) WHERE id = 3 RETURNING *;
\waits
\session a
COMMIT;
\session b
\finish
-- A row around it that has changed: what it reads is computed anew.
\session a
BEGIN;
UPDATE t SET a = 20 WHERE id = 3;
\session b
SELECT id, a, (SELECT max(n) FROM (SELECT n FROM u WHERE u.a = t.a FOR UPDATE) x) FROM t WHERE id = 3 FOR UPDATE;
\waits
\session a
COMMIT;
\session b
\finish
