-- Transactions that are prepared, and ended by whoever knows their identifier.
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30);
PREPARE TRANSACTION 'outside';
COMMIT PREPARED 'nobody';
ROLLBACK PREPARED 'nobody';
BEGIN;
INSERT INTO t VALUES (4, 40);
UPDATE t SET n = 11 WHERE id = 1;
PREPARE TRANSACTION 'first';
SELECT * FROM t ORDER BY id;
SELECT gid, owner, database = current_database(), prepared <= clock_timestamp(), transaction IS NULL FROM pg_prepared_xacts;
ROLLBACK;
BEGIN;
DELETE FROM t WHERE id = 3;
SAVEPOINT s;
DELETE FROM t WHERE id = 2;
ROLLBACK TO s;
PREPARE TRANSACTION 'first';
SELECT 1;
BEGIN;
DELETE FROM t WHERE id = 3;
PREPARE TRANSACTION 'second';
SELECT gid FROM pg_prepared_xacts ORDER BY gid;
\session b
SELECT * FROM t ORDER BY id;
SELECT * FROM t ORDER BY id FOR UPDATE NOWAIT;
SELECT * FROM t WHERE id = 2 FOR UPDATE NOWAIT;
SELECT * FROM t ORDER BY id FOR UPDATE SKIP LOCKED;
SET lock_timeout = '50ms';
UPDATE t SET n = 0 WHERE id = 1;
INSERT INTO t VALUES (4, 4);
ALTER TABLE t ADD x int;
DROP TABLE t;
RESET lock_timeout;
SELECT DISTINCT locktype, relation = 't'::regclass AS is_t, mode, granted FROM pg_locks WHERE pid IS NULL AND (relation IS NULL OR relation = 't'::regclass) ORDER BY 1;
SELECT count(*) FROM pg_locks l JOIN pg_prepared_xacts p ON l.transactionid = p.transaction WHERE l.granted;
BEGIN;
COMMIT PREPARED 'first';
ROLLBACK;
BEGIN;
ROLLBACK PREPARED 'first';
SELECT 1;
COMMIT PREPARED 'first';
ROLLBACK;
SELECT 1; COMMIT PREPARED 'first';
UPDATE t SET n = n + 1 WHERE id = 1;
\waits
\session a
COMMIT PREPARED 'first';
\session b
\finish
SELECT * FROM t ORDER BY id;
DELETE FROM t WHERE id = 3;
\waits
\session a
ROLLBACK PREPARED 'second';
\session b
\finish
SELECT * FROM t ORDER BY id;
COMMIT PREPARED 'first';
SELECT count(*) FROM pg_prepared_xacts;
-- What blocks of several kinds come to.
BEGIN;
SELECT 1 / 0;
PREPARE TRANSACTION 'failed';
SELECT 1;
INSERT INTO t VALUES (5, 50); PREPARE TRANSACTION 'implicit';
SELECT gid FROM pg_prepared_xacts;
ROLLBACK PREPARED 'implicit';
BEGIN; PREPARE TRANSACTION 'empty';
COMMIT PREPARED 'empty';
BEGIN READ ONLY;
SELECT count(*) FROM t;
PREPARE TRANSACTION 'reader';
SHOW transaction_read_only;
SET default_transaction_read_only = on;
COMMIT PREPARED 'reader';
RESET default_transaction_read_only;
BEGIN;
SET search_path = pg_catalog;
SET LOCAL lock_timeout = 1000;
PREPARE TRANSACTION 'set';
SHOW search_path;
SHOW lock_timeout;
RESET search_path;
ROLLBACK PREPARED 'set';
-- Identifiers.
BEGIN;
PREPARE TRANSACTION '';
BEGIN;
PREPARE TRANSACTION '';
COMMIT PREPARED '';
BEGIN;
PREPARE TRANSACTION E'it''s \\ "\u00e9\n';
COMMIT PREPARED E'it''s \\ "\u00e9\n';
BEGIN;
PREPARE TRANSACTION 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
COMMIT PREPARED 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
BEGIN;
PREPARE TRANSACTION 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
COMMIT PREPARED 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
PREPARE TRANSACTION x;
PREPARE TRANSACTION 1;
COMMIT PREPARED x;
END PREPARED 'x';
COMMIT WORK PREPARED 'x';
-- By the extended protocol.
BEGIN;
\bind
INSERT INTO t VALUES ($1, $2);
\bind 6 | 60
PREPARE TRANSACTION 'extended';
\bind
COMMIT PREPARED 'extended';
\bind
SELECT n FROM t WHERE id = 6;
PREPARE TRANSACTION 'extended';
\bind
-- What may not be prepared.
CREATE TEMP TABLE mine (a int);
BEGIN;
SELECT * FROM mine;
PREPARE TRANSACTION 'temporary';
SELECT 1;
BEGIN;
INSERT INTO mine VALUES (1);
PREPARE TRANSACTION 'temporary';
BEGIN;
CREATE TEMP TABLE other (a int);
PREPARE TRANSACTION 'temporary';
BEGIN;
DROP TABLE mine;
PREPARE TRANSACTION 'temporary';
SELECT * FROM mine;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT 1;
PREPARE TRANSACTION 'held';
FETCH c;
BEGIN;
DECLARE c CURSOR FOR SELECT 1;
FETCH c;
PREPARE TRANSACTION 'cursor';
FETCH c;
COMMIT PREPARED 'cursor';
DECLARE kept CURSOR WITH HOLD FOR SELECT 2;
BEGIN;
PREPARE TRANSACTION 'beside';
FETCH kept;
CLOSE kept;
COMMIT PREPARED 'beside';
-- Constraints that wait are looked at.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO child VALUES (1);
PREPARE TRANSACTION 'orphan';
SELECT 1;
COMMIT PREPARED 'orphan';
BEGIN;
INSERT INTO child VALUES (1);
INSERT INTO parent VALUES (1);
PREPARE TRANSACTION 'family';
SELECT count(*) FROM child;
COMMIT PREPARED 'family';
SELECT count(*) FROM child;
-- Numbers that are locked.
BEGIN;
SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock_shared(2), pg_advisory_xact_lock(3, 4), pg_advisory_xact_lock(3, 4);
SELECT pg_advisory_lock(5);
PREPARE TRANSACTION 'numbers';
SELECT classid, objid, objsubid, mode, granted, pid IS NULL AS of_prepared FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1, 2, 3;
SELECT pg_try_advisory_lock(1), pg_try_advisory_lock_shared(2), pg_try_advisory_lock(3, 4), pg_advisory_unlock(1), pg_advisory_unlock(5);
SELECT pg_advisory_unlock_all();
COMMIT PREPARED 'numbers';
SELECT pg_try_advisory_lock(1), pg_try_advisory_lock(3, 4);
BEGIN;
SELECT pg_advisory_xact_lock(1);
PREPARE TRANSACTION 'twice';
SELECT 1;
BEGIN;
SELECT pg_advisory_xact_lock_shared(3, 4);
PREPARE TRANSACTION 'twice';
SELECT pg_advisory_unlock_all();
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
-- Rows that are locked and not changed.
BEGIN;
SELECT id FROM t WHERE id = 1 FOR SHARE;
SELECT id FROM t WHERE id = 2 FOR UPDATE;
PREPARE TRANSACTION 'locks';
\session b
SELECT id FROM t WHERE id = 1 FOR SHARE NOWAIT;
SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT;
SELECT id FROM t WHERE id = 2 FOR KEY SHARE NOWAIT;
UPDATE t SET n = -1 WHERE id = 2;
\waits
\session a
SELECT count(*), bool_and(0 = ANY (pg_blocking_pids(pid))) FROM pg_stat_activity WHERE wait_event_type = 'Lock';
ROLLBACK PREPARED 'locks';
\session b
\finish
-- A prepared transaction belongs to its database.
BEGIN;
INSERT INTO t VALUES (7, 70);
PREPARE TRANSACTION 'here';
CREATE DATABASE elsewhere_prepared;
\session c elsewhere_prepared
SELECT count(*) FROM pg_prepared_xacts;
COMMIT PREPARED 'here';
ROLLBACK PREPARED 'here';
\end c
\session a
ROLLBACK PREPARED 'here';
DROP DATABASE elsewhere_prepared;
-- In one transaction two are not ended, and one that has ended is not there.
BEGIN; PREPARE TRANSACTION 'x';
COMMIT PREPARED 'x'; COMMIT PREPARED 'x';
COMMIT PREPARED 'x';
COMMIT PREPARED 'x';
EXPLAIN COMMIT PREPARED 'x';
SELECT count(*) FROM pg_prepared_xacts;
