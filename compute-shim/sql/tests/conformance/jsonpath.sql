-- SQL/JSON path: type, functions and operators.

-- Text form
SELECT jsonpath '$', jsonpath 'strict $', jsonpath 'lax $.a', jsonpath '$.a.v', jsonpath '$."a b".*', jsonpath '$.a[*]', jsonpath '$[0, 1 to 3, last]', jsonpath '$.**', jsonpath '$.**{2}', jsonpath '$.**{2 to last}', jsonpath '$.**{last}', jsonpath '$.**{1 to 3}.b';
SELECT jsonpath '$.a[*] ? (@.b > 1 && exists(@.c) || !(@ == "x" )).type()', jsonpath '($.a + 1 * -2) % 3 - +$.b', jsonpath '$ ? (@ starts with "abc") ? (@ starts with $v) ? ((@ > 1) is unknown)', jsonpath '$.keyvalue().key.datetime("HH24").datetime() .size().double().abs().floor().ceiling()';
SELECT jsonpath '-($.a[0]).b', jsonpath '$x', jsonpath '"a\u0041\n"', jsonpath '1 + $ == 2 && true == null', jsonpath '$.true.null.exists.strict.lax', jsonpath '1 < 2', jsonpath '1.2e3', jsonpath '.5', jsonpath '1.', jsonpath '(1).type()', jsonpath '$.a ? (@.b == 1) + 2', jsonpath '!($.a == 1)', jsonpath '1 - 2 - 3', jsonpath '1 - (2 - 3)', jsonpath '(1 + 2) * 3', jsonpath '$[$.a to 3 + 1]';
SELECT jsonpath 'exists($.a) || exists($.b) && exists($.c)', jsonpath '(exists($.a) || exists($.b)) && exists($.c)', jsonpath '($.a == 1).type()', jsonpath '$ ? (@ like_regex "a.b" flag "is")', jsonpath '$ ? (@ like_regex "a" flag "q")', jsonpath '$.a /* comment */ .b', jsonpath '$."$a"."a\"b"', jsonpath 'strict $."size".size()', jsonpath '$ ? (@ <> 1)', jsonpath '$.a\u0062c';
SELECT jsonpath '';
SELECT jsonpath '$.';
SELECT jsonpath '$ a';
SELECT jsonpath '$.a.1';
SELECT jsonpath '(@ > 1)';
SELECT jsonpath 'last';
SELECT jsonpath '$ ? (1 < 2 < 3)';
SELECT jsonpath '$[';
SELECT jsonpath '$ ? (@.a)';
SELECT jsonpath '1.type()';
SELECT jsonpath '1e';
SELECT jsonpath '0x';
SELECT jsonpath '$.a)';
SELECT jsonpath '"abc';
SELECT jsonpath '$.$x';
SELECT jsonpath '$ ? (@ like_regex "(" )';
SELECT jsonpath '$ ? (@ like_regex "a" flag "z")';
SELECT jsonpath '$ ? (@ like_regex "a" flag "x")';
SELECT jsonpath '$.**{99999999999}';
SELECT '$.a'::text::jsonpath, '$ . a'::jsonpath::text;

-- Accessors
SELECT jsonb_path_query('{"a": 12}', '$'), jsonb_path_query('{"a": 12}', '$.a'), jsonb_path_query('{"a": {"a": 12}}', '$.a.a');
SELECT jsonb_path_query('{"a": 12}', '$.b');
SELECT jsonb_path_query('{"a": 12}', 'strict $.b');
SELECT jsonb_path_query('1', 'strict $.b');
SELECT jsonb_path_query('{"a": 12}', 'strict $.b', '{}', true);
SELECT * FROM jsonb_path_query('[{"a":1},{"a":2},{"b":3}]', '$.a');
SELECT * FROM jsonb_path_query('[{"a":1},{"a":2},{"b":3}]', 'strict $[*].a');
SELECT * FROM jsonb_path_query('[12, {"a": 13}, {"b": 14}]', '$[0 to 10, last, 1]');
SELECT jsonb_path_query('[1,2]', 'strict $[2]');
SELECT jsonb_path_query('[1,2]', 'strict $["a"]');
SELECT jsonb_path_query('[1,2]', '$[10000000000000]');
SELECT jsonb_path_query('1', 'strict $[0]');
SELECT jsonb_path_query('1', 'strict $[*]');
SELECT jsonb_path_query('1', 'strict $.*');
SELECT * FROM jsonb_path_query('1', 'lax $[0, last, *]');
SELECT * FROM jsonb_path_query('1', 'lax $[0, last]');
SELECT * FROM jsonb_path_query('[[1,2],[3]]', '$[*][*]');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', '$.**');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', '$.**{1}');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', '$.**{2 to last}');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', '$.**{last}');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', 'lax $.**.c');
SELECT * FROM jsonb_path_query('{"a":{"b":[1,{"c":2}]},"d":3}', 'strict $.**.c');
SELECT * FROM jsonb_path_query('{"a":[1,2],"b":{"c":3}}', '$.*');
SELECT * FROM jsonb_path_query('[1,2,3,4,5]', '$[last - 1 to last]');
SELECT * FROM jsonb_path_query('[1,2,3,4,5]', '$[$[0] to 1.9]');
SELECT * FROM jsonb_path_query('[2,[1,2,3]]', '$[1][last, $[0]]');

-- Filters and predicates
SELECT * FROM jsonb_path_query('[1,2,3,"a",null,true,{"a":5}]', '$[*] ? (@ > 1)');
SELECT * FROM jsonb_path_query('[1,2,3,"a",null,true,{"a":5}]', '$[*] ? (@ != 1)');
SELECT * FROM jsonb_path_query('[1,2,3,"a",null,true,{"a":5}]', '$[*] ? ((@ > 1) is unknown)');
SELECT * FROM jsonb_path_query('[1,2,3,"a",null,true,{"a":5}]', '$[*] ? (@ == null || @ == true || @.a == 5 || @ <= "b")');
SELECT * FROM jsonb_path_query('[{"a":[1,2]},{"a":[3]}]', '$[*] ? (@.a[*] >= 2)');
SELECT * FROM jsonb_path_query('[{"a":1,"b":2},{"a":3,"b":1}]', '$[*] ? (@.a > @.b).a');
SELECT * FROM jsonb_path_query('{"a":[{"b":1},{"b":2}]}', '$.a[*] ? (exists(@.b ? (@ > 1)))');
SELECT jsonb_path_query('[1,2]', '$ > 1'), jsonb_path_query('[1,2]', '$[*] > 5'), jsonb_path_query('[1,"a"]', '$[*] > 5'), jsonb_path_query('[1,"a"]', 'strict $[*] > 0'), jsonb_path_query('{}', 'exists($.a)'), jsonb_path_query('{}', 'strict exists($.a)'), jsonb_path_query('1', '!(1 == 1)'), jsonb_path_query('1', '(1 == "a") is unknown'), jsonb_path_query('1', '1 == 1 && 1 == "a"'), jsonb_path_query('1', '1 == 2 && 1 == "a"'), jsonb_path_query('1', '1 == 1 || 1 == "a"');
SELECT * FROM jsonb_path_query('["abc","abd","xabc",1]', '$[*] ? (@ starts with "ab")');
SELECT * FROM jsonb_path_query('["abc","abd","xabc",1]', '$[*] ? (@ starts with $p)', '{"p":"abc"}');
SELECT * FROM jsonb_path_query('["abc","ABD","xabc","a\nbc"]', '$[*] ? (@ like_regex "^ab" flag "i")');
SELECT * FROM jsonb_path_query('["abc","a\nc","x\nabc"]', '$[*] ? (@ like_regex "a.c" flag "s")');
SELECT * FROM jsonb_path_query('["abc","a\nc","x\nabc"]', '$[*] ? (@ like_regex "^a" flag "m")');
SELECT * FROM jsonb_path_query('["a.c","abc"]', '$[*] ? (@ like_regex "a.c" flag "q")');

-- Arithmetic
SELECT jsonb_path_query('[1,2]', '$[0] + $[1]'), jsonb_path_query('[7,2]', '$[0] % $[1]'), jsonb_path_query('7', '$ / 2'), jsonb_path_query('7', '-$'), jsonb_path_query('7', '2 * (3 - $)'), jsonb_path_query('[7]', '$ * 2'), jsonb_path_query('1', '1.50 + 1');
SELECT * FROM jsonb_path_query('[1,-2]', '-$[*]');
SELECT * FROM jsonb_path_query('{"a":[2,3]}', '+$.a');
SELECT jsonb_path_query('1', '$ / 0');
SELECT jsonb_path_query('"a"', '$ + 1');
SELECT jsonb_path_query('[1,2]', '1 - $');
SELECT jsonb_path_query('"a"', '-$');
SELECT jsonb_path_query('1', '$ / 0', '{}', true);
SELECT jsonb_path_query('[0,1]', '$[*] ? (2 / @ > 1)');

-- Methods
SELECT * FROM jsonb_path_query('[null,1,true,"a",[],{}]', '$[*].type()');
SELECT * FROM jsonb_path_query('[null,1,true,"a",[],{}]', 'lax $.type()');
SELECT jsonb_path_query('[1,2,3]', '$.size()'), jsonb_path_query('1', '$.size()'), jsonb_path_query('-1.5', '$.abs()'), jsonb_path_query('-1.5', '$.floor()'), jsonb_path_query('-1.5', '$.ceiling()'), jsonb_path_query('"1.50e2"', '$.double()'), jsonb_path_query('1.50', '$.double()'), jsonb_path_query('"  7 "', '$.double()');
SELECT * FROM jsonb_path_query('[1.5,-2.5]', '$.abs()');
SELECT jsonb_path_query('1', 'strict $.size()');
SELECT jsonb_path_query('"a"', '$.abs()');
SELECT jsonb_path_query('"a"', '$.double()');
SELECT jsonb_path_query('"inf"', '$.double()');
SELECT jsonb_path_query('null', '$.double()');
SELECT jsonb_path_query('1e1000', '$.double()');
SELECT * FROM jsonb_path_query('{"a":1,"b":[1,2]}', '$.keyvalue()');
SELECT * FROM jsonb_path_query('[{"a":1,"b":[1,2]},{"c":{"a":"bbb"}}]', '$[*].keyvalue()');
SELECT * FROM jsonb_path_query('[{"a":1.25,"b":{"x":true,"yy":null}}]', '$.keyvalue().value.keyvalue()');
SELECT * FROM jsonb_path_query('{"a":{"b":{"c":12345678901234567890.5}},"long key":"text","n":-1}', '$.**.keyvalue()');
SELECT * FROM jsonb_path_query('{}', '$.keyvalue()');
SELECT * FROM jsonb_path_query('1', '$v.keyvalue()', '{"v":{"a":{"b":1}}}');
SELECT jsonb_path_query('1', '$.keyvalue()');

-- Dates and times
SELECT jsonb_path_query('"2017-03-10"', '$.datetime()'), jsonb_path_query('"12:34:56"', '$.datetime()'), jsonb_path_query('"12:34:56+3:10"', '$.datetime().type()', '{}', true), jsonb_path_query('"12:34:56+03:10"', '$.datetime()'), jsonb_path_query('"2017-03-10 12:34:56"', '$.datetime()'), jsonb_path_query('"2017-03-10T12:34:56.789+03"', '$.datetime()');
SELECT * FROM jsonb_path_query('["2017-03-10","12:34:56","12:34:56+03:10","2017-03-10 12:34:56","2017-03-10 12:34:56+03"]', '$[*].datetime().type()');
SELECT * FROM jsonb_path_query('["2017-03-10","2017-03-11","2017-03-10 00:00:00","2017-03-10 12:34:56","12:34:56"]', '$[*].datetime() ? (@ >= "2017-03-10".datetime() && @ < "2017-03-11".datetime())');
SELECT jsonb_path_query('"2017-03-10"', '$.datetime() < "2017-03-10 12:00:00+00".datetime()');
SELECT jsonb_path_query_tz('"2017-03-10"', '$.datetime() < "2017-03-10 12:00:00+00".datetime()'), jsonb_path_exists_tz('"12:00:00"', '$ ? (@.datetime() == "12:00:00+00".datetime())'), jsonb_path_match_tz('"12:00:00"', '$.datetime() == "12:00:00+00".datetime()'), jsonb_path_query_array_tz('1', '$'), jsonb_path_query_first_tz('1', '$');
SELECT jsonb_path_query('"bogus"', '$.datetime()');
SELECT jsonb_path_query('1', '$.datetime()');

-- Variables
SELECT jsonb_path_query('[1,2,3]', '$[*] ? (@ > $x)', '{"x":1}'), jsonb_path_query('1', '$x', '{"x":{"a":[1]}}'), jsonb_path_query('1', '$"x y"', '{"x y":2}');
SELECT jsonb_path_query('1', '$x');
SELECT jsonb_path_query('1', '$x', '{"y":1}', true);
SELECT jsonb_path_query('1', '$x', '[]');

-- The other functions and operators
SELECT jsonb_path_exists('{"a":1}', '$.a'), jsonb_path_exists('{"a":1}', '$.b'), jsonb_path_exists('{"a":1}', 'strict $.b', '{}', true), jsonb_path_exists('[1,2]', '$[*] ? (@ > $x)', '{"x":1}'), jsonb_path_exists('[]', '$[*]');
SELECT jsonb_path_exists('{"a":1}', 'strict $.b');
SELECT jsonb_path_match('{"a":1}', '$.a == 1'), jsonb_path_match('{"a":1}', 'exists($.b)'), jsonb_path_match('{"a":"x"}', '$.a > 1'), jsonb_path_match('{"a":1}', '$.a', '{}', true), jsonb_path_match('true', '$'), jsonb_path_match('null', '$');
SELECT jsonb_path_match('{"a":1}', '$.a');
SELECT jsonb_path_match('[true,true]', '$[*]');
SELECT jsonb_path_match('{}', 'strict $.a');
SELECT jsonb_path_query_array('[{"a":1},{"a":2}]', '$[*].a'), jsonb_path_query_array('[]', '$[*]'), jsonb_path_query_first('[{"a":1},{"a":2}]', '$[*].a'), jsonb_path_query_first('[]', '$[*]'), jsonb_path_query_first('[]', 'strict $[0]', '{}', true), jsonb_path_query_array('[]', 'strict $[0]', '{}', true);
SELECT '{"a":1}'::jsonb @? '$.a', '{"a":1}'::jsonb @? '$.b', '{"a":1}'::jsonb @? 'strict $.b', '{"a":1}'::jsonb @@ '$.a == 1', '{"a":1}'::jsonb @@ '$.a', '{"a":1}'::jsonb @@ '$.a > 5', '{"a":1}'::jsonb @@ 'strict $.b == 1', '[1]'::jsonb @? '$[*] ? (@ > 1)';
CREATE TABLE p (id int PRIMARY KEY, v jsonb, q jsonpath);
INSERT INTO p VALUES (1, '{"a":[1,2]}', '$.a[*]'), (2, '{"a":[3]}', 'strict $.b'), (3, '{"b":1}', '$.b');
SELECT id, v @? q, q FROM p ORDER BY id;
SELECT id, x FROM p, jsonb_path_query(v, '$.a[*]') AS t (x) ORDER BY id, x;
SELECT id FROM p WHERE v @@ '$.a[*] > 2' ORDER BY id;
SELECT q FROM p ORDER BY q;
SELECT jsonb_path_query(v, $1) FROM p ORDER BY id;
\bind $.a
DROP TABLE p;
-- The sign of a number is part of it.
SELECT '-1'::jsonpath, '+1'::jsonpath, '-(1)'::jsonpath, '-1.5e3'::jsonpath, '--1'::jsonpath, '1 - -2'::jsonpath, '(-1).type()'::jsonpath, '(+1).type()'::jsonpath, '-$.a'::jsonpath, '-(1).abs()'::jsonpath, '-"a"'::jsonpath;
SELECT jsonb_path_query('[1]', '-(-1).abs()'), jsonb_path_query('[1]', '-1 + $[0]');
-- What was found before an error that is passed over in silence.
SELECT jsonb_path_query_array('[1,2,"a",3]', '-$[*]', silent => true), jsonb_path_query_array('[{"a":1},{"b":2},{"a":3}]', 'strict $[*].a', silent => true), jsonb_path_query_first('[1,"a"]', '-$[*]', silent => true), jsonb_path_query_array('[[1,2],3]', 'strict $[*][*]', silent => true);
SELECT jsonb_path_query('[1,2,"a",3]', '-$[*]', silent => true);
SELECT jsonb_path_exists('[1,"a"]', '-$[*]', silent => true), jsonb_path_exists('[1,"a"]', 'strict -$[*]', silent => true), '["a",1]'::jsonb @? '-$[*]', jsonb_path_match('[true,1]', '$[*]', silent => true), jsonb_path_match('[{"a":true},{}]', 'strict $[*].a', silent => true);
-- Variables of operators are null; those of functions have to be there.
SELECT '{"1": true}'::jsonb @? '$[1, 0] ? (@ >= $x)', '1'::jsonb @@ '$x == null', '1'::jsonb @? '$ ? (@ != $x)', '1'::jsonb @? 'strict $x.a', '1'::jsonb @? '$x.a', '1'::jsonb @@ '$x', '1'::jsonb @@ '($x + 1 == 2) is unknown', '[1,2]'::jsonb @? '$[$x]', '[1,2]'::jsonb @@ '$x.type() == "null"';
SELECT jsonb_path_exists('1', '$x');
SELECT jsonb_path_exists('1', '$x', '{}', true);
SELECT jsonb_path_exists('1', 'exists($x)', '{}'), jsonb_path_exists('1', '$x', '{"x": null}');
SELECT jsonb_path_query('{"a": {"b": 1}}', '$.keyvalue().keyvalue()');
-- An error of what ** begins with is forgotten within a predicate and in silence; not if it holds nothing.
SELECT jsonb_path_match('[]'::jsonb, 'strict $.**.double() > "a"');
SELECT jsonb_path_match('[1]'::jsonb, 'strict $.**.double() > 0');
SELECT jsonb_path_match('["x"]'::jsonb, 'strict $.**.double() > 1');
SELECT jsonb_path_match('"x"'::jsonb, 'strict $.**.double() > 1');
SELECT jsonb_path_match('{"a":1}'::jsonb, 'strict $.**.double() == 1');
SELECT jsonb_path_match('{"a":[1]}'::jsonb, 'strict $.**.double() == 1');
SELECT jsonb_path_match('{}'::jsonb, '($.**.double() > "a") is unknown');
SELECT jsonb_path_match('{}'::jsonb, 'exists($.**.double())');
SELECT jsonb_path_query('{}'::jsonb, '$.**.double()');
SELECT jsonb_path_query('{"a":1}'::jsonb, '$.**.double()', silent=>true);
SELECT jsonb_path_query('{"a":1}'::jsonb, 'strict $.**.double()', silent=>true);
SELECT jsonb_path_exists('{}'::jsonb, 'strict $.**.double()', silent=>true);
SELECT '{}'::jsonb @? 'strict $.**.double()';
SELECT '[[],1]'::jsonb @? 'strict $[*].**.double()';
SELECT jsonb_path_query_array('[[],1,{"a":2}]', 'strict $[*].**.double()', silent=>true);
SELECT jsonb_path_query_array('[[],1,{"a":2}]', 'lax $[*].**.double()', silent=>true);
SELECT jsonb_path_query('{"a":1}'::jsonb, '$ ? (@.**.double() == 1)');
