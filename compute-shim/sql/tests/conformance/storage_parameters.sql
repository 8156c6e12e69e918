-- Storage parameters: SET and RESET of tables' and indexes'.
CREATE TABLE t (a int PRIMARY KEY, b int) WITH (fillfactor = 70, autovacuum_enabled = false);
CREATE INDEX t_b ON t (b) WITH (deduplicate_items = off);
CREATE VIEW v AS SELECT a FROM t;
CREATE SEQUENCE s;
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_pkey', 't_b') ORDER BY relname;
ALTER TABLE t SET (fillfactor = 80, parallel_workers = 2), RESET (autovacuum_enabled);
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_pkey', 't_b') ORDER BY relname;
-- Names that nothing bears are passed over, whatever they are; values are not.
ALTER TABLE t RESET (nope, bla.x, toast.autovacuum_enabled, parallel_workers, parallel_workers);
ALTER TABLE t RESET (fillfactor = 5);
ALTER TABLE t RESET (fillfactor = 'x');
ALTER TABLE t RESET ();
ALTER TABLE t RESET fillfactor;
SELECT relname, reloptions FROM pg_class WHERE relname = 't';
ALTER TABLE t RESET (FillFactor);
SELECT relname, reloptions FROM pg_class WHERE relname = 't';
ALTER TABLE IF EXISTS nope RESET (fillfactor);
ALTER TABLE nope RESET (fillfactor);
ALTER TABLE s RESET (fillfactor);
ALTER TABLE pg_class RESET (fillfactor);
-- Indexes.
ALTER INDEX t_pkey SET (fillfactor = 60);
ALTER INDEX t_b SET (fillfactor = 50), RESET (deduplicate_items);
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_pkey', 't_b') ORDER BY relname;
SELECT pg_get_indexdef('t_b'::regclass);
ALTER TABLE t_b SET (deduplicate_items = on, fillfactor = 55);
ALTER TABLE t_pkey RESET (fillfactor);
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_pkey', 't_b') ORDER BY relname;
ALTER INDEX t_b RESET (fillfactor, nope);
SELECT relname, reloptions FROM pg_class WHERE relname = 't_b';
ALTER INDEX t_b SET (autovacuum_enabled);
ALTER INDEX t_b SET (fillfactor = 1);
ALTER INDEX t_b SET (fillfactor = 50, fillfactor = 60);
ALTER INDEX t_b RESET (fillfactor = 5);
ALTER INDEX t_b RESET ();
ALTER INDEX t SET (fillfactor = 60);
ALTER INDEX v RESET (fillfactor);
ALTER INDEX s RESET (fillfactor);
ALTER INDEX nope SET (fillfactor = 60);
ALTER INDEX IF EXISTS nope SET (fillfactor = 60);
ALTER INDEX nope.nope RESET (fillfactor);
-- In a transaction, taken back, and beside a reader and a writer.
BEGIN;
ALTER TABLE t SET (fillfactor = 40);
ALTER INDEX t_b RESET (deduplicate_items);
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_b') ORDER BY relname;
\session b
INSERT INTO t VALUES (1, 2) RETURNING *;
\session a
ROLLBACK;
SELECT relname, reloptions FROM pg_class WHERE relname IN ('t', 't_b') ORDER BY relname;
SELECT * FROM t WHERE b = 2;
\unsupported
ALTER TABLE v SET (security_barrier = true);
ALTER TABLE v RESET (security_barrier);
ALTER INDEX t_b RESET (fillfactor), SET TABLESPACE pg_default;
