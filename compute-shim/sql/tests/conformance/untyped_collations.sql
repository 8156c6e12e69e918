-- COLLATE behind a literal that has no type yet.
CREATE TABLE t (x text, n int);
INSERT INTO t VALUES ('a', 1), ('c', 2);
SELECT ('1' COLLATE "C") + 1;
SELECT 'a' COLLATE "C" < 'b', ('{a}' COLLATE "C") = ARRAY['a'], 'a' COLLATE "C" || 1, ('1' COLLATE "C") = 1, coalesce('1' COLLATE "C", 2), pg_typeof('a' COLLATE "C");
SELECT 'a' COLLATE "C" UNION SELECT 'b' COLLATE "POSIX";
SELECT length('abc' COLLATE "C"), ('12' COLLATE "C")::int, NULL COLLATE "C";
INSERT INTO t (n) VALUES ('7' COLLATE "C") RETURNING n;
SELECT ('a' COLLATE "C") IN ('a', 'b'), ('1' COLLATE "C") IN (1, 2), ARRAY['a' COLLATE "C", 'b'], CASE 'a' COLLATE "C" WHEN 'a' THEN 1 END, greatest('a' COLLATE "C", 'b');
PREPARE p AS SELECT $1 COLLATE "C" || 'a', ($2 COLLATE "C") + 1;
EXECUTE p ('q', 1);
SELECT n FROM t WHERE x < $1 COLLATE "POSIX";
\bind b
SELECT 'a' COLLATE "C" < 'b' COLLATE "POSIX";
SELECT $1 COLLATE "C" < 'b' COLLATE "POSIX";
\bind b
SELECT x FROM (SELECT 'a' COLLATE "C" AS x) q WHERE x < 'b';
WITH q AS (SELECT 'a' COLLATE "C" AS x, 'b' COLLATE "POSIX" AS y) SELECT x < y FROM q;
VALUES ('a' COLLATE "C"), ('b') ORDER BY 1;
SELECT 'b' COLLATE "C" AS k UNION ALL SELECT x FROM t ORDER BY k;
SELECT 'a' COLLATE "C" IS NULL, ('t' COLLATE "C") AND true, ('a' COLLATE "C") LIKE 'a', ('2020-01-01' COLLATE "C") < now();
SELECT ('x' COLLATE "C") < 1;
SELECT ('' COLLATE nope), 1 COLLATE nope;
CREATE TABLE made AS SELECT 'a' COLLATE "C" AS x;
SELECT attcollation FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum = 1;
ALTER TABLE t ADD d text DEFAULT ('k' COLLATE "C"), ADD i int DEFAULT ('5' COLLATE "C"), ADD CHECK (n < ('9' COLLATE "C")), ADD CHECK (x < ('d' COLLATE "C"));
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 't'::regclass ORDER BY adnum;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY conname;
CREATE INDEX ON t ((x || ('q' COLLATE "C")));
SELECT indexdef FROM pg_indexes WHERE tablename = 't';
CREATE VIEW w AS SELECT 'a' COLLATE "C" AS x, ('1' COLLATE "C") + n AS y FROM t;
SELECT * FROM w;
VALUES ('a' COLLATE "C") UNION SELECT x FROM t ORDER BY 1;
VALUES ('1' COLLATE "C") UNION ALL SELECT 'b' COLLATE "POSIX" ORDER BY 1;
SELECT x < 'b' FROM (VALUES ('1' COLLATE "C"), ('1')) q (x);
