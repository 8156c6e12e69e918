-- Enum types: definition, order, casts, arrays, what rests on them.

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE person (id int PRIMARY KEY, mood mood DEFAULT 'ok', moods mood[], CONSTRAINT no_sad CHECK (mood <> 'sad' OR id > 2));
INSERT INTO person VALUES (1, 'happy', '{sad,ok}'), (2, DEFAULT, ARRAY['happy', 'sad']::mood[]), (3, 'sad', NULL), (4, NULL, '{}');
INSERT INTO person VALUES (0, 'sad');
INSERT INTO person VALUES (5, 'angry');
INSERT INTO person VALUES (5, 1);
INSERT INTO person VALUES (5, 'ok'::text);
SELECT * FROM person ORDER BY mood, id;
SELECT * FROM person ORDER BY mood DESC NULLS LAST, id;
SELECT * FROM person WHERE mood > 'sad' ORDER BY id;
SELECT id FROM person WHERE mood IN ('sad', 'happy') ORDER BY id;
SELECT id FROM person WHERE mood BETWEEN 'ok' AND 'happy' ORDER BY id;
SELECT id FROM person WHERE mood = ANY ('{sad,ok}') ORDER BY id;
SELECT id FROM person WHERE mood = 'angry';
SELECT mood, count(*) FROM person GROUP BY mood ORDER BY mood;
SELECT min(mood), max(mood), array_agg(mood ORDER BY mood) FROM person;
SELECT DISTINCT mood FROM person ORDER BY 1;
SELECT 'sad'::mood < 'happy'::mood, 'sad'::mood <> 'ok', mood 'ok' >= 'happy', 'sad' = 'sad'::mood;
SELECT 'sad'::mood::text, 'ok'::text::mood, CAST('happy' AS varchar)::mood, mood('sad');
SELECT 'sad'::mood || ' me', 'sad'::mood::varchar(2), length('happy'::mood::text);
SELECT 'sad'::mood || 'ok'::mood;
SELECT 'sad'::mood = 'sad'::text;
SELECT 'sad'::mood::int;
SELECT 1::mood;
SELECT 'nope'::text::mood;
SELECT lower('sad'::mood);
SELECT coalesce(NULL, 'sad'::mood), coalesce('sad'::mood, 'ok'), greatest('sad'::mood, 'happy', 'ok'), nullif('sad'::mood, 'sad');
SELECT coalesce('sad'::mood, 1);
SELECT CASE WHEN true THEN 'sad'::mood ELSE 'ok' END;
SELECT CASE WHEN true THEN 'sad'::mood ELSE 'ok'::text END;
SELECT 'sad'::mood UNION SELECT 'ok' ORDER BY 1;
SELECT enum_first(NULL::mood), enum_last('sad'::mood), enum_range(NULL::mood), enum_range('ok'::mood, NULL), enum_range(NULL, 'ok'::mood), enum_range('ok', 'ok'::mood), enum_range('happy'::mood, 'sad'::mood);
SELECT enum_first(NULL);
SELECT enum_first(1);
SELECT ARRAY['sad', 'ok']::mood[], '{ok,NULL,"happy"}'::mood[], ARRAY['sad'::mood, 'ok'], '{{sad,ok},{ok,sad}}'::mood[];
SELECT '{sad,nope}'::mood[];
SELECT '{sad,ok}'::mood[] @> ARRAY['ok'::mood], '{sad}'::mood[] || 'ok'::mood, '{sad}'::mood[] < '{ok}'::mood[], array_position('{sad,ok}'::mood[], 'ok'), ('{sad,ok}'::mood[])[2];
SELECT '{sad,ok}'::mood[]::text[], '{sad,ok}'::text[]::mood[], array_to_string('{sad,ok}'::mood[], '-'), unnest('{ok,sad}'::mood[]);
SELECT to_json('sad'::mood), to_jsonb('{sad,ok}'::mood[]), row('sad'::mood, 1), json_build_object('sad'::mood, 'ok'::mood);
SELECT pg_typeof('sad'::mood), pg_typeof('{}'::mood[]), 'mood'::regtype, '_mood'::regtype, 'public.mood[]'::regtype, to_regtype('nosuch');
SELECT format_type('mood'::regtype, NULL), format_type('mood[]'::regtype, -1);
SELECT 'sad'::"mood", 'sad'::public.mood, '{sad}'::_mood, '{sad}'::public._mood;
SELECT 'sad'::nosuch.mood;
SELECT 'sad'::pg_catalog.mood;
SELECT 'sad'::mood(3);
SELECT string_agg(mood::text, ',' ORDER BY mood) FROM person;
SELECT rank() OVER (ORDER BY mood), mood FROM person ORDER BY 1, 2;
SELECT p.id, q.id FROM person p JOIN person q USING (mood) ORDER BY 1, 2;

-- Parameters.
SELECT $1::mood;
\bind happy
\bind nope
SELECT id FROM person WHERE mood = $1 ORDER BY id;
\bind happy
\bind nope
\bind \N
SELECT id FROM person WHERE mood = ANY ($1) ORDER BY id;
\bind {sad,happy}
PREPARE find (mood) AS SELECT id FROM person WHERE mood >= $1 ORDER BY id;
EXECUTE find ('ok');
EXECUTE find ('x');
EXECUTE find (1);
PREPARE find2 (mood[], nosuch) AS SELECT $1;

-- Keys and indexes.
CREATE TABLE keyed (m mood PRIMARY KEY, n mood UNIQUE, o mood[]);
INSERT INTO keyed VALUES ('happy', 'sad'), ('sad', 'happy');
INSERT INTO keyed VALUES ('happy', 'ok');
INSERT INTO keyed VALUES ('ok', 'sad');
INSERT INTO keyed VALUES ('happy', 'ok') ON CONFLICT (m) DO UPDATE SET n = excluded.n RETURNING *;
CREATE INDEX keyed_o ON keyed (o, n DESC);
CREATE INDEX keyed_some ON keyed (n) WHERE m = 'sad';
CREATE UNIQUE INDEX keyed_expr ON keyed ((m > 'ok'));
CREATE INDEX keyed_bad ON keyed ((m::text));
SELECT * FROM keyed ORDER BY m;
SELECT * FROM keyed ORDER BY m DESC;
SELECT * FROM keyed WHERE n < 'happy';
SELECT * FROM keyed WHERE n = 'happy' AND m = 'sad';
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'keyed'::regclass ORDER BY 1;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('keyed'::regclass, 'person'::regclass) ORDER BY 1;
CREATE TABLE refers (m mood REFERENCES keyed ON UPDATE CASCADE);
INSERT INTO refers VALUES ('happy'), ('ok');
INSERT INTO refers VALUES ('happy');
UPDATE keyed SET m = 'ok' WHERE m = 'happy';
SELECT * FROM refers;
DROP TABLE refers;

-- More values.
ALTER TYPE mood ADD VALUE 'angry' BEFORE 'sad';
ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok';
ALTER TYPE mood ADD VALUE 'ecstatic';
ALTER TYPE mood ADD VALUE 'ok';
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ok';
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'good' BEFORE 'happy';
ALTER TYPE mood ADD VALUE 'x' BEFORE 'nosuch';
ALTER TYPE mood ADD VALUE 'x' AFTER 'nosuch';
ALTER TYPE mood ADD VALUE '0123456789012345678901234567890123456789012345678901234567890123';
ALTER TYPE mood ADD VALUE 'it''s "a\b", {c}';
SELECT enum_range(NULL::mood);
SELECT enumsortorder IS NOT NULL, enumlabel FROM pg_enum WHERE enumtypid = 'mood'::regtype ORDER BY enumsortorder;
INSERT INTO person VALUES (10, 'angry'), (11, 'fine'), (12, 'good'), (13, 'ecstatic'), (14, 'it''s "a\b", {c}', ARRAY['it''s "a\b", {c}'::mood]);
SELECT id, mood, moods FROM person ORDER BY mood, id;
ALTER TYPE mood RENAME VALUE 'it''s "a\b", {c}' TO 'odd';
SELECT id, mood, moods FROM person WHERE id = 14;
ALTER TYPE mood RENAME VALUE 'nosuch' TO 'x';
ALTER TYPE mood RENAME VALUE 'odd' TO 'ok';
ALTER TYPE mood RENAME VALUE 'odd' TO 'odd';
BEGIN;
ALTER TYPE mood ADD VALUE 'new';
SELECT 'new'::mood;
ROLLBACK;
BEGIN;
ALTER TYPE mood ADD VALUE 'new' BEFORE 'sad';
SELECT enum_range(NULL::mood);
ROLLBACK;
BEGIN;
ALTER TYPE mood ADD VALUE 'newer';
SELECT 'sad'::mood, enum_first(NULL::mood);
INSERT INTO person VALUES (20, 'newer');
ROLLBACK;
BEGIN;
CREATE TYPE fresh AS ENUM ('a', 'b');
SELECT 'b'::fresh, enum_range(NULL::fresh);
CREATE TABLE of_fresh (f fresh DEFAULT 'a');
INSERT INTO of_fresh VALUES (DEFAULT), ('b') RETURNING *;
COMMIT;
SELECT * FROM of_fresh;
SELECT 'new'::mood;

-- New names reach everything that was kept.
CREATE VIEW cheerful AS SELECT id, mood, 'sad'::mood AS other, '{sad,ok}'::mood[] AS several FROM person WHERE mood > 'ok' AND mood <> 'good'::mood;
CREATE VIEW through_array AS SELECT ARRAY['ok'::mood] AS a, CAST('ok' AS public.mood) AS b;
SELECT * FROM cheerful ORDER BY id;
SELECT * FROM through_array;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
ALTER TYPE mood RENAME VALUE 'ok' TO 'it''s ok';
SELECT * FROM cheerful ORDER BY id;
SELECT * FROM through_array;
INSERT INTO person (id) VALUES (30) RETURNING *;
INSERT INTO person VALUES (0, 'blue');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'no_sad';
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'person'::regclass;
SELECT pg_get_indexdef('keyed_some'::regclass), pg_get_indexdef('keyed_expr'::regclass);
ALTER TYPE mood RENAME TO feeling;
SELECT pg_get_indexdef('keyed_some'::regclass), pg_get_indexdef('keyed_expr'::regclass);
SELECT * FROM cheerful ORDER BY id;
SELECT 'blue'::mood;
SELECT pg_typeof(mood), pg_typeof(moods) FROM person LIMIT 1;
CREATE SCHEMA other;
ALTER TYPE feeling SET SCHEMA other;
SELECT * FROM through_array;
SELECT 'blue'::feeling;
SELECT 'blue'::other.feeling, pg_typeof('blue'::other.feeling);
SELECT 'x'::other.feeling;
INSERT INTO person VALUES (31, 1);
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'no_sad';
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'person'::regclass;
SET search_path = other, public;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'person'::regclass;
SELECT 'blue'::feeling, pg_typeof('blue'::feeling);
RESET search_path;
ALTER TYPE other.feeling SET SCHEMA public;
ALTER TYPE feeling OWNER TO postgres;
ALTER TYPE feeling OWNER TO nosuch;
ALTER TYPE feeling SET SCHEMA nosuch;

-- Names.
CREATE TYPE feeling AS ENUM ('a');
CREATE TYPE person AS ENUM ('a');
CREATE TABLE feeling (a int);
CREATE VIEW feeling AS SELECT 1;
CREATE TABLE taken (a int);
ALTER TABLE taken RENAME TO feeling;
ALTER TYPE feeling RENAME TO taken;
CREATE TYPE _feeling AS ENUM ('a');
SELECT typname, typarray::regtype, typelem::regtype, typtype, typcategory, typlen, typbyval FROM pg_type WHERE typname LIKE '%feeling' ORDER BY 1;
SELECT '{blue}'::feeling[], 'a'::_feeling, '{a}'::_feeling[];
DROP TYPE _feeling;
SELECT typname FROM pg_type WHERE typname LIKE '%feeling' ORDER BY 1;
CREATE TYPE empty AS ENUM ();
SELECT enum_range(NULL::empty);
SELECT enum_first(NULL::empty);
SELECT ''::empty;
ALTER TYPE empty ADD VALUE 'first';
SELECT 'first'::empty;
CREATE TYPE long AS ENUM ('0123456789012345678901234567890123456789012345678901234567890123');
CREATE TYPE nosuch.e AS ENUM ('a');
ALTER TYPE nosuch ADD VALUE 'a';
ALTER TYPE nosuch.e ADD VALUE 'a';
ALTER TYPE int4 ADD VALUE 'a';
ALTER TYPE "Feeling" RENAME TO f;
CREATE TYPE "Odd Name" AS ENUM ('Sad', 'sad', '');
SELECT 'Sad'::"Odd Name", ''::"Odd Name", pg_typeof(''::"Odd Name"), '{Sad,""}'::"Odd Name"[];
SELECT 'SAD'::"Odd Name";
CREATE TABLE odd (a "Odd Name" CHECK (a > ''), b "Odd Name"[] DEFAULT '{Sad}');
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'odd'::regclass;
SELECT column_name, data_type, udt_schema, udt_name, column_default FROM information_schema.columns WHERE table_name IN ('odd', 'person') ORDER BY table_name, ordinal_position;
COMMENT ON TYPE feeling IS 'how one feels';
SELECT obj_description('feeling'::regtype, 'pg_type');
COMMENT ON TYPE nosuch IS 'x';
SELECT pg_type_is_visible('feeling'::regtype), pg_type_is_visible('feeling[]'::regtype), has_type_privilege('feeling', 'USAGE');

-- Columns change to an enum and back.
CREATE TABLE changing (a text DEFAULT 'x', b int);
INSERT INTO changing VALUES ('blue', 1), ('happy', 2);
ALTER TABLE changing ALTER a TYPE feeling;
ALTER TABLE changing ALTER a DROP DEFAULT, ALTER a TYPE feeling USING a::feeling;
SELECT * FROM changing ORDER BY a DESC;
ALTER TABLE changing ADD c feeling DEFAULT 'happy', ADD d feeling[] DEFAULT '{blue,good}' NOT NULL;
SELECT * FROM changing ORDER BY b;
ALTER TABLE changing ALTER a TYPE text, ALTER d TYPE text[];
SELECT * FROM changing ORDER BY a;
CREATE TABLE made AS SELECT a::feeling, c FROM changing;
SELECT * FROM made ORDER BY 1;
CREATE TABLE generated (f feeling, g boolean GENERATED ALWAYS AS (f > 'good') STORED, h feeling GENERATED ALWAYS AS (CASE WHEN f > 'good' THEN f ELSE 'good' END) STORED);
INSERT INTO generated VALUES ('blue'), ('ecstatic') RETURNING *;
CREATE TABLE generated_bad (f feeling, g text GENERATED ALWAYS AS (f::text) STORED);
UPDATE made SET c = 'blue' WHERE a = 'happy' RETURNING *;
UPDATE made SET c = 'blue'::text;

-- COPY.
COPY made FROM STDIN;
blue	happy
\N	good
\.
COPY made FROM STDIN;
nope	happy
\.
COPY (SELECT * FROM made ORDER BY a, c) TO STDOUT;
COPY (SELECT * FROM made ORDER BY a, c) TO STDOUT (FORMAT csv);

-- A view of more than one type, and texts of all kinds, after a restart of their names.
SELECT pg_get_viewdef('through_array'::regclass) LIKE '%feeling%', pg_get_viewdef('cheerful'::regclass) LIKE '%''blue''%';
SELECT mood 'ok', 1;
SELECT feeling 'blue', feeling 'blue' < 'good';

-- What rests on a type.
CREATE TABLE cast_check (txt text CHECK (txt::feeling <> 'good'), dflt text DEFAULT ('blue'::feeling)::text);
CREATE VIEW of_constant AS SELECT 1 AS one WHERE 'blue'::feeling > 'good'::feeling;
CREATE VIEW over_constant AS SELECT * FROM of_constant;
DROP TYPE feeling;
DROP TYPE int4;
DROP TYPE feeling[];
DROP TYPE _feeling;
DROP TYPE nosuch;
DROP TYPE IF EXISTS nosuch, nosuch.e;
DROP TYPE nosuch.e;
DROP TYPE "Odd Name" RESTRICT;
DROP TABLE odd;
DROP TYPE "Odd Name", empty;
DROP SCHEMA other;
CREATE TYPE drops.x AS ENUM ();
CREATE SCHEMA drops;
CREATE TYPE drops.x AS ENUM ('a');
CREATE TABLE drops.t (x drops.x);
DROP SCHEMA drops;
DROP SCHEMA drops CASCADE;
SELECT 'a'::drops.x;
DROP TYPE feeling CASCADE;
SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace ORDER BY 1;
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2;
INSERT INTO cast_check VALUES ('anything') RETURNING *;
SELECT * FROM person ORDER BY id;
SELECT * FROM keyed;
SELECT count(*) FROM pg_enum;
BEGIN;
CREATE TYPE gone AS ENUM ('a');
ROLLBACK;
SELECT 'a'::gone;
BEGIN;
DROP TYPE fresh CASCADE;
SELECT 'a'::fresh;
ROLLBACK;
SELECT * FROM of_fresh;
