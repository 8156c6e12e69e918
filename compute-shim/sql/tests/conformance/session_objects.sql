-- What a session keeps, and small forms: EXPLAIN EXECUTE, pg_prepared_statements, time zones, interval(n), parameters of CREATE TABLE AS.
CREATE TABLE pt (a int, b text);
INSERT INTO pt VALUES (1, 'x'), (2, 'y');
PREPARE s (int) AS SELECT a FROM pt WHERE a > 1;
PREPARE i (int, text) AS INSERT INTO pt VALUES ($1, $2);
SELECT name, statement, parameter_types, from_sql, prepare_time <= clock_timestamp() AS before FROM pg_prepared_statements ORDER BY name;
EXPLAIN (COSTS OFF) EXECUTE s (1);
EXPLAIN EXECUTE nope;
EXPLAIN (COSTS OFF) EXECUTE s;
EXPLAIN (COSTS OFF) EXECUTE s (1, 2);
EXPLAIN (COSTS OFF) EXECUTE s ('x');
EXPLAIN (COSTS OFF) EXECUTE i (3, 'z');
SELECT count(*) FROM pt;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE i (3, 'z');
SELECT count(*) FROM pt;
DEALLOCATE s;
SELECT name, parameter_types FROM pg_prepared_statements;
DEALLOCATE ALL;
SELECT count(*) FROM pg_prepared_statements;
SELECT name, abbrev, utc_offset, is_dst FROM pg_timezone_names WHERE name IN ('UTC', 'Asia/Kolkata', 'Africa/Lagos') ORDER BY 1;
SELECT count(*) > 400 AS many FROM pg_timezone_names;
SELECT abbrev, utc_offset, is_dst FROM pg_timezone_abbrevs WHERE abbrev IN ('UTC', 'EST', 'EDT', 'IST', 'BST', 'CEST') ORDER BY 1;
SELECT interval(3) '1.23456 s', interval(0) '1.5 s', interval(6) '1 day 2.1234567 s' AS i;
SELECT interval (2) '1.239' + interval(0) '1.5', interval(1)'1.26';
SELECT interval '1 12:30:40.5678' day to second(3), interval '1.5678' second(2), interval '10:20' hour to minute, interval '1-2' year to month;
SELECT interval '1.2345' second, '1.2345 s'::interval(2), '1.2345'::interval second(1), CAST('1 2' AS interval day to hour);
SELECT interval(0) 'x';
CREATE VIEW ivv AS SELECT interval(1) '1.26 s' AS i;
SELECT * FROM ivv;
CREATE TABLE iv (a interval(2) DEFAULT interval(1) '1.26 s', b interval day to second(0));
INSERT INTO iv (b) VALUES ('1 1:2:3.7') RETURNING *;
-- CREATE TABLE AS with parameters.
CREATE TABLE ctas AS SELECT $1::int AS a, $2::text AS b;
\bind 5 | hey
SELECT * FROM ctas;
CREATE TABLE ctas2 (x, y) AS SELECT a, b || $2 FROM pt WHERE a > $1 ORDER BY a;
\bind 1 | !
SELECT * FROM ctas2;
CREATE TABLE ctas3 AS SELECT a FROM pt WHERE a = $1 WITH NO DATA;
\bind 1
SELECT * FROM ctas3;
CREATE TABLE IF NOT EXISTS ctas3 AS SELECT $1::int;
\bind 1
CREATE TEMPORARY TABLE ctas4 AS SELECT $1 AS t, $2 + 1 AS n;
\bind a | 41
SELECT * FROM ctas4;
SELECT $1::int AS a INTO ctas5;
\bind 6
SELECT * FROM ctas5;
CREATE TABLE ctas6 AS SELECT $1::int AS a;
CREATE TABLE ctas6 AS SELECT $1::int AS a;
\bind x
CREATE TABLE ctas6 AS SELECT $1::int / 0 AS a;
\bind 1
CREATE TABLE ctas6 AS SELECT nope FROM pt WHERE a = $1;
\bind 1
CREATE TABLE ctas6 AS SELECT a FROM pt WHERE a = ANY ($1::int[]);
\bind {1,3}
SELECT * FROM ctas6 ORDER BY 1;
CREATE TABLE ctas7 AS VALUES ($1::int, $2::date), (2, '2020-01-01');
\bind 1 | 2021-02-03
SELECT * FROM ctas7 ORDER BY 1;
