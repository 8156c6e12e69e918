-- Functions that ask the catalog, the session or a sequence; names of objects in values.
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
SELECT 'nope.t'::regclass;
SELECT 'a.b.c'::regclass;
SELECT 'public.nope'::regclass;
SELECT ''::regclass;
SELECT 'a b'::regclass;
SELECT '"Line Idx"'::regclass, 'public."Line Idx"'::regclass, 'other.thing'::regclass, 'LINE'::regclass;
SELECT 'abs'::regproc;
SELECT 'array_in'::regproc, 1396::regproc, 747::regprocedure, 'abs(int)'::regprocedure;
SELECT 'abs(text)'::regprocedure;
SELECT 'abs'::regprocedure;
SELECT 'nope'::regnamespace;
SELECT 'nope'::regrole;
SELECT 'public.x'::regnamespace;
SELECT 'public'::regnamespace, 'postgres'::regrole, 'pg_catalog'::regnamespace::oid;
SELECT 'pg_catalog.int4'::regtype, 'int'::regtype, 'varchar(3)'::regtype, 'text[]'::regtype, 'double precision'::regtype;
SELECT 'nope'::regtype;
SELECT 'nope.int4'::regtype;
SELECT 'line'::regclass::text, 'other.thing'::regclass::text, 0::regclass, 99999::regclass, '-'::regclass;
SELECT to_regclass('nope.x'), to_regclass('nope'), to_regclass('123'), to_regtype('nope'), to_regtype('int4[]');
SELECT to_regclass('a..b');
SELECT to_regproc('abs'), to_regproc('nope'), to_regnamespace('nope'), to_regrole('postgres'), to_regprocedure('abs(int)');
SELECT nextval('line');
SELECT nextval(99999::regclass);
SELECT nextval('nope');
SELECT setval('counter',-5);
SELECT has_table_privilege('nope','select');
SELECT has_table_privilege('line','nope');
SELECT has_table_privilege('nobody','line','select');
SELECT has_table_privilege(99999,'select');
SELECT has_table_privilege('postgres', 'line', 'SELECT, insert with grant option'), has_table_privilege(10::oid, 'line'::regclass, 'UPDATE');
SELECT has_column_privilege('line','zz','select');
SELECT has_column_privilege('line','a','select'), has_column_privilege('line', 2::smallint, 'UPDATE'), has_any_column_privilege('line','select');
SELECT has_schema_privilege('nope','usage');
SELECT has_schema_privilege('public','usage'), has_schema_privilege('postgres','public','CREATE');
SELECT has_function_privilege('nope()','execute');
SELECT has_function_privilege('abs(int)','execute');
SELECT has_sequence_privilege('line','usage');
SELECT has_sequence_privilege('counter','usage'), has_type_privilege('int4','usage'), has_tablespace_privilege('pg_default','create'), has_language_privilege('internal','usage');
SELECT has_tablespace_privilege('nope','create');
SELECT has_language_privilege('nope','usage');
SELECT pg_has_role('postgres','MEMBER'), pg_has_role('postgres','postgres','USAGE');
SELECT pg_has_role('nobody','MEMBER');
SELECT pg_has_role('postgres','nope');
SELECT current_setting('nope');
SELECT current_setting('nope',true), current_setting('work_mem'), current_setting('WORK_MEM', false);
SELECT set_config('nope','x',false);
SELECT set_config('work_mem','8MB',false), current_setting('work_mem');
SELECT current_setting('work_mem');
SELECT set_config('my.var','x',true), current_setting('my.var');
SELECT current_setting('my.var', true);
SELECT set_config(NULL, 'x', false);
SELECT pg_get_serial_sequence('customer','id'), pg_get_serial_sequence('customer','name'), pg_get_serial_sequence('public.customer','id');
SELECT pg_get_serial_sequence('nope','id');
SELECT pg_get_serial_sequence('customer','nope');
SELECT pg_get_indexdef('"Line Idx"'::regclass), pg_get_indexdef('line_note_idx'::regclass,0,true), pg_get_indexdef('line_note_idx'::regclass,1,false), pg_get_indexdef('line_note_idx'::regclass,9,false), pg_get_indexdef(1);
SELECT pg_get_constraintdef(1), pg_get_viewdef(1), pg_get_triggerdef(1), pg_get_ruledef(1), pg_get_partkeydef('line'::regclass);
SELECT pg_get_userbyid(10), pg_get_userbyid(11);
SELECT pg_encoding_to_char(6), pg_encoding_to_char(99), pg_char_to_encoding('utf8'), pg_char_to_encoding('x'), pg_encoding_to_char(-1), pg_char_to_encoding('SQL_ASCII'), pg_char_to_encoding('latin1');
SELECT pg_size_pretty(10::bigint), pg_size_pretty(10239::bigint), pg_size_pretty(10240::bigint), pg_size_pretty(-1000000::bigint), pg_size_pretty(10.5), pg_size_pretty(1e20);
SELECT current_schemas(NULL);
SELECT pg_my_temp_schema(), pg_is_other_temp_schema(0), row_security_active('line'), pg_relation_is_updatable('line',false), pg_column_is_updatable('line',1::smallint,false);
SELECT row_security_active('nope');
SELECT pg_client_encoding(), getdatabaseencoding(), pg_is_in_recovery();
SELECT format_type(23,NULL), format_type(1043,14), format_type(1700,655366), format_type(NULL,1), format_type(0,NULL), format_type(99,NULL), format_type(1042,-1);
SELECT pg_typeof(1), pg_typeof('x'), pg_typeof(NULL), pg_typeof(1.5), pg_typeof(ARRAY[1]), pg_typeof(now()), pg_typeof('a'::name || 'b');
SELECT pg_get_functiondef('sum(int)'::regprocedure);
SELECT pg_get_function_arguments('concat'::regproc), pg_get_function_result('concat'::regproc), pg_get_function_identity_arguments('left(text,int)'::regprocedure);
SELECT pg_get_function_result('generate_series(int,int)'::regprocedure), pg_get_function_arguments('lower(text)'::regprocedure);
SELECT * FROM generate_series(1.0, 2.0, 'NaN');
SELECT * FROM generate_series('NaN'::numeric,2.0,1);
SELECT * FROM generate_series(timestamp '2000-01-01', timestamp '2000-02-01', interval '0');
SELECT * FROM generate_series(timestamp '2000-01-31', timestamp '2000-05-01', interval '1 mon -1 day');
SELECT * FROM generate_series(timestamptz '2000-03-01 00:00Z', '2000-02-28', interval '-12 hours');
SELECT * FROM generate_series(9223372036854775806, 9223372036854775807);
SELECT * FROM generate_subscripts('{a,b,c}'::text[], 1), generate_subscripts('{{1,2},{3,4}}'::int[], 2, true) g(s);
SELECT * FROM generate_subscripts('{a}'::text[], 2);
SELECT * FROM generate_subscripts('1 2 3'::int2vector, 1);
SELECT * FROM string_to_table('a,b,,c', ','), string_to_table('ab', NULL) g(x);
SELECT * FROM string_to_table('a,b,,c', ',', 'b');
SELECT * FROM string_to_table(NULL, ',');
SELECT * FROM pg_options_to_table('{a=1,b,c=d=e}'::text[]);
SELECT count(*), min(word), max(word) FROM pg_get_keywords();
SELECT * FROM pg_get_keywords() WHERE word IN ('select', 'abort', 'between', 'authorization') ORDER BY 1;
SELECT * FROM aclexplode(NULL);
SELECT unnest('1 2 3'::int2vector), unnest(ARRAY['a','b']);
SELECT pg_table_is_visible('line'::regclass), pg_table_is_visible('other.thing'::regclass), pg_table_is_visible(1), pg_type_is_visible(23), pg_function_is_visible(89), pg_operator_is_visible(96), pg_opclass_is_visible(1978), pg_collation_is_visible(100);
SELECT obj_description(1259), obj_description(99999,'pg_class'), col_description(99999,1), shobj_description(99999,'pg_database');
SELECT nope.lower('x');

-- The size of a database, which grows with what is put in.
CREATE TABLE measured AS SELECT pg_database_size(current_database()) AS bytes;
CREATE TABLE filling AS SELECT n, repeat('x', 1000) AS filler FROM generate_series(1, 400) n;
SELECT bytes > 0, pg_database_size(current_database()) - bytes > 200000 FROM measured;
SELECT count(*) FROM filling WHERE n < pg_database_size(current_database()) AND filler <> '' AND pg_database_size(current_database()) > 200000;
SELECT pg_database_size(oid) > 0 FROM pg_database WHERE datname IN (current_database(), 'template0');
SELECT pg_database_size('no_such_database');
SELECT pg_database_size(99999::oid) IS NULL, pg_database_size(NULL::name) IS NULL;
SELECT pg_size_pretty(pg_database_size(current_database())) ~ '^\d+ [kM]B$';
