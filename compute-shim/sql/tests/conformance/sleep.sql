-- A statement that does nothing for a while, and one that says something wrong behind a star.
SELECT pg_sleep(0.01);
SELECT pg_sleep(0), pg_sleep(-5), pg_sleep('NaN'), pg_sleep(NULL);
SELECT pg_sleep_for('10 milliseconds');
SELECT pg_sleep_for('-1 year');
SELECT pg_sleep_until(now());
SELECT pg_sleep_until('-infinity');
SELECT pg_typeof(pg_sleep(0));
SELECT pg_sleep('soon');
SELECT pg_sleep();
SELECT pg_sleep_for('400000 years');
SELECT pg_sleep_until('never');
-- Each row by itself.
SELECT count(pg_sleep(0.001 * g)) FROM generate_series(1, 5) g;
SELECT clock_timestamp() - statement_timestamp() >= '30 milliseconds' FROM (SELECT pg_sleep(0.01 * g) FROM generate_series(1, 3) g OFFSET 0) s LIMIT 1 OFFSET 2;
SELECT g, pg_sleep(0.001) FROM generate_series(1, 3) g WHERE pg_sleep(0.001) IS NOT NULL ORDER BY g DESC;
SELECT CASE WHEN pg_sleep(0.001)::text = '' THEN 'slept' END;
SELECT * FRM t;
SELECT * "FRM" t;
SELECT t.* x FROM (VALUES (1)) t;
SELECT * x FROM (VALUES (1)) t;
