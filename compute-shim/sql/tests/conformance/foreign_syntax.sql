-- What other dialects have and PostgreSQL refuses, and where.
SELECT 123abc;
SELECT 10e;
SELECT 10e+;
SELECT 0x1F;
SELECT 1_000;
SELECT 1.5x;
SELECT 1.e;
SELECT .5e-3y;
SELECT $1a;
SELECT 1"x";
SELECT 1 AS "2b", 1e3 AS e, 1e-3AS;
-- Brackets.
SELECT ARRAY[1, 2][1];
SELECT (ARRAY[1, 2])[1], (ARRAY[1, 2])[1:1], ARRAY[[1, 2], [3, 4]], ARRAY[ARRAY[1], ARRAY[2]];
SELECT ARRAY[[[1], [2]], [[3], [4]]];
SELECT ARRAY[1, [2]];
SELECT array_agg(1)[1];
SELECT (array_agg(1))[1];
SELECT (SELECT ARRAY[5, 6])[2];
SELECT '{1,2}'[1];
SELECT '{1,2}'::int[][1], CAST('{1,2}' AS numeric(10, 2)[3]), '{a}'::varchar(3)[], '{1}'::pg_catalog.int4[];
SELECT '{1.25}'::interval second(1)[];
SELECT ARRAY(SELECT 1)[1];
SELECT coalesce(ARRAY[1])[1];
SELECT CASE WHEN true THEN ARRAY[1] END[1];
SELECT 1[1];
SELECT [1];
SELECT x FROM (VALUES ([1, 2])) AS t (x);
CREATE TABLE brackets (a int[3], b varchar(3)[], c timestamp(3) with time zone[], d double precision[2], "select" int[]);
INSERT INTO brackets (a[1], "select"[2]) VALUES (7, 8);
UPDATE brackets SET a[2] = a[1] + brackets."select"[2] WHERE a[1] IN (7) AND brackets.a[1] = 7;
SELECT a, a[1], brackets.a[2], (brackets.a)[2], "select"[2], b[1:2] FROM brackets;
SELECT a[$1] FROM brackets;
\bind 1
\bind 2
SELECT a[1] FROM brackets WHERE a[1] == 7;
SELECT 1 <=> 2;
-- Words.
SELECT first_value(a) IGNORE NULLS OVER () FROM brackets;
SELECT first_value(a) RESPECT NULLS OVER () FROM brackets;
SELECT first_value(a IGNORE NULLS) OVER () FROM brackets;
SELECT array_agg(a LIMIT 1) FROM brackets;
SELECT TRY_CAST('1' AS int);
SELECT struct(1 AS x, 2 AS y);
SELECT a FROM brackets QUALIFY row_number() OVER () = 1;
SELECT 1 FROM brackets AS l LEFT SEMI JOIN brackets AS r ON true;
SELECT 1 FROM brackets AS l LEFT ANTI JOIN brackets AS r ON true;
INSERT INTO TABLE brackets SELECT * FROM brackets;
CREATE TABLE filled (a int, b text) AS VALUES (1, 'a');
CREATE EXTERNAL TABLE outside (a int) LOCATION 'somewhere';
CREATE OR REPLACE TABLE brackets (a int);
SET x.y = null;
SET search_path = null;
SET x.y = on;
SHOW x.y;
SET search_path TO public, "null";
SHOW search_path;
RESET search_path;
SELECT interval '5' years, interval '5' week, interval '1' day AS unit, interval '5' Milliseconds, 10::smallint unsigned, 1 unsigned;
SELECT unsigned FROM (VALUES (1)) AS v (unsigned) WHERE unsigned = 1;
SELECT interval '5' day, interval '1-2' year to month, interval '5' AS hours, (interval '5') hours;
-- An aggregate with DISTINCT is sorted by an argument that was cast, and a window call is the same where it comes again.
CREATE TABLE sorted (v varchar(3), i int);
INSERT INTO sorted VALUES ('b', 2), ('a', 1), ('b', 3), (NULL, 4);
SELECT string_agg(DISTINCT v, '|' ORDER BY v), string_agg(DISTINCT v, '|' ORDER BY v DESC) FROM sorted;
SELECT string_agg(DISTINCT v, '|' ORDER BY v::text) FROM sorted;
SELECT string_agg(DISTINCT v, '|' ORDER BY upper(v)) FROM sorted;
SELECT avg(DISTINCT i ORDER BY i), string_agg(v, ',' ORDER BY i) FROM sorted;
SELECT DISTINCT ON (row_number() OVER (ORDER BY i)) i, v FROM sorted ORDER BY row_number() OVER (ORDER BY i);
SELECT DISTINCT ON (count(*) OVER (PARTITION BY v)) i, v FROM sorted ORDER BY count(*) OVER (PARTITION BY v), i;
SELECT DISTINCT ON (row_number() OVER (ORDER BY i)) i FROM sorted ORDER BY row_number() OVER (ORDER BY i DESC);
SELECT i, sum(i) OVER w, sum(i) OVER w, sum(i) OVER (w ROWS 1 PRECEDING), sum(i) FILTER (WHERE i > 1) OVER w, count(i) OVER w
  FROM sorted WINDOW w AS (ORDER BY i) ORDER BY sum(i) OVER w DESC;
-- Digests.
SELECT sha224(''), sha256('abc'), sha384('abc'), sha512('abc'), sha256(NULL);
SELECT encode(sha256('\x00ff'::bytea), 'hex');
