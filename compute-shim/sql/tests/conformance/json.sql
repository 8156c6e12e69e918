-- json and jsonb: types, operators, functions of chapter 9.16.

-- Input and its errors
SELECT '{"a": 1.0, "b" : [true,null , "x\u0041\n"], "a":2}'::json, '{"a": 1.0, "b" : [true,null , "x\u0041\n"], "aa":{}, "a":2.50}'::jsonb;
SELECT ' 1 '::json, '"a\"b"'::jsonb, '1e3'::jsonb, '-0'::jsonb, '1.50e-2'::jsonb, '123456789012345678901234567890.10'::jsonb, 'null'::jsonb, '[]'::jsonb, '{}'::jsonb;
SELECT '"\ud83d\ude00 \u00e9 / \/ \b\f\t"'::jsonb, '"\ud83d"'::json, '"\u0000"'::json;
SELECT ''::json;
SELECT '{'::json;
SELECT '[1,'::json;
SELECT '{"a"}'::json;
SELECT '{"a":}'::json;
SELECT '{"a":1,}'::json;
SELECT '{1:2}'::json;
SELECT '[1 2]'::json;
SELECT '[1,]'::jsonb;
SELECT 'nulL'::jsonb;
SELECT '01'::jsonb;
SELECT '1.'::jsonb;
SELECT '-'::jsonb;
SELECT '1e'::jsonb;
SELECT '1f'::jsonb;
SELECT '+1'::jsonb;
SELECT '"abc'::json;
SELECT E'"a\tb"'::json;
SELECT '"\x"'::json;
SELECT '"\u00g0"'::json;
SELECT '"\u00'::json;
SELECT '"\u0000"'::jsonb;
SELECT '"\ud83d"'::jsonb;
SELECT '"\ude00"'::jsonb;
SELECT '"\ud83d\ud83d"'::jsonb;
SELECT '"\ud83dx"'::jsonb;
SELECT '{"a":1} x'::json;
SELECT '{"a":1}}'::json;
SELECT '!'::json;
SELECT E'{"a":1,\n"b":2,\n "c" 3}'::json;
SELECT '{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": tru, "b": 1}'::json;
SELECT '1e1000000'::jsonb;
SELECT '"é\q"'::jsonb;
SELECT pg_typeof('1'::json), pg_typeof('1'::jsonb), pg_typeof('$'::jsonpath), 'jsonb'::regtype, 'json[]'::regtype, '{"1","{\"a\":2}"}'::jsonb[];

-- Operators
SELECT '[{"a":"foo"},{"b":"bar"},{"c":"baz"}]'::json -> 2, '{"a": {"b":"foo"}}'::json -> 'a', '[1,2,3]'::json ->> 2, '{"a":1,"b":2}'::json ->> 'b', '{"a": {"b": ["foo","bar"]}}'::json #> '{a,b,1}', '{"a": {"b": ["foo","bar"]}}'::json #>> '{a,b,1}';
SELECT '[{"a":"foo"},{"b":"bar"},{"c":"baz"}]'::jsonb -> 2, '{"a": {"b":"foo"}}'::jsonb -> 'a', '[1,2,3]'::jsonb ->> 2, '{"a":1,"b":null}'::jsonb ->> 'b', '{"a": {"b": ["foo","bar"]}}'::jsonb #> '{a,b,1}', '{"a": {"b": ["foo","bar"]}}'::jsonb #>> '{a,b,-1}';
SELECT '[1,2]'::json -> -1, '[1,2]'::jsonb -> -2, '[1,2]'::jsonb -> -3, '[1,2]'::json -> 5, '{"a":1}'::jsonb -> 0, '[1]'::jsonb -> 'a', '1'::jsonb -> 'a', '1'::json -> 0, '"x"'::jsonb ->> 0, NULL::jsonb -> 'a';
SELECT '{"a": [1, {"b" :  2}], "a":  "x"}'::json -> 'a', '{"a":  [ 1 ,2 ]}'::json ->> 'a', '{"a":null}'::json ->> 'a', '{"a":null}'::json -> 'a', '{"a":"\u0041"}'::json ->> 'a';
SELECT '{"a":"\u0000"}'::json ->> 'a';
SELECT '{"a":1}'::jsonb #> '{}', '{"a":1}'::json #>> '{}', '"x"'::jsonb #>> '{}', '[1,[2]]'::jsonb #> '{1, 0}', '[1,[2]]'::jsonb #> '{x}', '[1]'::jsonb #> '{+0}', '[1]'::json #> '{ 0}', '{"a":1}'::jsonb #> ARRAY['a', NULL];
SELECT '{"a":1, "b":2}'::jsonb @> '{"b":2}', '{"b":2}'::jsonb <@ '{"a":1, "b":2}', '[1,2,[1,3]]'::jsonb @> '[1,3]', '[1,2,[1,3]]'::jsonb @> '[[1]]', '["a",1]'::jsonb @> '"a"', '"a"'::jsonb @> '["a"]', '{"a":[1,2]}'::jsonb @> '{"a":[2]}', '[]'::jsonb @> '[]', '{}'::jsonb @> '[]', '[1,1]'::jsonb <@ '[1]', '1'::jsonb @> '1.0', '[[1]]'::jsonb @> '1';
SELECT '{"a":1, "b":2}'::jsonb ? 'b', '["a","b"]'::jsonb ? 'b', '"b"'::jsonb ? 'b', '[1]'::jsonb ? '1', '{"a":1}'::jsonb ?| ARRAY['x','a'], '{"a":1}'::jsonb ?| '{}', '["a","b"]'::jsonb ?& ARRAY['a','b'], '{"a":1}'::jsonb ?& ARRAY['a','b'], '{"a":1}'::jsonb ?& ARRAY['a', NULL];
SELECT '["a","b"]'::jsonb || '["a","d"]', '{"a":"b"}'::jsonb || '{"c":"d","a":1}', '[1,2]'::jsonb || '3', '3'::jsonb || '[1]', '1'::jsonb || '2', '[1]'::jsonb || '{"a":1}', '{"a":1}'::jsonb || '[2]', '[]'::jsonb || '[]';
SELECT '{"a":1}'::jsonb || '1';
SELECT '{"a":"b","c":"d"}'::jsonb - 'a', '["a","b","c","b"]'::jsonb - 'b', '{"a":1,"b":2,"c":3}'::jsonb - '{a,c}'::text[], '["a","b"]'::jsonb - 1, '["a","b"]'::jsonb - -1, '["a"]'::jsonb - 5, '[]'::jsonb - 0, '["a",{"b":1}]'::jsonb #- '{1,b}', '{"a":[1,2]}'::jsonb #- '{a,0}', '{"a":1}'::jsonb #- '{b}', '{"a":1}'::jsonb #- '{}';
SELECT '1'::jsonb - 'a';
SELECT '{"a":1}'::jsonb - 0;
SELECT '1'::jsonb - 0;
SELECT '1'::jsonb #- '{a}';
SELECT '[1]'::jsonb #- '{a}';
SELECT '[1]'::jsonb #- ARRAY[NULL];
SELECT '{"a":1}'::jsonb - ARRAY[['a']];

-- Order, equality, keys
CREATE TABLE j (id int PRIMARY KEY, v jsonb, t json);
INSERT INTO j VALUES (1, '1', '{"a" : 1}'), (2, '"1"', NULL), (3, 'null', 'null'), (4, 'true', '[]'), (5, 'false', '1'), (6, '[]', '1'), (7, '[1]', '1'), (8, '[1,2]', '1'), (9, '{}', '1'), (10, '{"a":1}', '1'), (11, '{"b":0}', '1'), (12, '{"aa":0}', '1'), (13, '[[]]', '1'), (14, '[{}]', '1'), (15, '1.0', '1'), (16, NULL, NULL), (17, '-2.5', '1'), (18, '"10"', '1'), (19, '{"a":1,"b":[]}', '1'), (20, '["x"]', '1');
SELECT id, v FROM j ORDER BY v, id;
SELECT id FROM j ORDER BY v DESC, id;
CREATE INDEX ON j (v);
CREATE TABLE u (v jsonb PRIMARY KEY);
INSERT INTO u SELECT DISTINCT v FROM j WHERE v IS NOT NULL;
SELECT v FROM u ORDER BY v;
SELECT v FROM u WHERE v > '[]' AND v < '2' ORDER BY v;
INSERT INTO u VALUES ('{"a": 1.00}');
INSERT INTO u VALUES ('{"b": 1, "a": 1}') ON CONFLICT DO NOTHING RETURNING v;
SELECT id FROM j WHERE v = '1' ORDER BY id;
SELECT id FROM j WHERE v = '{"b":[],"a":1.0}';
SELECT id FROM j WHERE v >= '[1, 2]' ORDER BY v, id;
SELECT v, count(*) FROM j WHERE id <> 15 GROUP BY v ORDER BY v;
SELECT count(DISTINCT v) FROM j;
SELECT a.id, b.id FROM j a JOIN j b ON a.v = b.v AND a.id < b.id;
SELECT '1'::jsonb = '1.0', '"a"'::jsonb < '"b"', '[1]'::jsonb < '{}', 'null'::jsonb <> 'true', '{"a":1,"b":2}'::jsonb = '{"b":2,"a":1}', '[]'::jsonb < 'null', '[[]]'::jsonb > 'true';
SELECT max(v) FROM j;
SELECT t FROM j GROUP BY t;
SELECT DISTINCT t FROM j;
SELECT t FROM j ORDER BY t;
SELECT '1'::json = '1'::json;
SELECT '1'::json::jsonb, '{"b":1,"a":2}'::jsonb::json, '{"a":1}'::jsonb::text, '[1]'::text::jsonb, '"x"'::json::varchar;
CREATE INDEX ON j (t);
SELECT * FROM j WHERE id IN (1, 2, 10) ORDER BY id;
UPDATE j SET v = v || '{"z": "9"}', t = '[ 1 ]' WHERE id = 10 RETURNING *;
INSERT INTO j VALUES (30, '{"a":', '1');
INSERT INTO j VALUES (31, '1', 'x');
SELECT 'x' || '1'::jsonb;

-- Casts
SELECT '1.6'::jsonb::int, '1.5'::jsonb::numeric, 'true'::jsonb::bool, '12'::jsonb::int8, '3'::jsonb::int2, '1.25'::jsonb::float8, '1.25'::jsonb::float4;
SELECT '"1"'::jsonb::int;
SELECT '1'::jsonb::bool;
SELECT 'null'::jsonb::numeric;
SELECT '[]'::jsonb::float8;
SELECT '{}'::jsonb::int8;
SELECT '100000'::jsonb::int2;

-- Making
SELECT to_json(1), to_json('a"b'::text), to_json(true), to_json(1.50), to_json('NaN'::float8), to_json(NULL::int), to_json(ARRAY[1,2]), to_json(ARRAY[[1,2],[3,4]]), to_json(date '2020-01-02'), to_json(timestamp '2020-01-02 03:04:05.6'), to_json(timestamptz '2020-01-02 03:04:05+02'), to_json('{"a":1}'::json), to_json('{"a":1}'::jsonb), to_json(time '10:00'), to_json(interval '1 day'), to_json('\x01'::bytea), to_json('{}'::int[]);
SELECT to_jsonb(1), to_jsonb('a"b'::text), to_jsonb(true), to_jsonb(1.50), to_jsonb('NaN'::float8), to_jsonb(NULL::int), to_jsonb(ARRAY[1,2]), to_jsonb(ARRAY[[1,2],[3,4]]), to_jsonb(date '2020-01-02'), to_jsonb(timestamp '2020-01-02 03:04:05.6'), to_jsonb(timestamptz '2020-01-02 03:04:05+02'), to_jsonb('{"a" : 1}'::json), to_jsonb('{"a":1}'::jsonb), to_jsonb(time '10:00');
SELECT to_json(date '0044-03-15 BC'), to_json(timestamp '0044-03-15 10:00 BC'), to_json(timestamp 'infinity'), to_json(timestamptz '-infinity'), to_json('2000-01-01'::timestamptz AT TIME ZONE 'UTC');
SELECT to_json('x');
SELECT row_to_json(ROW(1,'foo')), row_to_json(ROW(1,'a',NULL), true), array_to_json(ARRAY[1,2,3]), array_to_json(ARRAY[[1,2],[3,4]], true), array_to_json(NULL::int[]);
SELECT row_to_json(q), to_jsonb(q) FROM (SELECT 1 AS id, 'x' AS "name", ARRAY[1,NULL] AS list, NULL::int AS nothing) q;
SELECT row_to_json(j, true) FROM j WHERE id = 1;
SELECT row_to_json(s) FROM (SELECT id, v FROM j WHERE id < 3 ORDER BY id) s;
SELECT json_build_array(1, 'a', true, NULL, ARRAY[1,2], '{"x":1}'::json), json_build_array(), jsonb_build_array(1, 'a', true, NULL, ARRAY[1,2], '{"x" : 1}'::json), jsonb_build_array();
SELECT json_build_object('a', 1, 'b', 'x', 3, true), json_build_object(), jsonb_build_object('a', 1, 'b', 'x', 3, true, 'a', 2), jsonb_build_object();
SELECT json_build_object('a');
SELECT jsonb_build_object('a');
SELECT json_build_object(NULL, 1);
SELECT jsonb_build_object(NULL, 1);
SELECT json_build_object(ARRAY[1], 1);
SELECT jsonb_build_object('{}'::jsonb, 1);
SELECT json_object('{a,1,b,"def"}'), json_object('{{a,1},{b,NULL}}'), json_object('{a,b}', '{1,NULL}'), json_object('{}'), jsonb_object('{a,1,b,"def",a,3}'), jsonb_object('{a,b}', '{1,2}');
SELECT json_object('{a}');
SELECT json_object('{{a},{b}}');
SELECT json_object('{{a,b,c}}');
SELECT json_object('{{{a,b}}}');
SELECT json_object('{a,b}', '{1}');
SELECT jsonb_object('{NULL,1}');
SELECT jsonb_object('{{a,1}}', '{1,2}');

-- Taking apart
SELECT * FROM json_array_elements('[1, true, [2, [3, 4]], null, "x"]');
SELECT * FROM jsonb_array_elements_text('[1, true, [2,3], null, "x"]');
SELECT e.value, n FROM jsonb_array_elements('["a","b"]') WITH ORDINALITY AS e (value, n);
SELECT e FROM json_array_elements_text('["a", null]') e;
SELECT x, value FROM (VALUES (1, '[1,2]'::jsonb), (2, '[3]')) AS t (x, l), jsonb_array_elements(l);
SELECT json_array_elements('[1,2]'), jsonb_array_elements_text('["a"]');
SELECT json_array_elements('{}');
SELECT json_array_elements('1');
SELECT jsonb_array_elements('{}');
SELECT jsonb_array_elements_text('1');
SELECT * FROM json_each('{"a": {"b" : 1}, "c":null, "a":"x"}');
SELECT * FROM json_each_text('{"a": {"b" : 1}, "c":null, "d":"x"}');
SELECT * FROM jsonb_each('{"b":1, "a": {"b" : 1}, "c":null}') AS t (k, v);
SELECT key, value FROM jsonb_each_text('{"aa":1, "c":null, "b":"x"}');
SELECT * FROM json_each('[]');
SELECT * FROM json_each('1');
SELECT * FROM jsonb_each('[]');
SELECT * FROM jsonb_each_text('1');
SELECT json_object_keys('{"f1":"abc","f2":{"f3":"a", "f4":"b"},"f1":1}');
SELECT * FROM jsonb_object_keys('{"bb":1,"a":2}');
SELECT json_object_keys('[]');
SELECT jsonb_object_keys('1');
SELECT json_extract_path('{"a":{"b":[1,"x"]}}', 'a', 'b', '1'), json_extract_path_text('{"a":{"b":[1,"x"]}}', 'a', 'b', '1'), jsonb_extract_path('{"a":{"b":[1,"x"]}}', 'a', 'b'), jsonb_extract_path_text('{"a":{"b":[1,"x"]}}', 'a', 'b', '1');
SELECT json_array_length('[1,2,[3]]'), jsonb_array_length('[1,2,[3]]'), json_array_length('[]'), json_typeof('1'), json_typeof('"x"'), json_typeof('null'), jsonb_typeof('true'), jsonb_typeof('{}'), jsonb_typeof('[]'), jsonb_typeof('1.5');
SELECT json_array_length('{}');
SELECT json_array_length('1');
SELECT jsonb_array_length('{}');
SELECT jsonb_array_length('1');
SELECT json_strip_nulls('{"a": 1, "b":null, "c":[2,null,{"d":null}], "e":{"f" : null}}'), jsonb_strip_nulls('{"a": 1, "b":null, "c":[2,null,{"d":null}], "e":{"f" : null}}'), jsonb_strip_nulls('null');
SELECT jsonb_pretty('{"a":{"b":[1,2,{"c":null}]},"d":[],"e":{}}');

-- Changing
SELECT jsonb_set('[{"f1":1,"f2":null},2,null,3]', '{0,f1}', '[2,3,4]', false), jsonb_set('[{"f1":1,"f2":null},2]', '{0,f3}', '[2,3,4]'), jsonb_set('{"a":1}', '{b}', '2', false), jsonb_set('{"a":1}', '{b}', '2'), jsonb_set('{"a":[1]}', '{a,5}', '2'), jsonb_set('{"a":[1]}', '{a,-5}', '2'), jsonb_set('[1,2,3]', '{-1}', '9'), jsonb_set('{"a":1}', '{}', '2'), jsonb_set('{"a":1}', '{x,y}', '2'), jsonb_set('{"a":1}', '{a,y}', '2'), jsonb_set('{}', '{a}', '1', false), jsonb_set('[]', '{0}', '1', true);
SELECT jsonb_set('1', '{a}', '2');
SELECT jsonb_set('[1]', '{a}', '2');
SELECT jsonb_set('{"a":[1]}', '{a,b}', '2');
SELECT jsonb_set('{"a":1}', ARRAY[NULL], '2');
SELECT jsonb_set('{"a":1}', ARRAY['a', NULL], '2');
SELECT jsonb_insert('{"a": [0,1,2]}', '{a, 1}', '"new"'), jsonb_insert('{"a": [0,1,2]}', '{a, 1}', '"new"', true), jsonb_insert('{"a":1}', '{b}', '2'), jsonb_insert('[]', '{0}', '1'), jsonb_insert('[1]', '{5}', '2'), jsonb_insert('[1]', '{-5}', '2'), jsonb_insert('[1,2]', '{-1}', '9'), jsonb_insert('[1,2]', '{-1}', '9', true);
SELECT jsonb_insert('{"a":1}', '{a}', '2');
SELECT jsonb_set_lax('{"a":1}', '{b}', NULL), jsonb_set_lax('{"a":1,"b":2}', '{b}', NULL, true, 'delete_key'), jsonb_set_lax('{"a":1}', '{b}', NULL, true, 'return_target'), jsonb_set_lax('{"a":1}', '{b}', NULL, true, 'use_json_null'), jsonb_set_lax('{"a":1}', '{a}', '5', true, 'delete_key'), jsonb_set_lax(NULL, '{a}', '1');
SELECT jsonb_set_lax('{"a":1}', '{b}', NULL, true, 'raise_exception');
SELECT jsonb_set_lax('{"a":1}', '{b}', NULL, true, NULL);
SELECT jsonb_set_lax('{"a":1}', '{b}', NULL, true, 'no_such_treatment');

-- Aggregates
SELECT json_agg(id ORDER BY id), jsonb_agg(id ORDER BY id), json_object_agg(id, v ORDER BY id), jsonb_object_agg(id, v ORDER BY id) FROM j WHERE id < 5;
SELECT json_agg(q ORDER BY id) FROM (SELECT id, v FROM j WHERE id < 4) q;
SELECT jsonb_agg(q ORDER BY id) FROM (SELECT id, v FROM j WHERE id < 4) q;
SELECT json_agg(a) FROM (VALUES (ARRAY[1,2]), (NULL), (ARRAY[3])) t (a);
SELECT json_agg(id), jsonb_agg(id), json_object_agg(id, id), jsonb_object_agg(id, id) FROM j WHERE false;
SELECT json_agg(x), jsonb_agg(x) FROM (VALUES ('a'), (NULL), ('b')) t (x);
SELECT json_object_agg(x, 1) FROM (VALUES ('a'), (NULL)) t (x);
SELECT jsonb_object_agg(x, 1) FROM (VALUES ('a'), (NULL)) t (x);
SELECT json_object_agg(x, y), jsonb_object_agg(x, y) FROM (VALUES ('a', 1), ('a', 2), ('b', NULL)) t (x, y);
SELECT id, jsonb_agg(id) OVER (ORDER BY id) FROM j WHERE id < 4;
SELECT json_agg(DISTINCT id % 2) FROM j;

-- Rows
SELECT * FROM json_to_record('{"a":1,"b":[1,2,3],"c":[1,2,3],"e":"bar","r": {"a": 123, "b": "a b c"}}') AS x (a int, b text, c int[], d text, r json);
SELECT * FROM jsonb_to_record('{"a":1.6,"b":"x  ","c":null,"d":"2020-01-02","n":12.345}') AS x (a float, b varchar(3), c int, d date, n numeric(4,1), missing bool);
SELECT * FROM json_to_recordset('[{"a":1,"b":"foo"}, {"a":"2","c":"bar"}]') AS x (a int, b text);
SELECT a + 1 AS next, b FROM jsonb_to_recordset('[{"a":1,"b":{"x" : 1}}, {"a":"2","c":"bar"}]') AS x (a int, b jsonb) WHERE a > 0;
SELECT * FROM jsonb_to_record('{"a":"x"}') AS x (a int);
SELECT * FROM jsonb_to_record('[]') AS x (a int);
SELECT * FROM jsonb_to_record('1') AS x (a int);
SELECT * FROM json_to_record('{"a":1}');
SELECT json_to_record('{"a":1}');
SELECT * FROM generate_series(1, 2) AS x (a int);
SELECT * FROM jsonb_to_recordset('{"a":1}') AS x (a int);
SELECT * FROM json_to_recordset('{"a":1}') AS x (a int);
SELECT * FROM json_to_recordset('[1]') AS x (a int);

-- The extended protocol
SELECT $1::jsonb, $2::json, $1::jsonb -> 'a';
\bind {"b":1, "a":[1, 2]} | { "x" : 1 }
SELECT id FROM j WHERE v @> $1 ORDER BY id;
\bind {"a":1}
SELECT id FROM j WHERE v ->> $1 = '1' ORDER BY id;
\bind a
DROP TABLE j;
DROP TABLE u;
-- NULL in a path is met where the path comes to it.
SELECT jsonb_set('{}', '{a,NULL}', '1'), jsonb_set('{"a": {}}', '{b,NULL}', '1'), jsonb_set_lax('{"b": 1}', '{a,NULL}', NULL), '{"b": 1}'::jsonb #- '{a,NULL}';
SELECT jsonb_insert('[]', '{a,NULL}', '1', true);
SELECT jsonb_set('{"a": {}}', '{a,NULL}', '1');
SELECT jsonb_set('{"a": 1}', '{a,NULL}', '1');
SELECT '{"a": -1}'::jsonb #- '{a,NULL}';
SELECT '[1]'::jsonb #- '{NULL}';
-- A row of NULLs for NULL, and no rows.
SELECT x.*, x::text FROM jsonb_to_record(NULL) x(a int, b text);
SELECT * FROM json_to_record(NULL) x(a int[]);
SELECT * FROM jsonb_to_recordset(NULL) x(a int);
SELECT count(*) FROM json_to_recordset(NULL) x(a int);

-- Texts of a list behind IN are read before an operator is looked for.
SELECT '1'::json IN ('text', 'b');
SELECT '1'::json IN ('1', '2');
SELECT '1'::json IN ('text');
