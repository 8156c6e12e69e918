-- ANALYZE, VACUUM and what they leave in the catalogs. The tables are smaller than the sample, so that the numbers are the same.
CREATE TABLE t (a int PRIMARY KEY, b text, c float8, d bool, e int, n int, u int);
CREATE INDEX ti ON t (b);
CREATE VIEW v AS SELECT * FROM t;
CREATE SEQUENCE s;
INSERT INTO t SELECT g, 'x' || g % 7, g / 4.0, g % 3 = 0, CASE WHEN g % 10 = 0 THEN NULL ELSE g % 250 END, NULL, 1000 - g FROM generate_series(1, 1000) g;
SELECT reltuples, relpages FROM pg_class WHERE relname = 't';
SELECT count(*) FROM pg_stats WHERE tablename = 't';
ANALYZE t;
SELECT reltuples FROM pg_class WHERE relname IN ('t', 'ti', 't_pkey');
SELECT relpages > 0 FROM pg_class WHERE relname = 't';
SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 't';
SELECT schemaname, attname, inherited, null_frac, n_distinct, most_common_vals, most_common_freqs, correlation FROM pg_stats WHERE tablename = 't' ORDER BY attname;
SELECT attname, histogram_bounds FROM pg_stats WHERE tablename = 't' ORDER BY attname;
SELECT attname, avg_width FROM pg_stats WHERE tablename = 't' ORDER BY attname;
SELECT pg_typeof(most_common_vals), pg_typeof(most_common_freqs), most_common_elems FROM pg_stats WHERE tablename = 't' AND attname = 'b';

-- A smaller target.
SET default_statistics_target = 3;
CREATE TABLE skewed (k int, w text);
INSERT INTO skewed SELECT CASE WHEN g <= 200 THEN 1 WHEN g <= 350 THEN 2 WHEN g <= 400 THEN 3 WHEN g <= 420 THEN 4 ELSE g END, repeat('w', g * 3) FROM generate_series(1, 600) g;
ANALYZE skewed;
SELECT attname, null_frac, n_distinct, most_common_vals, most_common_freqs, histogram_bounds, correlation FROM pg_stats WHERE tablename = 'skewed' AND attname = 'k';
SELECT attname, null_frac, n_distinct, most_common_vals IS NULL AS none, array_length(string_to_array(histogram_bounds::text, ','), 1) AS bounds FROM pg_stats WHERE tablename = 'skewed' AND attname = 'w';
RESET default_statistics_target;

-- Types.
CREATE TABLE typed (i2 int2, i8 int8, nu numeric, dt date, ts timestamptz, by bytea, ch char(4), vc varchar(9), ar int[], js json, jb jsonb, iv interval, id uuid);
INSERT INTO typed SELECT g % 3, g, g / 8.0, date '2020-01-01' + g % 5, timestamptz '2020-01-01 00:00+00' + g * interval '1 hour', decode(lpad(to_hex(g % 4), 2, '0'), 'hex'), 'c' || g % 2, 'v', ARRAY[g % 2, 5], '{"a":1}', jsonb_build_object('a', g % 2), g % 3 * interval '1 day', ('00000000-0000-0000-0000-00000000000' || g % 4)::uuid FROM generate_series(1, 40) g;
ANALYZE typed;
SELECT attname, null_frac, n_distinct, most_common_vals, most_common_freqs, histogram_bounds, correlation FROM pg_stats WHERE tablename = 'typed' ORDER BY attname;

-- Columns.
CREATE TABLE cols (a int, b int, c int);
INSERT INTO cols SELECT g, g, g FROM generate_series(1, 10) g;
ANALYZE cols (b);
SELECT attname FROM pg_stats WHERE tablename = 'cols' ORDER BY 1;
ANALYZE cols (a, c);
SELECT attname FROM pg_stats WHERE tablename = 'cols' ORDER BY 1;
ANALYZE cols (a, a);
ANALYZE cols (nope);
ANALYZE cols (a), cols (b);
ALTER TABLE cols DROP COLUMN a;
ALTER TABLE cols ALTER COLUMN b TYPE bigint;
SELECT attname FROM pg_stats WHERE tablename = 'cols' ORDER BY 1;
ALTER TABLE cols RENAME COLUMN c TO cc;
SELECT attname FROM pg_stats WHERE tablename = 'cols' ORDER BY 1;
TRUNCATE cols;
SELECT reltuples, relpages FROM pg_class WHERE relname = 'cols';
ANALYZE cols;
SELECT reltuples FROM pg_class WHERE relname = 'cols';
DROP TABLE cols;
SELECT count(*) FROM pg_stats WHERE tablename = 'cols';
CREATE TABLE empty (a int);
ANALYZE empty;
SELECT reltuples, relpages FROM pg_class WHERE relname = 'empty';
SELECT count(*) FROM pg_stats WHERE tablename = 'empty';

-- In a transaction.
BEGIN;
INSERT INTO empty SELECT generate_series(1, 5);
ANALYZE empty;
SELECT reltuples FROM pg_class WHERE relname = 'empty';
SELECT null_frac, n_distinct FROM pg_stats WHERE tablename = 'empty';
ROLLBACK;
BEGIN;
VACUUM t;
ROLLBACK;
BEGIN;
VACUUM ANALYZE t;
ROLLBACK;

-- What is no table.
ANALYZE nope;
ANALYZE nope.t;
ANALYZE v;
ANALYZE s;
ANALYZE ti;
ANALYZE t, v;
ANALYZE pg_class;
VACUUM nope;
VACUUM v;
VACUUM t, v;
VACUUM ANALYZE v;

-- Spellings.
ANALYSE t;
ANALYZE t (a, b);
VACUUM t (a);
VACUUM ANALYZE t (a);
VACUUM (ANALYZE, VERBOSE off) t;
VACUUM (FULL, FREEZE) t;
VACUUM FULL t;
VACUUM FREEZE t;
VACUUM FULL FREEZE ANALYZE t;
VACUUM ANALYZE FULL t;
VACUUM (bogus) t;
ANALYZE (bogus) t;
ANALYZE (SKIP_LOCKED, VERBOSE false) t;
ANALYZE (VERBOSE maybe) t;
VACUUM (PARALLEL 2) t;
VACUUM (PARALLEL) t;
VACUUM (PARALLEL -1) t;
VACUUM (FULL, PARALLEL 2) t;
VACUUM (DISABLE_PAGE_SKIPPING, FULL) t;
VACUUM (INDEX_CLEANUP auto, TRUNCATE, PROCESS_TOAST off) t;
VACUUM (INDEX_CLEANUP blah) t;
VACUUM (FULL, PROCESS_TOAST off) t;
ANALYZE ONLY t;
VACUUM;
ANALYZE;

-- A lock that is held.
\session b
BEGIN;
LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE;
\session a
ANALYZE (SKIP_LOCKED) t;
SELECT count(*) FROM t;
\session b
ROLLBACK;
