-- Spellings that come several times in a statement, and in each other: each is found, and where.
CREATE TABLE t (a int PRIMARY KEY, b text, UNIQUE (b));
SELECT interval(3) '1.23456 s', interval (0)
'2.7 s', interval(1) '3.14 s' + interval(2) '1.005 s', interval(3) '1.23456 s' AS interval;
SELECT (VALUES (interval(1) '1.25 s')), array[interval(0) '1.5 s', interval(2) '1.555 s'];
INSERT INTO t SELECT 1, 'x' ON CONFLICT DO NOTHING;
WITH i AS (INSERT INTO t SELECT 1, 'y' ON CONFLICT (abs(a)) DO NOTHING RETURNING a) SELECT * FROM i;
WITH i AS (INSERT INTO t SELECT 1, 'x' ON CONFLICT (a) WHERE true DO NOTHING RETURNING a),
     j AS (INSERT INTO t SELECT 2, 'y' UNION SELECT 3, 'z' ON CONFLICT (b COLLATE "default") WHERE b > '' DO NOTHING RETURNING a)
SELECT * FROM i UNION ALL SELECT * FROM j ORDER BY 1;
INSERT INTO t (SELECT 1, 'x') ON CONFLICT (b) DO UPDATE SET b = (SELECT 'q' LIMIT 1);
INSERT INTO t SELECT 1 UNION SELECT 1 ON CONFLICT DO NOTHING ON CONFLICT DO NOTHING;
SELECT conflict.g FROM generate_series(1, 2) x JOIN generate_series(2, 3) conflict(g) ON conflict.g = x;
WITH i AS (INSERT INTO t VALUES (1, 'x') ON CONFLICT (a) DO NOTHING) INSERT INTO t VALUES (2, 'y') ON CONFLICT (a, (b)) DO NOTHING;
SELECT U&'!0061b' UESCAPE '!', U&'\0062', U&'é?0063é' UESCAPE
  '?' || U&'d!0061t!+000061' UESCAPE '!', 1 uescape;
SELECT 'é', U&'!0061' UESCAPE '!', U&'é!006' UESCAPE '!';
SELECT 'é', U&'!0061' UESCAPE '!', U&'éé!d83d!0061' UESCAPE '!';
SELECT U&'!d83d!de00' UESCAPE '!', U&'!!0061' UESCAPE '!', U&'!d83d' UESCAPE '!';
SELECT U&'a!0000' UESCAPE '!';
SELECT U&'!dc00' UESCAPE '!';
WITH i AS (INSERT INTO t (VALUES (5, 'v'), (6, 'w')) RETURNING a), j AS (INSERT INTO t (VALUES (7, 'u')) RETURNING a)
SELECT * FROM i UNION ALL SELECT * FROM j ORDER BY 1;
SELECT 'a' LIKE ANY (ARRAY['a']), 'b' NOT LIKE ALL (ARRAY['a']), ('a' LIKE ANY (ARRAY['b'])) IS TRUE AND 'B' ILIKE SOME (ARRAY['b']);
SELECT 'a' NOT LIKE ANY (ARRAY['x']) LIKE ANY (ARRAY['y']);
SELECT 'a' LIKE ANY (ARRAY['x']) NOT LIKE ANY (ARRAY['y']);
SELECT 'a' LIKE 'b' LIKE ANY (ARRAY['y']);
SELECT 'a' BETWEEN 'b' AND 'c' NOT LIKE ANY (ARRAY['y']);
SELECT true AND 'a' BETWEEN 'a' AND ('b' LIKE 'b')::text AND 'x' LIKE ANY (ARRAY['x']);
SELECT 'a' LIKE 'b' AND 'x' LIKE ANY (ARRAY['x']), 'a' LIKE 'b' OR ('a' LIKE 'a') AND 'x' LIKE ANY (ARRAY['x']);
SELECT * FROM ROWS FROM (generate_series(1, 2)) x, ROWS FROM (generate_series(3, 3)) y, (SELECT * FROM ROWS FROM (generate_series(4, 4)) z) w;
SELECT rows IS DISTINCT FROM (1) FROM (SELECT 1) v(rows) JOIN ROWS FROM (generate_series(1, 1), generate_series(1, 1)) x ON true;
SELECT extract(day FROM interval '1 day'), x.* FROM (VALUES (1)) v JOIN ROWS FROM (generate_series(1, 1)) x ON (SELECT true) CROSS JOIN ROWS FROM (generate_series(2, 2)) y;
SELECT ((('a' || 'b') COLLATE "C") COLLATE "POSIX") < 'c', ('a' IN ('a') ) IS TRUE, 'a'::text COLLATE "C" < 'b' COLLATE "C";
SELECT (ARRAY['a'])[1] COLLATE "C" < 'b', (ARRAY['b', 'a'])[(ARRAY[1, 2])[2]] COLLATE "C";
SELECT 1 LIMIT 1 LIMIT 2;
SELECT 1 LIMIT (SELECT 1 LIMIT 1), 2;
UPDATE t SET b[1] = 'a';
SELECT a[1][1][2] FROM (SELECT ARRAY[[[1, 2]]]) v(a);
-- Each level of parentheses in FROM takes of the stack.
SELECT count(*) FROM ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((t JOIN t u ON true))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))));
SELECT count(*) FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM t) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x) x;
