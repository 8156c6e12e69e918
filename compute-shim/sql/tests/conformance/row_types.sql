-- Row types of relations, as tools that look for what has columns ask for them.
CREATE TABLE t (a int PRIMARY KEY, b text DEFAULT 'x');
CREATE VIEW v AS SELECT a FROM t;
CREATE SEQUENCE s;
SELECT relname, relkind, reltype > 0 AS has_type FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname;
SELECT c.relname, t.typname, t.typtype, t.typcategory, t.typrelid = c.oid AS is_its, t.typelem, t.typlen FROM pg_class c JOIN pg_type t ON t.oid = c.reltype WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
SELECT info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod), pg_get_expr(def.adbin, def.adrelid) FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace WHERE reltype > 0) AS own ON own.oid = att.attrelid AND relname = info.table_name AND nspname = info.table_schema LEFT JOIN pg_attrdef def ON def.adrelid = att.attrelid AND def.adnum = att.attnum WHERE table_schema = ANY ('{public}') ORDER BY info.table_name, ordinal_position;
ALTER TABLE t RENAME TO u;
SELECT typname FROM pg_type WHERE typtype = 'c' AND typnamespace = 'public'::regnamespace ORDER BY typname;
DROP TABLE u CASCADE;
SELECT typname FROM pg_type WHERE typtype = 'c' AND typnamespace = 'public'::regnamespace ORDER BY typname;
