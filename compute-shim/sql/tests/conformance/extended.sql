-- Parameters whose types come from where they stand, and statements run again with others.
CREATE TABLE t (id int PRIMARY KEY, s text, v varchar(4), c char(3), n numeric(5,2), f float8, b bool, d date, ts timestamptz, l bigint, sm smallint, a int[]);
INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
\bind 1 | one | ab | x | 1.255 | 1.5 | t | 2024-01-01 | 2024-01-01 00:00+00 | 9223372036854775807 | 7 | {1,2}
\bind 2 | \N | \N | \N | \N | \N | \N | \N | \N | \N | \N | \N
\bind 3 | three | toolong | x | 1 | 1 | t | 2024-01-01 | 2024-01-01 | 1 | 1 | {}
\bind 3 | three | ok | x | 1000 | 1 | t | 2024-01-01 | 2024-01-01 | 1 | 1 | {}
\bind 3 | three | ok | x | 1 | 1 | t | 2024-01-01 | 2024-01-01 | 1 | 99999 | {}
\bind 3 | three | ok | toolong | 1 | 1 | t | 2024-01-01 | 2024-01-01 | 1 | 1 | {}
\bind 1 | dup | ok | x | 1 | 1 | t | 2024-01-01 | 2024-01-01 | 1 | 1 | {}
\bind 1 | few
SELECT * FROM t WHERE id = $1;
\bind 1
\bind 2
\bind 3
\bind 99999999999
SELECT id FROM t WHERE s = $1;
\bind one
SELECT id FROM t WHERE v = $1 AND c = $2;
\bind ab | x
\bind ab | x  
SELECT id FROM t WHERE n = $1 OR f = $2 ORDER BY id;
\bind 1.26 | 0
\bind 1.260 | 1.5
SELECT id FROM t WHERE l = $1 AND sm = $2;
\bind 9223372036854775807 | 7
\bind 9223372036854775808 | 7
SELECT id FROM t WHERE d >= $1 AND ts < $2;
\bind 2024-01-01 | 2024-01-02
\bind 2024-02-30 | 2024-01-02
SELECT id FROM t WHERE $1 = ANY (a);
\bind 2
SELECT id FROM t WHERE id = ANY ($1) AND s <> ALL ($2);
\bind {1,2} | {x,y}
SELECT id, $1 FROM t ORDER BY id;
\bind lit
SELECT id, $1::int + id FROM t ORDER BY id;
\bind 10
SELECT $1 LIKE 'a%', $2 IN (1, 2), $3 BETWEEN 1.5 AND 2.5, NOT $4;
\bind abc | 2 | 2 | f
SELECT $1 = $2;
\bind a | a
SELECT $1::text || $2, $1 || 'x';
\bind a | b
SELECT $1::int, $1::text;
\bind 1
SELECT $1::int, $1;
\bind 1
SELECT $1, $1::int;
\bind 1
SELECT count(*) FROM t WHERE $1;
\bind true
\bind maybe
SELECT CASE $1 WHEN 1 THEN 'one' ELSE $2 END;
\bind 1 | other
\bind 5 | other
SELECT greatest($1, 5), least(1.5, $2), nullif($3, 'a'), coalesce($4, $5, 7);
\bind 9 | 1 | a | \N | 3
SELECT -$1::int, - $2, +$3;
\bind 1 | 2 | 3
SELECT $1 + $2::bigint, $3 * 1.5, $4 / 2;
\bind 1 | 2 | 3 | 9
SELECT now() > $1, date '2024-01-05' - $2, date '2024-01-05' + $3::int;
\bind 2000-01-01 | 2024-01-01 | 3
SELECT substr($1, $2), length($3), round($4, 1), $5 || 1;
\bind hello | 2 | abc | 2.55 | x
SELECT generate_series($1, $2);
\bind 1 | 3
SELECT * FROM generate_series($1::int, $2) g;
\bind 1 | 2
SELECT sum(x) FROM (VALUES ($1), (2)) v (x);
\bind 1
SELECT id FROM t WHERE id IN (SELECT $1) ORDER BY id;
\bind 1
SELECT id FROM t WHERE id = (SELECT $1) ORDER BY id;
\bind 1
SELECT id FROM t ORDER BY CASE WHEN $1 THEN id ELSE -id END;
\bind t
\bind f
SELECT $1 FROM t GROUP BY $1;
\bind 1
SELECT id % $1, count(*) FROM t GROUP BY id % $1 ORDER BY 1;
\bind 2
SELECT id FROM t ORDER BY id LIMIT $1;
\bind 1
\bind \N
\bind -1
\bind x
UPDATE t SET s = $2, n = $3 WHERE id = $1 RETURNING s, n;
\bind 1 | new | 2.345
\bind 7 | none | 1
UPDATE t SET n = n * $1 WHERE id = 1 RETURNING n;
\bind 1.1
\bind 1000
INSERT INTO t (id, s) SELECT $1, $2;
\bind 10 | sel
INSERT INTO t (id, s) SELECT id + $1, s FROM t WHERE id = $2 RETURNING id;
\bind 100 | 1
INSERT INTO t (id, s) VALUES ($1, $2), ($1 + 1, $2) RETURNING id, s;
\bind 200 | two rows
INSERT INTO t (id, s) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET s = excluded.s || $3 RETURNING s;
\bind 200 | a | b
DELETE FROM t WHERE id >= $1 RETURNING id;
\bind 100
DELETE FROM t WHERE s = $1 OR id = $2;
\bind none | 10
SELECT $3;
\bind a | b | c
SELECT $1::nope;
\bind 1
SELECT $0;
\bind 1
SELECT 1 + 1;
\bind
\bind 1
WITH w AS (SELECT $1::int AS x) SELECT x + $2 FROM w;
\bind 1 | 2
SELECT (SELECT max(id) FROM t WHERE id < $1), EXISTS (SELECT 1 FROM t WHERE s = $2);
\bind 3 | nope
SELECT $1::int[], $2::text[], ($3::int[])[2];
\bind {1,2} | {a,NULL} | {7,8}
SELECT ROW($1, 2), ($2, $3) = (1, 'a');
\bind x | 1 | a
SELECT $1::varchar(3), $2::char(3), $3::numeric(4,1), $4::timestamp(0);
\bind abcdef | x | 12.345 | 2024-01-01 00:00:00.7
BEGIN;
\bind
INSERT INTO t (id) VALUES ($1);
\bind 500
\bind 500
SELECT $1::int;
\bind 1
ROLLBACK;
\bind
SELECT count(*) FROM t WHERE id = $1;
\bind 500
