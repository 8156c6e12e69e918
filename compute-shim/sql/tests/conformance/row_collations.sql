-- Collations of rows' columns.
CREATE TABLE o (x text COLLATE "C", y text COLLATE "POSIX", d text, n int);
INSERT INTO o VALUES ('a', 'b', 'c', 1);
SELECT (r).f1 FROM (SELECT row(x) r FROM o UNION ALL SELECT row('k'::text)) q;
SELECT (r).f1 < 'b' AS a FROM (SELECT row(x) r FROM o UNION ALL SELECT row(y) FROM o) q;
SELECT (r).f1 < (r).f2 AS a FROM (SELECT row(x, x) r FROM o UNION ALL SELECT row(x, y) FROM o) q;
SELECT (r).f1 < (r).f2 AS a FROM (SELECT row(x, y) r FROM o UNION ALL SELECT row(x, x) FROM o) q;
SELECT (r).f1 < (r).f2 AS a FROM (SELECT row(x, d) r FROM o UNION ALL SELECT row(x, y) FROM o) q;
SELECT (r).f1 FROM (SELECT row(x) r FROM o UNION ALL SELECT row(y) FROM o) q ORDER BY (r).f1;
SELECT (r).x FROM (SELECT o AS r FROM o UNION ALL SELECT p FROM o AS p) q;
SELECT (r).x, (r).z FROM (SELECT o AS r FROM (SELECT x, d AS z FROM o) AS o UNION ALL SELECT p FROM (SELECT y AS x, x AS z FROM o) AS p) q;
SELECT (r).f1 FROM (SELECT row(d) r FROM o UNION ALL SELECT row(d COLLATE "default") FROM o) q;
WITH RECURSIVE r (k, x) AS (SELECT 1, row(x) FROM o UNION ALL SELECT k + 1, row(d) FROM r, o WHERE k < 3) SELECT k, x FROM r;
