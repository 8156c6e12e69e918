-- Parameters where nobody gives values, and where a statement stands around the one that has them.
CREATE TABLE t (id int PRIMARY KEY, s text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');
SELECT $1;
SELECT id FROM t WHERE id = $1;
SELECT 1; SELECT $2::int;
INSERT INTO t VALUES ($1, 'x');
UPDATE t SET s = $1;
DELETE FROM t WHERE id = $1 RETURNING s;
WITH x AS (SELECT $1::int AS n) SELECT n FROM x;
SELECT id FROM t ORDER BY id LIMIT $1;
INSERT INTO t VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET s = $1;
EXPLAIN (COSTS OFF) SELECT $1::int;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT $1::int;
DECLARE c CURSOR WITH HOLD FOR SELECT $1::int;
COPY (SELECT $1::int) TO STDOUT;
COPY t FROM STDIN WHERE id > $1;
\.
CREATE TABLE made AS SELECT $1::int AS n;
SELECT $1::int AS n INTO made;
CREATE VIEW seen AS SELECT $1::int AS n;
PREPARE p (int) AS SELECT $1 + 1;
EXECUTE p ($1);
EXECUTE p (1);
-- The same text with and without values.
SELECT s FROM t WHERE id = $1;
\bind 1
SELECT s FROM t WHERE id = $1;
SELECT s FROM t WHERE id = $1;
\bind 2
COPY (SELECT $1::int) TO STDOUT;
\bind
EXPLAIN (COSTS OFF) SELECT 1 FROM t WHERE s = $1;
\bind
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1 / $1;
\bind 1
\bind 0
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) INSERT INTO t VALUES ($1, $2);
\bind 3 | three
\bind 4 | \N
\bind 4 | \N
SELECT id, s FROM t ORDER BY id;
EXPLAIN (COSTS OFF) SELECT nosuch FROM t WHERE id = $1;
\bind 1
select pg_typeof('a'::char(3)), 'a'::char(3) = any ('{"a  ",b}');
select 'a'::char(3) = any (array['a  ','b']);
select 'a'::char(3) = any (array['a','b']);
prepare p1 as select 'a'::char(3) = any ($1);
select parameter_types from pg_prepared_statements where name='p1';
execute p1('{"a "}');
prepare p2 as select 'a'::char(3) = any (array[$1,$2]);
select parameter_types from pg_prepared_statements where name='p2';
execute p2('a ','b');
prepare p3 as select 'a'::char(3) in ($1,'b  ');
select parameter_types from pg_prepared_statements where name='p3';
execute p3('a ');
prepare p4 as select 'a'::varchar(3) = any ($1);
select parameter_types from pg_prepared_statements where name='p4';
prepare p5 as select 'a'::name = any ($1);
select parameter_types from pg_prepared_statements where name='p5';
prepare p6 as select 'a'::char(3) like any ($1);
select parameter_types from pg_prepared_statements where name='p6';
prepare p7 as select 1::smallint = any ($1);
select parameter_types from pg_prepared_statements where name='p7';
prepare p8 as select 'a' = any ($1);
select parameter_types from pg_prepared_statements where name='p8';
prepare p9 as select '2020-01-01'::date < all ($1);
select parameter_types from pg_prepared_statements where name='p9';
prepare p10 as select 'a'::varchar(3) = any (array[$1]);
select parameter_types from pg_prepared_statements where name='p10';
prepare p11 as select 'a'::varchar(3) = $1;
select parameter_types from pg_prepared_statements where name='p11';
select '{1}'::int[] = any ('{1}');
select 1.5 = any ('{1.5}'), 'a'::"char" = any ('{a,bc}'), 'a'::char(3) ~~ any ('{"a  ",b}'), 'a'::char(3) <> all ('{"a ","b"}');
select 'a'::char(3) = any (null), 'a'::char(3) = any ('x');
select 'ab'::char(1) = any ('{"a  ",b}');
select x = any('{a,"b  "}') from (values ('a'::char(3)),('b'),(null)) v(x);
select x = any(array['a','b  ']::text[]) from (values ('a'::char(3)),('b'),(null)) v(x);
select x = any(array['a','b  ']::varchar[]) from (values ('a'::char(3)),('b'),(null)) v(x);
select x = any(array['a','b  ']) from (values ('a'::char(3)),('b'),(null)) v(x);
select '2020-01-01'::date = any (array[$1]);
\bind 2020-01-01
select '{1}'::int[] = any ($1);
\bind {1}
select 'a'::char(3) = any ($1), 'a'::char(3) = any (array[$2]), 'a'::char(3) = any (array['a', $3]);
\bind {a} | a | b
