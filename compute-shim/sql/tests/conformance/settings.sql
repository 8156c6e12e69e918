-- SET, SHOW, RESET, PREPARE, EXECUTE, DEALLOCATE, DISCARD, and parameters of inferred types.
SHOW search_path;
SET search_path TO public, pg_catalog;
SHOW search_path;
SET search_path = 'a b', "C";
SHOW search_path;
RESET search_path;
SHOW search_path;
SHOW nope;
SET nope = 1;
SET my.custom = 'x';
SHOW my.custom;
SHOW my.other;
SHOW standard_conforming_strings;
SHOW client_encoding;
SET client_encoding = 'UTF8';
SET client_encoding = 'nope';
SHOW datestyle;
SHOW timezone;
SET TIME ZONE 'America/New_York';
SHOW TIME ZONE;
SET timezone TO DEFAULT;
SHOW timezone;
SET statement_timeout = '5s';
SHOW statement_timeout;
SET statement_timeout = 1500;
SHOW statement_timeout;
SET statement_timeout = 60000;
SHOW statement_timeout;
SET statement_timeout = 'x';
SET statement_timeout = -1;
RESET statement_timeout;
SET server_version = '1';
SET extra_float_digits = 3;
SHOW extra_float_digits;
SET extra_float_digits = 100;
SET enable_seqscan = off;
SHOW enable_seqscan;
SET enable_seqscan = maybe;
RESET ALL;
SHOW enable_seqscan;
SET application_name = 'tests';
SHOW application_name;
SELECT current_setting('application_name'), current_setting('nope', true);
SELECT current_setting('nope');
SELECT set_config('application_name', 'other', false);
SHOW application_name;
SHOW transaction_isolation;
SHOW default_transaction_isolation;
SET default_transaction_isolation = 'repeatable read';
SHOW transaction_isolation;
RESET default_transaction_isolation;
SET default_transaction_isolation = 'nope';
SET SESSION work_mem = '16MB';
SHOW work_mem;
SET LOCAL work_mem = '32MB';
SHOW work_mem;
SET client_min_messages = error;
DROP TABLE IF EXISTS nope;
RESET client_min_messages;
DROP TABLE IF EXISTS nope;
CREATE TABLE t (id int PRIMARY KEY, s text, n numeric(6,2), b bool, d date, l bigint);
INSERT INTO t VALUES (1, 'a', 1.5, true, '2024-01-01', 10), (2, 'b', 2.5, false, NULL, 20);
PREPARE p1 AS SELECT s FROM t WHERE id = $1;
EXECUTE p1 (1);
EXECUTE p1 ('2');
EXECUTE p1 (1 + 1);
EXECUTE p1 (NULL);
EXECUTE p1;
EXECUTE p1 (1, 2);
EXECUTE p1 ('x');
EXECUTE p1 (true);
EXECUTE nope;
PREPARE p1 AS SELECT 1;
PREPARE p2 (text, int) AS SELECT $1 || 'x', $2 + 1, $1;
EXECUTE p2 ('a', 5);
EXECUTE p2 (5, 5);
PREPARE p3 AS INSERT INTO t (id, s) VALUES ($1, $2) RETURNING id, s;
EXECUTE p3 (3, 'c');
EXECUTE p3 (3, 'c');
PREPARE p4 AS UPDATE t SET n = n + $2 WHERE id = $1 RETURNING n;
EXECUTE p4 (1, 1.25);
EXECUTE p4 (1, '2');
PREPARE p5 AS DELETE FROM t WHERE id = $1;
EXECUTE p5 (3);
PREPARE p6 AS SELECT $1;
EXECUTE p6 ('x');
PREPARE p7 AS SELECT $1 + $2;
PREPARE p8 AS SELECT $2::int;
PREPARE p9 AS SELECT nope FROM t;
PREPARE p11 AS SELECT id FROM t WHERE s LIKE $1 ORDER BY id LIMIT $2;
EXECUTE p11 ('%', 1);
DEALLOCATE p1;
EXECUTE p1 (1);
DEALLOCATE p1;
DEALLOCATE PREPARE p2;
DEALLOCATE ALL;
EXECUTE p3 (4, 'd');
PREPARE q AS SELECT * FROM t ORDER BY id;
EXECUTE q;
ALTER TABLE t ADD COLUMN extra int;
EXECUTE q;
DISCARD ALL;
EXECUTE q;
DISCARD PLANS;
SELECT s FROM t WHERE id = $1;
\bind 1
\bind 2
\bind \N
\bind x
\bind 1 | 2
SELECT $1 + 1, $2 || 'x', $3::date, $4;
\bind 1 | a | 2024-01-01 | text
SELECT id FROM t WHERE n > $1 AND l = $2 AND b = $3 ORDER BY id;
\bind 1.0 | 10 | t
SELECT id FROM t WHERE id = ANY ($1) ORDER BY id;
\bind {1,2}
\bind {3}
SELECT id FROM t WHERE id IN ($1, $2) ORDER BY id;
\bind 1 | 2
SELECT id FROM t WHERE id BETWEEN $1 AND $2 ORDER BY id;
\bind 0 | 1
SELECT id FROM t ORDER BY id LIMIT $1 OFFSET $2;
\bind 1 | 1
SELECT CASE WHEN $1 THEN 1 ELSE $2 END, coalesce($3, 'z'), $4 = d FROM t WHERE id = 1;
\bind true | 5 | \N | 2024-01-01
INSERT INTO t (id, s, n, b, d, l) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *;
\bind 7 | seven | 7.777 | true | 2024-07-07 | 77
\bind 8 | \N | \N | \N | \N | \N
\bind 8 | dup | \N | \N | \N | \N
\bind 9 | x | 99999 | \N | \N | \N
UPDATE t SET n = n + $1, l = $2 WHERE id = $3;
\bind 1 | 5 | 7
DELETE FROM t WHERE id = $1 AND s = $2 RETURNING id;
\bind 7 | seven
SELECT $1;
\bind x
SELECT $1 + $2;
\bind 1 | 2
SELECT $1::int + $2;
\bind 1 | 2
SELECT $2::int;
\bind 1 | 2
SELECT $1 || $2;
\bind a | b
SELECT upper($1), length($2), abs($3);
\bind a | bcd | -1
SELECT abs($1);
\bind -1.5
SELECT ($1, $2) = (1, 'a');
\bind 1 | a
SELECT $1 IS NULL;
\bind x
SELECT * FROM (VALUES ($1, 2), (3, $2)) v;
\bind 1 | 4
SELECT $1 UNION SELECT 5 ORDER BY 1;
\bind 4
SELECT id FROM t WHERE (SELECT $1 = max(id) FROM t) ORDER BY id;
\bind 8
SELECT interval '1 day' * $1, date '2024-01-01' + $2;
\bind 2 | 3
CREATE TABLE nope2 (a int);
\bind
SHOW search_path;
\bind
BEGIN;
\bind
SELECT 1/0;
\bind
SELECT 1;
\bind
ROLLBACK;
\bind
SELECT 1; SELECT 2;
\bind
;
\bind
SELECT nope;
\bind
SELECT generate_series(1, $1);
\bind 3
SELECT 1; SELECT nope; SELECT 3;
SELECT 1; SELECT 'a', 'b'; SELECT FROM t WHERE id = 1;
SELECT 1; SELEC 2;
SELEC;
SELECT 'unterminated;
' ;
