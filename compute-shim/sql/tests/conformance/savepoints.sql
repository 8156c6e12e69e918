-- Savepoints: nesting, names, failures in them, what goes back and what does not.
CREATE TABLE t (id int PRIMARY KEY, v text UNIQUE);
SAVEPOINT a;
RELEASE SAVEPOINT a;
RELEASE a;
ROLLBACK TO a;
ROLLBACK TO SAVEPOINT a;
ROLLBACK WORK TO SAVEPOINT a;
INSERT INTO t VALUES (1, 'one'); SAVEPOINT a; INSERT INTO t VALUES (2, 'two');
SELECT * FROM t ORDER BY id;
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (1, 'one');
SAVEPOINT b;
INSERT INTO t VALUES (2, 'two');
ROLLBACK TO b;
SELECT * FROM t ORDER BY id;
INSERT INTO t VALUES (2, 'zwei');
ROLLBACK TRANSACTION TO b;
INSERT INTO t VALUES (3, 'three');
RELEASE b;
ROLLBACK TO b;
SELECT 1;
RELEASE a;
SAVEPOINT c;
ROLLBACK TO a;
SELECT * FROM t;
COMMIT;
SELECT * FROM t ORDER BY id;
BEGIN;
INSERT INTO t VALUES (1, 'one'), (2, 'two');
SAVEPOINT s;
UPDATE t SET v = 'eins' WHERE id = 1;
SAVEPOINT s;
DELETE FROM t WHERE id = 2;
SELECT * FROM t ORDER BY id;
ROLLBACK TO s;
SELECT * FROM t ORDER BY id;
RELEASE s;
SELECT * FROM t ORDER BY id;
ROLLBACK TO s;
SELECT * FROM t ORDER BY id;
RELEASE s;
RELEASE s;
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (1, 'one');
SAVEPOINT s;
INSERT INTO t VALUES (1, 'dup');
SELECT 1;
SAVEPOINT x;
RELEASE s;
ROLLBACK TO nope;
ROLLBACK TO s;
INSERT INTO t VALUES (2, 'one');
ROLLBACK TO s;
INSERT INTO t VALUES (2, 'two');
COMMIT;
SELECT * FROM t ORDER BY id;
-- An error in a released savepoint takes the outer one with it.
BEGIN;
SAVEPOINT o;
INSERT INTO t VALUES (3, 'three');
SAVEPOINT i;
INSERT INTO t VALUES (4, 'four');
RELEASE i;
SELECT 1 / 0;
ROLLBACK TO o;
SELECT * FROM t ORDER BY id;
SELECT 1 / 0;
COMMIT;
SELECT * FROM t ORDER BY id;
-- Several rows, a part of them written before the failure.
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES (10, 'ten'), (11, 'eleven'), (1, 'dup');
ROLLBACK TO s;
INSERT INTO t SELECT 10, 'ten' UNION ALL SELECT 10 / (id - 1), 'x' FROM t;
ROLLBACK TO s;
SELECT * FROM t ORDER BY id;
INSERT INTO t VALUES (10, 'ten');
COMMIT;
SELECT * FROM t ORDER BY id;
DELETE FROM t WHERE id > 2;
-- One message with several statements.
BEGIN; SAVEPOINT s; INSERT INTO t VALUES (5, 'five'); ROLLBACK TO s; INSERT INTO t VALUES (6, 'six'); RELEASE s; COMMIT;
SELECT * FROM t ORDER BY id;
BEGIN; SAVEPOINT s; SELECT 1 / 0; ROLLBACK TO s; SELECT 2;
ROLLBACK TO s; SELECT 3;
COMMIT;
-- Definitions go back too.
BEGIN;
CREATE TABLE u (a int);
SAVEPOINT s;
INSERT INTO u VALUES (1);
ALTER TABLE u ADD COLUMN b int DEFAULT 7;
CREATE INDEX u_b ON u (b);
CREATE TABLE w (a int);
SELECT * FROM u;
SAVEPOINT s2;
DROP TABLE t;
SELECT * FROM t;
ROLLBACK TO s2;
SELECT id FROM t ORDER BY id;
ROLLBACK TO s;
SELECT * FROM u;
SELECT b FROM u;
ROLLBACK TO s;
SELECT * FROM w;
ROLLBACK TO s;
CREATE TABLE w (b text);
INSERT INTO w VALUES ('w');
INSERT INTO u VALUES (2);
COMMIT;
SELECT * FROM u;
SELECT * FROM w;
BEGIN;
SAVEPOINT s;
DROP TABLE w;
CREATE TABLE w (other int);
TRUNCATE u;
INSERT INTO u VALUES (9);
SELECT * FROM u;
ROLLBACK TO s;
SELECT * FROM w;
SELECT * FROM u;
RELEASE s;
INSERT INTO u VALUES (3);
COMMIT;
SELECT * FROM u ORDER BY a;
BEGIN;
SAVEPOINT s;
CREATE TABLE gone (a int);
ROLLBACK TO s;
COMMIT;
SELECT * FROM gone;
BEGIN; SAVEPOINT s; CREATE TABLE gone (a int); RELEASE s; COMMIT;
SELECT * FROM gone;
DROP TABLE gone;
BEGIN; SAVEPOINT s; CREATE UNIQUE INDEX u_a ON u (a); INSERT INTO u VALUES (3);
ROLLBACK TO s;
INSERT INTO u VALUES (3);
SELECT count(*) FROM u;
ROLLBACK;
-- Sequences do not go back.
CREATE SEQUENCE q;
BEGIN;
SELECT nextval('q');
SAVEPOINT s;
SELECT nextval('q');
ROLLBACK TO s;
SELECT currval('q'), nextval('q');
COMMIT;
SELECT nextval('q');
-- Settings go back; RELEASE keeps them, and SET LOCAL until the end of the transaction.
SET work_mem = '2MB';
BEGIN;
SET work_mem = '3MB';
SAVEPOINT s;
SET work_mem = '5MB';
SET LOCAL statement_timeout = '7min';
SHOW work_mem;
ROLLBACK TO s;
SHOW work_mem;
SHOW statement_timeout;
SET LOCAL work_mem = '8MB';
RELEASE s;
SHOW work_mem;
COMMIT;
SHOW work_mem;
BEGIN;
SAVEPOINT s;
SET work_mem = '9MB';
RELEASE s;
COMMIT;
SHOW work_mem;
BEGIN;
SET LOCAL work_mem = '1MB';
SAVEPOINT s;
SET work_mem = '10MB';
SELECT 1 / 0;
ROLLBACK TO s;
SHOW work_mem;
RESET work_mem;
SHOW work_mem;
ROLLBACK TO s;
SHOW work_mem;
COMMIT;
SHOW work_mem;
RESET work_mem;
BEGIN;
SAVEPOINT s;
SELECT set_config('search_path', 'pg_catalog', false);
SELECT count(*) FROM t;
ROLLBACK TO s;
SELECT count(*) FROM t;
SELECT set_config('my.own', 'x', true);
ROLLBACK TO s;
SHOW my.own;
ROLLBACK;
-- Modes of the transaction.
BEGIN;
SAVEPOINT s;
SET TRANSACTION READ ONLY;
INSERT INTO t VALUES (7, 'seven');
ROLLBACK TO s;
SHOW transaction_read_only;
SET TRANSACTION READ ONLY;
RELEASE s;
SHOW transaction_read_only;
INSERT INTO t VALUES (7, 'seven');
ROLLBACK;
BEGIN READ ONLY;
SAVEPOINT s;
SET TRANSACTION READ WRITE;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
ROLLBACK TO s;
RELEASE s;
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SHOW transaction_isolation;
SELECT count(*) FROM t;
\session b
INSERT INTO t VALUES (20, 'twenty');
\session a
SELECT count(*) FROM t;
SAVEPOINT s;
DELETE FROM t WHERE id = 1;
SELECT count(*) FROM t;
ROLLBACK TO s;
SELECT count(*) FROM t;
\session b
UPDATE t SET v = 'b' WHERE id = 1;
\session a
UPDATE t SET v = 'a' WHERE id = 1;
ROLLBACK TO s;
SELECT v FROM t WHERE id = 1;
COMMIT;
SELECT v FROM t WHERE id = 1;
-- Prepared statements stay; the extended protocol.
BEGIN;
SAVEPOINT s;
PREPARE p AS SELECT v FROM t WHERE id = $1;
ROLLBACK TO s;
EXECUTE p (2);
COMMIT;
DEALLOCATE p;
BEGIN;
\bind
SAVEPOINT s;
\bind
INSERT INTO t VALUES ($1, $2);
\bind 1 | dup
SELECT $1::int;
\bind 1
RELEASE s;
\bind
ROLLBACK TO s;
\bind
SELECT $1::int;
\bind 1
RELEASE s;
\bind
ROLLBACK TO s;
\bind
COMMIT;
\bind
-- Names.
BEGIN;
SAVEPOINT "S p";
SAVEPOINT S;
ROLLBACK TO s;
RELEASE "s p";
ROLLBACK TO "S p";
RELEASE "S p";
SAVEPOINT savepoint;
ROLLBACK TO savepoint;
RELEASE savepoint;
SAVEPOINT savepoint;
ROLLBACK TO SAVEPOINT savepoint;
RELEASE SAVEPOINT savepoint;
COMMIT;
ABORT TO s;
SAVEPOINT a.b;
BEGIN; SAVEPOINT s;
COMMIT;
BEGIN; SAVEPOINT s;
ROLLBACK;
ROLLBACK TO s;
-- Locks taken since the savepoint fall, those from before stay.
BEGIN;
UPDATE t SET v = 'before' WHERE id = 1;
SAVEPOINT s;
UPDATE t SET v = 'since' WHERE id = 2;
LOCK TABLE u IN ACCESS EXCLUSIVE MODE;
ROLLBACK TO s;
\session b
SET lock_timeout = '100ms';
UPDATE t SET v = 'free' WHERE id = 2;
SELECT count(*) FROM u;
UPDATE t SET v = 'not free' WHERE id = 1;
RESET lock_timeout;
UPDATE t SET v = v || ', then b' WHERE id = 1;
\waits
\session a
SELECT * FROM t WHERE id < 3 ORDER BY id;
COMMIT;
\session b
\finish
\session a
SELECT * FROM t WHERE id < 3 ORDER BY id;
-- They fall as soon as a statement has failed.
BEGIN;
SAVEPOINT s;
UPDATE t SET v = 'since' WHERE id = 2;
SELECT 1 / 0;
\session b
UPDATE t SET v = 'c' WHERE id = 2;
\session a
ROLLBACK TO s;
SELECT v FROM t WHERE id = 2;
COMMIT;
-- One that waits for a row gets it when the row is free again, although its owner goes on.
BEGIN;
INSERT INTO t VALUES (40, 'forty');
SAVEPOINT s;
UPDATE t SET v = 'since' WHERE id = 2;
INSERT INTO t VALUES (41, 'forty-one');
\session b
UPDATE t SET v = v || '!' WHERE id = 2;
\waits
\session c
INSERT INTO t VALUES (41, 'c');
\waits
\session a
ROLLBACK TO s;
\session b
\finish
\session c
\finish
\session a
SELECT * FROM t WHERE id IN (2, 41) ORDER BY id;
COMMIT;
-- A deadlock takes the savepoint only.
BEGIN;
UPDATE t SET v = 'a1' WHERE id = 1;
\session b
BEGIN;
SAVEPOINT s;
UPDATE t SET v = 'b2' WHERE id = 2;
\session a
UPDATE t SET v = 'a2' WHERE id = 2;
\waits
\session b
SET LOCAL deadlock_timeout = '10ms';
UPDATE t SET v = 'b1' WHERE id = 1;
\session a
\finish
COMMIT;
\session b
ROLLBACK TO s;
SELECT * FROM t WHERE id < 3 ORDER BY id;
COMMIT;
\session a
-- COPY in a savepoint.
BEGIN;
SAVEPOINT s;
COPY t FROM STDIN;
30	thirty
1	dup
\.
ROLLBACK TO s;
COPY t FROM STDIN;
31	thirty-one
\.
COMMIT;
SELECT id FROM t ORDER BY id;
