-- pg_catalog and information_schema over a few tables.
CREATE TABLE customer (
    id serial PRIMARY KEY,
    name varchar(40) NOT NULL,
    code char(4) UNIQUE,
    "Mixed Case" text DEFAULT 'none',
    balance numeric(10,2) NOT NULL DEFAULT 0,
    created timestamptz DEFAULT now(),
    active boolean DEFAULT true
) WITH (fillfactor=90);
CREATE TABLE line (
    a bigint NOT NULL,
    b integer NOT NULL,
    note text,
    CONSTRAINT line_pkey PRIMARY KEY (a, b),
    CONSTRAINT line_note_key UNIQUE (note, a),
    CONSTRAINT line_b_check CHECK (b > 0)
);
CREATE INDEX line_note_idx ON line (note DESC, b);
CREATE UNIQUE INDEX "Line Idx" ON line (b, a) WITH (fillfactor=80);
CREATE SCHEMA other;
CREATE TABLE other.thing (x smallint, y real, z double precision, d date);
CREATE SEQUENCE counter INCREMENT BY 5 START 100;
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, v int[] DEFAULT '{1}', w varchar DEFAULT 'x', t timestamp(3), CHECK (id > 0 AND w <> ''));
ALTER TABLE numbered ADD COLUMN late int DEFAULT 7;
ALTER TABLE numbered DROP COLUMN t;
SELECT oid::regclass FROM pg_class WHERE relname = 'line_note_idx';
SELECT conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid,true) FROM pg_constraint WHERE conrelid='line'::regclass ORDER BY 1;
SELECT relname, relkind, relnatts, relchecks, relhasindex, reloptions FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'other'::regnamespace) ORDER BY 1;
SELECT attname, atttypid::regtype, atttypmod, attnum, attlen, attbyval, attalign, attstorage, attnotnull, atthasdef, attcollation FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attnum > 0 ORDER BY attnum;
SELECT attname, atttypid::regtype, attnum, attnotnull FROM pg_attribute WHERE attrelid = 'line_note_idx'::regclass AND attnum > 0 ORDER BY attnum;
SELECT indexrelid::regclass, indisunique, indisprimary, indkey, indoption, indclass, indcollation, indnatts FROM pg_index WHERE indrelid IN ('line'::regclass,'customer'::regclass);
SELECT conname, contype, conkey, conindid::regclass, connoinherit, confupdtype FROM pg_constraint WHERE conrelid = 'line'::regclass ORDER BY 1;
SELECT seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle FROM pg_sequence;
SELECT * FROM pg_sequences ORDER BY 2;
SELECT * FROM pg_tables WHERE schemaname IN ('public','other') ORDER BY 1, 2;
SELECT * FROM pg_indexes WHERE schemaname = 'public' ORDER BY 3;
SELECT * FROM pg_views WHERE schemaname = 'public';
SELECT table_schema, table_name, table_type, is_insertable_into, is_typed FROM information_schema.tables WHERE table_schema IN ('public','other') ORDER BY 2;
SELECT table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, character_octet_length, numeric_precision, numeric_precision_radix, numeric_scale, datetime_precision, udt_schema, udt_name, dtd_identifier, is_identity, identity_generation, identity_start, identity_cycle, is_generated, is_updatable FROM information_schema.columns WHERE table_schema IN ('public','other') ORDER BY 2, 4;
SELECT constraint_schema, constraint_name, table_name, constraint_type, is_deferrable, enforced, nulls_distinct FROM information_schema.table_constraints WHERE table_schema='public' AND constraint_name NOT LIKE '%not_null' ORDER BY 2;
SELECT constraint_name, table_name, column_name, ordinal_position, position_in_unique_constraint FROM information_schema.key_column_usage WHERE table_schema = 'public' ORDER BY 1, 4;
SELECT table_name, column_name, constraint_name FROM information_schema.constraint_column_usage WHERE table_schema = 'public' ORDER BY 3, 2;
SELECT table_name, constraint_name FROM information_schema.constraint_table_usage WHERE table_schema = 'public' ORDER BY 2;
SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema='public' ORDER BY 1;
SELECT sequence_schema, sequence_name, data_type, numeric_precision, numeric_precision_radix, numeric_scale, start_value, minimum_value, maximum_value, increment, cycle_option FROM information_schema.sequences ORDER BY 2;
SELECT schema_name, schema_owner FROM information_schema.schemata WHERE schema_name IN ('other','pg_catalog','information_schema') ORDER BY 1;
SELECT grantor, grantee, table_name, privilege_type, is_grantable, with_hierarchy FROM information_schema.table_privileges WHERE table_name = 'line' ORDER BY 4;
SELECT * FROM information_schema.views WHERE table_schema = 'public';
SELECT * FROM information_schema.referential_constraints;
SELECT typname, typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typelem::regtype, typarray::regtype, typinput, typoutput, typreceive, typsend, typmodin, typmodout, typalign, typstorage, typcollation, typsubscript FROM pg_type WHERE typname IN ('int4','text','_text','varchar','numeric','name','int2vector','record','anyarray','timestamptz','oid','regclass') ORDER BY 1;
SELECT oprname, oprkind, oprleft::regtype, oprright::regtype, oprresult::regtype, oprcode, oprcom, oprnegate FROM pg_operator WHERE oid IN (96, 551, 98, 1694) ORDER BY oid;
SELECT proname, pronargs, prorettype::regtype, proargtypes, provolatile, proisstrict, proretset, prokind, prolang FROM pg_proc WHERE oid IN (89, 870, 1574, 1066, 2108) ORDER BY oid;
SELECT castsource::regtype, casttarget::regtype, castfunc::regproc, castcontext, castmethod FROM pg_cast WHERE castsource = 23 AND casttarget IN (20, 21, 701);
SELECT amname, amhandler, amtype FROM pg_am WHERE amname IN ('heap','btree') ORDER BY 1;
SELECT opcname, opcintype::regtype, opcdefault, opcfamily FROM pg_opclass WHERE oid IN (1978, 3126) ORDER BY oid;
SELECT collname, collprovider, collisdeterministic, collencoding, collcollate, collctype FROM pg_collation WHERE oid IN (100,950,951) ORDER BY oid;
SELECT * FROM pg_roles WHERE rolname='postgres';
SELECT * FROM pg_user;
SELECT usename, usesuper, usecreatedb FROM pg_shadow;
SELECT oid, spcname, spcowner, spcacl, spcoptions FROM pg_tablespace ORDER BY 1;
SELECT nspname, nspowner FROM pg_namespace WHERE nspname IN ('pg_catalog','other') ORDER BY 1;
SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT relname, schemaname FROM pg_stat_user_tables ORDER BY 1;
SELECT count(*) FROM pg_trigger;
SELECT count(*) FROM pg_inherits;
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = 'pg_database'::regclass AND attnum > 0 ORDER BY attnum;
SELECT c.relname, a.attname, a.atttypid::regtype FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname IN ('pg_stat_activity','pg_views') AND attnum > 0 ORDER BY c.relname, attnum;
SELECT count(*) FROM pg_nope;
SELECT objid::regclass, refobjid::regclass, refobjsubid, deptype FROM pg_depend WHERE objid = 'customer_id_seq'::regclass AND refclassid = 'pg_class'::regclass;
SELECT adrelid::regclass, adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef;
SELECT 1 WHERE 'line'::regclass = (SELECT oid FROM pg_class WHERE relname = 'line');
SELECT attname, attnum, attisdropped, attidentity, atthasmissing, attmissingval, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'numbered'::regclass AND attnum > 0 ORDER BY attnum;
SELECT column_name, column_default, is_identity, identity_generation, data_type FROM information_schema.columns WHERE table_name = 'numbered' ORDER BY ordinal_position;
SELECT pg_get_constraintdef(oid), pg_get_constraintdef(oid, true), conkey FROM pg_constraint WHERE conrelid = 'numbered'::regclass;
SELECT deptype, refobjsubid FROM pg_depend WHERE objid = 'numbered_id_seq'::regclass AND refclassid = 'pg_class'::regclass;
-- The two layouts of expressions.
CREATE TABLE shown (a int, b int, w varchar, t text, c bool, n numeric, z bigint[],
 d1 int DEFAULT 1 + 2 * 3, d2 numeric(10,2) DEFAULT 0, d3 varchar(5) DEFAULT 'x', d4 text DEFAULT lower('X') || 'y', d5 timestamptz DEFAULT now(), d6 int DEFAULT -1, d7 bool DEFAULT (1 > 2), d8 date DEFAULT '2020-01-01',
 d9 bigint DEFAULT 5, d10 text DEFAULT current_user, d11 numeric DEFAULT 1.50, d12 real DEFAULT 1,
 CHECK ((a + b)::text <> 'x'), CHECK (lower(w)::text = w), CHECK (a > 0 AND (b > 0 OR c) AND NOT (c AND a = 1)), CHECK (a + b * 2 - (a - b) > -1 AND a % 2 / 3 = 0),
 CHECK (a IS NULL OR b IS NOT NULL), CHECK ((a = 1) IS NOT TRUE), CHECK (a BETWEEN 1 AND 5), CHECK (a IN (1,2)), CHECK (coalesce(a + 1, b) > 0), CHECK (CASE WHEN a > 0 THEN b > 0 ELSE c END), CHECK (a::bigint = z[1]),
 CHECK (w LIKE 'a%' OR t ~~ 'b'), CHECK (n > 0 AND n < 1.5), CHECK (NOT c), CHECK (-a < 0), CHECK (a IS DISTINCT FROM b), CHECK (t || w = 'x'), CHECK (c), CHECK (c IS TRUE), CHECK ((a > 0) = c), CHECK (nullif(a,1) = 2),
 CHECK (greatest(a,b+1) < 3), CHECK (1::bigint = a), CHECK (a * (b + 1) > 0), CHECK ((a * b) * a > 0), CHECK (a * (b * a) > 0), CHECK (length(t) > 0 AND (t IS NULL) = c), CHECK (CASE a WHEN 1 THEN 'x' WHEN b THEN 'y' END = t));
SELECT conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'shown'::regclass ORDER BY conname;
SELECT attname, pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'shown'::regclass ORDER BY adnum;
