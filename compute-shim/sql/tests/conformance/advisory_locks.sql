-- Advisory locks: both kinds of keys, sessions and transactions, waits, deadlocks, what is shown.
SELECT pg_advisory_lock(1), pg_try_advisory_lock(2, 3);
SELECT locktype, classid, objid, objsubid, mode, granted FROM pg_locks WHERE locktype = 'advisory' ORDER BY objsubid, objid;
SELECT database = (SELECT oid FROM pg_database WHERE datname = current_database()), pid = pg_backend_pid() FROM pg_locks WHERE locktype = 'advisory';
\session b
SELECT pg_try_advisory_lock(1), pg_try_advisory_lock(2, 3), pg_try_advisory_lock(3, 2), pg_try_advisory_lock((2::bigint << 32) + 3);
SELECT pg_advisory_unlock(1);
SELECT pg_advisory_unlock_shared(1);
SELECT pg_advisory_unlock(3, 2), pg_advisory_unlock((2::bigint << 32) + 3), pg_advisory_unlock(3, 2);
SELECT pg_advisory_lock(1);
\waits
\session a
SELECT objid, mode, granted FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 ORDER BY granted;
SELECT pg_advisory_lock(1);
SELECT pg_advisory_unlock(1);
SELECT pg_advisory_unlock(1);
\session b
\finish
\session a
SELECT pg_try_advisory_lock(1);
SELECT pg_advisory_unlock(1);
\session b
SELECT pg_advisory_unlock_all();
\session a
SELECT pg_advisory_unlock_all();
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
-- Shared ones.
SELECT pg_advisory_lock_shared(10);
\session b
SELECT pg_try_advisory_lock_shared(10), pg_try_advisory_lock(10);
\session c
SELECT pg_advisory_lock(10);
\waits
\session d
SELECT pg_try_advisory_lock_shared(10);
\session b
SELECT pg_try_advisory_lock_shared(10);
SELECT mode, granted, count(*) FROM pg_locks WHERE locktype = 'advisory' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT pg_advisory_unlock_shared(10), pg_advisory_unlock_shared(10), pg_advisory_unlock_shared(10);
\session a
SELECT pg_advisory_unlock_shared(10);
\session c
\finish
SELECT pg_advisory_unlock(10);
-- Of a transaction.
BEGIN;
SELECT pg_advisory_xact_lock(20), pg_advisory_xact_lock(20), pg_advisory_xact_lock_shared(21, 22);
SELECT pg_advisory_unlock(20);
SELECT pg_try_advisory_xact_lock(20), pg_try_advisory_xact_lock_shared(21, 22), pg_try_advisory_xact_lock(21, 22);
\session a
SELECT pg_try_advisory_xact_lock(20), pg_try_advisory_xact_lock_shared(21, 22);
\session c
COMMIT;
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
BEGIN;
SELECT pg_advisory_lock(30), pg_advisory_xact_lock(30), pg_advisory_xact_lock(31);
ROLLBACK;
\session a
SELECT pg_try_advisory_lock(30), pg_try_advisory_lock(31);
\session c
SELECT pg_advisory_unlock(30), pg_advisory_unlock(30);
BEGIN;
SELECT pg_advisory_lock(30), pg_advisory_xact_lock(30);
SELECT pg_advisory_unlock(30);
\session a
SELECT pg_try_advisory_lock(30);
\session c
COMMIT;
\session a
SELECT pg_try_advisory_lock(30);
SELECT pg_advisory_unlock_all();
-- Savepoints give back what was taken since.
BEGIN;
SELECT pg_advisory_xact_lock(40);
SAVEPOINT s;
SELECT pg_advisory_xact_lock(41), pg_advisory_lock(42), pg_advisory_xact_lock(40);
ROLLBACK TO s;
\session b
SELECT pg_try_advisory_lock(40), pg_try_advisory_lock(41), pg_try_advisory_lock(42);
SELECT pg_advisory_unlock_all();
\session a
SELECT 1/0;
\session b
SELECT pg_try_advisory_lock(40);
\session a
ROLLBACK;
SELECT objid FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1;
DISCARD ALL;
SELECT objid FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1;
-- One who waits sees what the one before has committed.
CREATE TABLE t (id int PRIMARY KEY, n int);
INSERT INTO t VALUES (1, 1);
BEGIN;
SELECT pg_advisory_xact_lock(50);
UPDATE t SET n = n + 1;
\session b
BEGIN;
SELECT pg_advisory_xact_lock(50);
\waits
\session a
COMMIT;
\session b
\finish
SELECT n FROM t;
UPDATE t SET n = n + 1;
COMMIT;
SELECT n FROM t;
-- Deadlocks, with rows too.
SET deadlock_timeout = '10ms';
SELECT pg_advisory_lock(60);
\session a
SET deadlock_timeout = '100s';
SELECT pg_advisory_lock(61);
SELECT pg_advisory_lock(60);
\waits
\session b
SELECT pg_advisory_lock(61);
SELECT pg_advisory_unlock(60);
\session a
\finish
SELECT pg_advisory_unlock_all();
SET deadlock_timeout = '10ms';
BEGIN;
UPDATE t SET n = 10;
\session b
SET deadlock_timeout = '100s';
SELECT pg_advisory_lock(62);
UPDATE t SET n = 20;
\waits
\session a
SELECT pg_advisory_lock(62);
ROLLBACK;
\session b
\finish
SELECT pg_advisory_unlock_all();
-- lock_timeout; NULL; types.
SELECT pg_advisory_lock(70);
\session a
SET lock_timeout = 50;
SELECT pg_advisory_lock(70);
SELECT pg_advisory_xact_lock_shared(70);
RESET lock_timeout;
SELECT pg_advisory_lock(NULL), pg_try_advisory_lock(NULL::bigint), pg_advisory_unlock(1, NULL);
SELECT pg_advisory_lock('x');
SELECT pg_advisory_lock(1.5);
SELECT pg_advisory_lock(-1), pg_try_advisory_lock(-1, -2);
SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND objid > 100 ORDER BY objsubid;
SELECT pg_advisory_lock(n) FROM (VALUES (80), (81), (80)) v (n);
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objid BETWEEN 80 AND 90 ORDER BY objid;
SELECT pg_advisory_unlock(80), pg_advisory_unlock(80), pg_advisory_unlock(80);
SELECT * FROM pg_try_advisory_lock(83);
SELECT pg_typeof(pg_try_advisory_lock(84)), pg_typeof(pg_advisory_lock(85));
SELECT $1::int AS x, pg_advisory_lock($1);
\bind 86
SELECT pg_advisory_unlock_all();
BEGIN;
LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE;
SELECT relation::regclass, mode, granted, pid = pg_backend_pid() FROM pg_locks WHERE locktype = 'relation' AND relation = 't'::regclass;
ROLLBACK;
-- Keys that clients make of names.
SELECT pg_try_advisory_lock(hashtext('migrations')), pg_try_advisory_xact_lock(hashtextextended('migrations', 0));
SELECT objid, classid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 ORDER BY objid;
SELECT pg_advisory_unlock(331260518), hashtext(NULL), hashtextextended('', -1);
