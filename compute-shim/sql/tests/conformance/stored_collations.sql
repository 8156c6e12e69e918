-- COLLATE in what is kept of a table: shown as it was written, and read again as it was meant.
CREATE TABLE q (x text COLLATE "C", y text COLLATE "POSIX", d text, n int, v varchar(5), a text[] COLLATE "C",
  CONSTRAINT c01 CHECK (x COLLATE "C" < y),
  CONSTRAINT c02 CHECK ((x || y) COLLATE "POSIX" < 'x'),
  CONSTRAINT c03 CHECK (x < (y COLLATE "C") AND n > 0 OR d COLLATE "C" > 'x'),
  CONSTRAINT c04 CHECK (coalesce(x, y COLLATE "C") > ''),
  CONSTRAINT c05 CHECK (((x COLLATE "C")::varchar) < y),
  CONSTRAINT c06 CHECK ((d COLLATE "C") IS NOT NULL),
  CONSTRAINT c07 CHECK (CASE d COLLATE "C" WHEN x THEN true ELSE y <> 'z' END),
  CONSTRAINT c08 CHECK (CASE WHEN x COLLATE "C" = y THEN x ELSE y END COLLATE "C" > ''),
  CONSTRAINT c09 CHECK ('' COLLATE "C" < d),
  CONSTRAINT c10 CHECK (d::varchar(3) COLLATE "C" > y),
  CONSTRAINT c11 CHECK (upper(d COLLATE "C") IN ('K', 'Z')),
  CONSTRAINT c12 CHECK (d COLLATE "C" LIKE 'k%'),
  CONSTRAINT c13 CHECK (x <> ALL (ARRAY[y COLLATE "C"])),
  CONSTRAINT c14 CHECK (x IS DISTINCT FROM y COLLATE pg_catalog."C"),
  CONSTRAINT c15 CHECK (nullif(x COLLATE "C", y) > ''),
  CONSTRAINT c16 CHECK ((ARRAY[x, y] COLLATE "C")[1] > ''),
  CONSTRAINT c17 CHECK (greatest(x COLLATE "C", y) > 'a'),
  CONSTRAINT c18 CHECK (NOT (d COLLATE "C" > 'l')),
  CONSTRAINT c19 CHECK (n = length(d COLLATE "C")),
  CONSTRAINT c20 CHECK (n::text COLLATE "C" < d),
  CONSTRAINT c21 CHECK ((ARRAY[x, y])[1] COLLATE "C" < 'q'),
  CONSTRAINT c22 CHECK (('a' || d) COLLATE "C" < y COLLATE "C"),
  CONSTRAINT c23 CHECK ((d COLLATE "C") COLLATE "POSIX" > x),
  CONSTRAINT c24 CHECK (d COLLATE ucs_basic > x AND d COLLATE "default" > x),
  CONSTRAINT c25 CHECK (x COLLATE "C" BETWEEN 'a' AND y),
  CONSTRAINT c26 CHECK ((x COLLATE "C")::varchar(3) <> y),
  CONSTRAINT c27 CHECK ((n::text COLLATE "C")::int > 0),
  CONSTRAINT c28 CHECK (x COLLATE "C" ~ y OR true),
  CONSTRAINT c29 CHECK (a COLLATE "POSIX" IS NULL OR a[1:2] COLLATE "POSIX" < ARRAY[y]),
  CONSTRAINT c30 CHECK (substr(d COLLATE "C", 1, 1) = 'k'),
  CONSTRAINT c31 CHECK ((x COLLATE "C" < y) IS TRUE),
  CONSTRAINT c32 CHECK (v::text COLLATE "C" < x AND v::pg_catalog.text COLLATE "C" < x AND v::character varying(3) COLLATE "C" < x AND a::text[] COLLATE "C" IS NULL),
  g text GENERATED ALWAYS AS (x COLLATE "C" || y) STORED,
  g2 text GENERATED ALWAYS AS (d COLLATE "POSIX") STORED,
  g3 int GENERATED ALWAYS AS ((d COLLATE "POSIX" < x)::int) STORED,
  def text DEFAULT ('x' COLLATE "C"), def2 text DEFAULT 'x' || ('y' COLLATE "C"), vc varchar(3) COLLATE "C" DEFAULT ('abc'::text COLLATE "C"));
SELECT conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'q'::regclass ORDER BY conname;
SELECT pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid = 'q'::regclass ORDER BY adnum;
INSERT INTO q (x, y, d, n) VALUES ('a', 'b', 'k', 1) RETURNING *;
INSERT INTO q (x, y, d, n) VALUES ('c', 'b', 'k', 1);
UPDATE q SET y = 'bb' RETURNING g, g2, g3;
CREATE INDEX q01 ON q ((x COLLATE "C" || y));
CREATE INDEX q02 ON q (x) WHERE x COLLATE "C" < y;
CREATE INDEX q03 ON q ((x || y) COLLATE "C");
CREATE INDEX q04 ON q (upper(x || y COLLATE "C"));
CREATE INDEX q05 ON q (((x || y) COLLATE "C" || d) COLLATE "POSIX");
CREATE INDEX q06 ON q ((x COLLATE "C" < y));
CREATE INDEX q07 ON q ((CASE x WHEN y COLLATE "C" THEN 1 END));
CREATE INDEX q08 ON q (((d COLLATE "C")::varchar));
CREATE INDEX q09 ON q ((d::varchar(3) COLLATE "C") text_pattern_ops);
CREATE INDEX q10 ON q ((upper(d) COLLATE "default"));
CREATE INDEX q11 ON q ((x || y) COLLATE "default");
CREATE INDEX q12 ON q (upper(d COLLATE "C"), (d COLLATE "POSIX" || x) DESC);
CREATE INDEX q13 ON q ((((d COLLATE "C") COLLATE "POSIX")));
CREATE INDEX q14 ON q ((((d || x) COLLATE "C") COLLATE "POSIX"));
CREATE INDEX q15 ON q (((x || y)::varchar));
CREATE INDEX q16 ON q ((d::text), x COLLATE "POSIX", (d::character varying(3) COLLATE "POSIX"));
CREATE INDEX q17 ON q (n) WHERE coalesce(x, y) COLLATE "C" > 'a';
SELECT indexrelid::regclass::text AS index, pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 1, true), pg_get_indexdef(indexrelid, 0, true), pg_get_expr(indexprs, indrelid, true), pg_get_expr(indpred, indrelid), pg_get_expr(indpred, indrelid, true), indcollation FROM pg_index WHERE indrelid = 'q'::regclass ORDER BY 1;
INSERT INTO q (x, y, d, n) VALUES ('a', 'c', 'k', 1);
SELECT x COLLATE "C" || y AS k FROM q WHERE x COLLATE "C" || y >= 'ab' ORDER BY 1;
SELECT y FROM q WHERE x COLLATE "C" < y AND x = 'a' ORDER BY y COLLATE "C";
-- COLLATE behind a cast: a column's behind its default, an expression's elsewhere.
CREATE TABLE k (a text DEFAULT 'x'::text COLLATE "C", b text COLLATE "POSIX" DEFAULT 'y'::text, c text DEFAULT ('z'::varchar COLLATE "C"), CHECK (a::varchar COLLATE "C" > b));
ALTER TABLE k ADD d text DEFAULT 'x'::text COLLATE "C", ALTER c SET DEFAULT 'q'::text COLLATE "POSIX", ALTER a TYPE varchar COLLATE "POSIX" USING b::text COLLATE "C";
SELECT attname, attcollation, pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'k'::regclass ORDER BY attnum;
INSERT INTO k DEFAULT VALUES;
INSERT INTO k (a) VALUES ('z') RETURNING *;
-- Calls that need a collation and have none.
CREATE TABLE m (x text COLLATE "C", y text COLLATE "POSIX", n int,
  CONSTRAINT m1 CHECK (CASE x WHEN y THEN true ELSE true END),
  CONSTRAINT m2 CHECK (CASE WHEN x = y THEN n WHEN x < y THEN 2 END > 0),
  CONSTRAINT m3 CHECK ((x = y) = (n > 0)),
  CONSTRAINT m4 CHECK (NOT x = y AND (x < y OR n > 1)),
  CONSTRAINT m5 CHECK ((x < y) IS NULL),
  CONSTRAINT m6 CHECK (coalesce(x < y, true)),
  CONSTRAINT m7 CHECK (length(nullif(x, y)) + strpos(x, y) * 2 > n),
  CONSTRAINT m8 CHECK (x = ANY (ARRAY[y]) OR (x IS DISTINCT FROM y)));
SELECT conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'm'::regclass ORDER BY conname;
CREATE INDEX m1 ON m (strpos(x, y));
CREATE INDEX m2 ON m ((x < y));
CREATE INDEX m3 ON m ((CASE x WHEN y THEN 1 END)) WHERE CASE y WHEN x THEN true END;
SELECT indexrelid::regclass::text AS index, pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 0, true) FROM pg_index WHERE indrelid = 'm'::regclass ORDER BY 1;
INSERT INTO m VALUES (NULL, 'y', 1);
INSERT INTO m VALUES ('x', 'y', 1);
ALTER TABLE m ADD CHECK (CASE y WHEN x COLLATE "C" THEN n > 0 ELSE true END);
INSERT INTO m VALUES (NULL, 'z', 1);
-- Other names and types.
CREATE TABLE s (x text COLLATE "C", y text COLLATE "POSIX", CHECK (x COLLATE "C" < y), g text GENERATED ALWAYS AS (y COLLATE "C" || x) STORED);
CREATE INDEX s_i ON s ((x COLLATE "C" || y)) WHERE x COLLATE "POSIX" <> y;
INSERT INTO s VALUES ('a', 'b');
ALTER TABLE s RENAME x TO "X";
ALTER TABLE s RENAME y TO "order";
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 's'::regclass;
SELECT indexdef FROM pg_indexes WHERE tablename = 's';
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 's'::regclass;
ALTER TABLE s DROP COLUMN g;
ALTER TABLE s ALTER "X" TYPE varchar(7) COLLATE "POSIX";
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 's'::regclass;
SELECT indexdef FROM pg_indexes WHERE tablename = 's';
INSERT INTO s VALUES ('c', 'b');
INSERT INTO s VALUES ('c', 'd') RETURNING *;
ALTER TABLE s ADD CHECK ("X" COLLATE "C" < 'c');
ALTER TABLE s ALTER "X" SET DEFAULT ('k'::varchar COLLATE "C");
SELECT pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid = 's'::regclass;
ALTER TABLE s ALTER "X" TYPE text;
SELECT pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid = 's'::regclass;
SELECT check_clause FROM information_schema.check_constraints WHERE constraint_name LIKE 's\_%' ORDER BY 1;
ALTER TABLE s ADD e text DEFAULT ('q' COLLATE "C"), ADD f text COLLATE "POSIX" DEFAULT (lower('Q' COLLATE "C") || 'r'), ADD h text GENERATED ALWAYS AS ("X" COLLATE "C" || "order") STORED;
SELECT * FROM s ORDER BY "X" COLLATE "C";
INSERT INTO s ("X", "order") VALUES ('b', 'c') RETURNING *;
INSERT INTO s ("X", "order", e) VALUES ('b', 'c', DEFAULT) ON CONFLICT (("X" COLLATE "C" || "order")) DO NOTHING;
CREATE UNIQUE INDEX s_u ON s (("X" COLLATE "C" || "order"));
INSERT INTO s ("X", "order", e) VALUES ('b', 'c', DEFAULT) ON CONFLICT (("X" COLLATE "C" || "order")) DO NOTHING;
INSERT INTO s ("X", "order", e) VALUES ('b', 'c', DEFAULT);
