-- pg_stat_activity as other sessions see it, and who waits for whose transaction in pg_locks.
\session a
SET application_name = 'first';
CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE);
INSERT INTO t VALUES (1, 1), (2, 2);
CREATE TABLE sessions (name text PRIMARY KEY, pid int);
CREATE VIEW seen AS SELECT s.name, a.state, a.wait_event_type, a.wait_event, a.query, a.xact_start IS NOT NULL AS in_transaction, a.backend_xid IS NOT NULL AS has_xid, a.application_name, a.usename = current_user AS is_mine, a.datname = current_database() AS is_here, a.backend_type FROM sessions s JOIN pg_stat_activity a USING (pid) ORDER BY s.name;
INSERT INTO sessions VALUES ('a', pg_backend_pid());
\session b
SET application_name = 'second';
INSERT INTO sessions VALUES ('b', pg_backend_pid());
\session d
SET application_name = 'watcher';
SELECT * FROM seen;
\session a
BEGIN;
SELECT 1   AS "what was written", 'ä';
\session d
SELECT * FROM seen WHERE name = 'a';
\session a
UPDATE t SET n = 10 WHERE id = 1;
\session d
SELECT * FROM seen WHERE name = 'a';
\session a
SELECT 1 / 0;
\session d
SELECT * FROM seen WHERE name = 'a';
\session a
ROLLBACK;
\session d
SELECT * FROM seen WHERE name = 'a';
\session a
SELECT this is no statement;
SELECT 1; SELECT 2;
\session d
SELECT state, query FROM seen WHERE name = 'a';
\session a
SELECT n FROM t WHERE id = $1;
\bind 1
\session d
SELECT state, query FROM seen WHERE name = 'a';
-- Times.
\session a
BEGIN;
SELECT 3;
\session d
SELECT backend_start < xact_start, xact_start <= query_start, query_start <= state_change, state_change <= clock_timestamp(), query_id IS NOT NULL AS has_id, leader_pid, client_hostname FROM pg_stat_activity JOIN sessions USING (pid) WHERE name = 'a';
\session a
COMMIT;
\session d
SELECT xact_start, query_start <= state_change FROM pg_stat_activity JOIN sessions USING (pid) WHERE name = 'a';
SELECT state, query, query_start <= now(), xact_start = now(), wait_event FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT length(query), octet_length(query) FROM pg_stat_activity WHERE pid = pg_backend_pid() /* äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää */;
SHOW track_activity_query_size;
SET track_activity_query_size = 2048;
SET compute_query_id = off;
SELECT query_id FROM pg_stat_activity WHERE pid = pg_backend_pid();
SET compute_query_id = on;
SELECT query_id IS NOT NULL FROM pg_stat_activity WHERE pid = pg_backend_pid();
RESET compute_query_id;
-- A session that does not want to be seen.
\session a
SET track_activities = off;
SELECT 'a secret';
\session d
SELECT state, query, xact_start, query_start FROM pg_stat_activity JOIN sessions USING (pid) WHERE name = 'a';
\session a
RESET track_activities;
SELECT 'no secret';
\session d
SELECT state, query FROM seen WHERE name = 'a';
-- Who waits for a row waits for a transaction.
CREATE VIEW waits AS SELECT w.name, l.locktype, l.mode, l.granted, h.name AS holder, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.classid, l.objid, l.objsubid FROM pg_locks l JOIN sessions w USING (pid) LEFT JOIN pg_locks g ON l.locktype = 'transactionid' AND g.locktype = 'transactionid' AND g.transactionid = l.transactionid AND g.granted LEFT JOIN sessions h ON h.pid = g.pid WHERE l.locktype = 'transactionid' ORDER BY w.name, l.granted, h.name;
\session a
BEGIN;
UPDATE t SET n = 11 WHERE id = 1;
\session b
BEGIN;
UPDATE t SET n = 12 WHERE id = 2;
UPDATE t SET n = 12 WHERE id = 1;
\waits
\session d
SELECT * FROM seen;
SELECT * FROM waits;
SELECT name, ARRAY(SELECT s.name FROM sessions s WHERE s.pid = ANY (pg_blocking_pids(w.pid))) AS by FROM sessions w ORDER BY name;
\session a
COMMIT;
\session b
\finish
\session d
SELECT * FROM waits;
\session b
ROLLBACK;
\session d
SELECT * FROM waits;
-- Of a unique key.
\session a
BEGIN;
INSERT INTO t VALUES (3, 30);
\session b
INSERT INTO t VALUES (4, 30);
\waits
\session d
SELECT name, locktype, mode, granted, holder FROM waits WHERE NOT granted;
SELECT name, state, wait_event_type, wait_event FROM seen;
\session a
ROLLBACK;
\session b
\finish
-- Of a table, and of a number.
\session a
BEGIN;
LOCK TABLE t;
SELECT pg_advisory_xact_lock(7);
\session b
SELECT count(*) FROM t;
\waits
\session d
SELECT name, state, wait_event_type, wait_event, query FROM seen WHERE name = 'b';
SELECT * FROM waits WHERE NOT granted;
\session a
COMMIT;
\session b
\finish
\session a
SELECT pg_advisory_lock(7);
\session b
SELECT pg_advisory_lock(7);
\waits
\session d
SELECT name, state, wait_event_type, wait_event, query FROM seen WHERE name = 'b';
\session a
SELECT pg_advisory_unlock(7);
\session b
\finish
SELECT pg_advisory_unlock(7);
-- Numbers that are no session's.
\session d
SELECT pg_cancel_backend(0), pg_terminate_backend(0);
SELECT pg_terminate_backend(2147483647, 1000);
SELECT pg_terminate_backend(pid => 2147483647, timeout => 1);
SELECT pg_terminate_backend(pid => 2147483647);
SELECT pg_terminate_backend(2147483647, -1);
SELECT pg_cancel_backend(NULL), pg_terminate_backend(NULL), pg_terminate_backend(0, NULL);
SELECT pg_cancel_backend('x');
SELECT datname = current_database() AS here, numbackends > 2 AS several, conflicts, checksum_failures, checksum_last_failure, blk_read_time, blk_write_time FROM pg_stat_database WHERE datname = current_database();
SELECT datid, datname, numbackends FROM pg_stat_database WHERE datid = 0;
