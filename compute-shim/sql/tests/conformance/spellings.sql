-- Slices of arrays, BETWEEN SYMMETRIC, arguments by name.

SELECT ('{1,2,3,4}'::int[])[2:3], ('{1,2,3,4}'::int[])[:2], ('{1,2,3,4}'::int[])[3:], ('{1,2,3,4}'::int[])[:];
SELECT ('{1,2,3,4}'::int[])[0:9], ('{1,2,3,4}'::int[])[4:3], ('{1,2,3,4}'::int[])[5:], ('{}'::int[])[1:1], (NULL::int[])[1:2];
SELECT ('{1,2,3,4}'::int[])[NULL:2], ('{1,2,3,4}'::int[])[1:NULL];
SELECT ('[3:5]={1,2,3}'::int[])[4:5], ('[3:5]={1,2,3}'::int[])[:4], ('[-1:1]={1,2,3}'::int[])[0:], array_dims(('[3:5]={1,2,3}'::int[])[4:5]);
SELECT ('{{1,2,3},{4,5,6},{7,8,9}}'::int[])[2:3], ('{{1,2,3},{4,5,6},{7,8,9}}'::int[])[2:3][1:2], ('{{1,2,3},{4,5,6},{7,8,9}}'::int[])[2:2][:];
SELECT ('{{1,2,3},{4,5,6},{7,8,9}}'::int[])[2][1:2], ('{{1,2,3},{4,5,6},{7,8,9}}'::int[])[1:2][2], ('{{1,2},{3,4}}'::int[])[1:1][1:1][1:1];
SELECT ('{{1,2},{3,4}}'::int[])[2:1][1:1], ('{{1,2},{3,4}}'::int[])[1:2][3:4];
SELECT ('1 2 3'::int2vector)[0:1], pg_typeof(('1 2 3'::int2vector)[0:1]), ('1 2 3'::oidvector)[1:];
SELECT (ARRAY['a','b','c'])[2:], (string_to_array('a,b,c,d', ','))[2:3];
SELECT ('abc'::name)[1:2];
SELECT ('[1,2]'::jsonb)[0:1];
SELECT (1)[1:2];
SELECT ('{1,2}'::int[])['x':2];
SELECT ('{1,2}'::int[])[true:2];
SELECT ('{1,2}'::int[])[1.4:'2'];
SELECT ('{1}'::int[])[1:1][1:1][1:1][1:1][1:1][1:1][1:1];
CREATE TABLE sliced (id int PRIMARY KEY, a int[], b text[], lo int, hi int, CHECK (a[1:2] <> '{9,9}'));
INSERT INTO sliced VALUES (1, '{1,2,3,4,5}', '{x,y,z}', 2, 4), (2, '{9,8,7}', NULL, NULL, 2), (3, '{}', '{q}', 1, 1);
INSERT INTO sliced VALUES (4, '{9,9,1}', NULL, 1, 1);
SELECT id, a[lo:hi], b[:hi - 1], a[lo:], sliced.a[1:2], (a[2:4])[1] FROM sliced ORDER BY id;
SELECT id FROM sliced WHERE a[2:3] = '{2,3}' OR b[2:] @> '{z}' ORDER BY id;
CREATE INDEX sliced_part ON sliced ((a[1:2]), (b[:]));
SELECT pg_get_indexdef('sliced_part'::regclass);
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'sliced'::regclass AND contype = 'c';
SELECT array_agg(a[1:1] ORDER BY id) FROM sliced WHERE id < 3;
SELECT $1::int[], ($1::int[])[$2:$3];
\bind {5,6,7} | 1 | 2
\bind {5,6,7} | \N | 2

SELECT 2 BETWEEN SYMMETRIC 3 AND 1, 2 BETWEEN SYMMETRIC 1 AND 3, 4 BETWEEN SYMMETRIC 3 AND 1, 2 NOT BETWEEN SYMMETRIC 3 AND 1, 5 NOT BETWEEN SYMMETRIC 3 AND 1;
SELECT 2 BETWEEN ASYMMETRIC 3 AND 1, 2 BETWEEN ASYMMETRIC 1 AND 3, 2 NOT BETWEEN ASYMMETRIC 3 AND 1;
SELECT 2 BETWEEN SYMMETRIC 1 + 2 * 1 AND 4 - 3, 'b' BETWEEN SYMMETRIC 'c' || 'c' || '' AND 'a', 2 BETWEEN SYMMETRIC -3 AND '5'::int AND true;
SELECT NULL BETWEEN SYMMETRIC 1 AND 2, 1 BETWEEN SYMMETRIC NULL AND 0, 1 BETWEEN SYMMETRIC 5 AND NULL;
SELECT id FROM sliced WHERE id BETWEEN SYMMETRIC hi AND lo ORDER BY id;
SELECT 1 BETWEEN SYMMETRIC (SELECT 2) AND (SELECT 0), date '2024-02-01' BETWEEN SYMMETRIC '2024-03-01' AND '2024-01-01';
SELECT 1 BETWEEN SYMMETRIC 'x' AND 2;
CREATE TABLE ranged (a int, lo int, hi int, CHECK (a BETWEEN SYMMETRIC lo AND hi), CONSTRAINT outside CHECK (a NOT BETWEEN SYMMETRIC 5 AND 7));
INSERT INTO ranged VALUES (2, 3, 1), (2, 1, 3);
INSERT INTO ranged VALUES (4, 3, 1);
INSERT INTO ranged VALUES (6, 9, 1);
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'ranged'::regclass ORDER BY 1;

SELECT make_interval(days => 10), make_interval(1, mins => 5), make_interval(secs => 1.5, years => 2), make_interval(hours := 3);
SELECT make_date(year => 2024, month => 2, day => 29), make_date(2024, day => 1, month => 3), make_time(hour => 1, min => 2, sec => 3.5);
SELECT make_timestamp(2024, 1, 2, hour => 3, min => 4, sec => 5), make_timestamptz(2024, 1, 2, 3, 4, 5, timezone => 'UTC');
SELECT jsonb_set('{"a":1}', '{b}', '2', create_if_missing => false), jsonb_set(jsonb_in => '{"a":1}', path => '{b}', replacement => '2');
SELECT jsonb_insert('[1,2]', '{0}', '9', insert_after => true), jsonb_set_lax('{"a":1}', '{a}', NULL, null_value_treatment => 'delete_key');
SELECT jsonb_path_exists('{"a":1}', '$.b', silent => true), jsonb_path_query_array(target => '[1,2,3]', path => '$[*] ? (@ > $x)', vars => '{"x":1}');
SELECT * FROM jsonb_path_query('[1,2,3]', path => '$[*]');
SELECT * FROM jsonb_each(from_json => '{"a":1,"b":2}') ORDER BY key;
SELECT value FROM json_array_elements(from_json => '[1,2]');
SELECT make_interval(nope => 1);
SELECT make_interval(1, years => 2);
SELECT make_interval(days => 1, days => 2);
SELECT make_interval(days => 1, 2);
SELECT make_date(year => 2024, month => 2);
SELECT lower(x => 'A');
SELECT make_interval(days => 'x');
SELECT id, make_interval(days => id) FROM sliced ORDER BY id;
SELECT parse_ident('a.b!', strict => false);
SELECT count(x => 1);
