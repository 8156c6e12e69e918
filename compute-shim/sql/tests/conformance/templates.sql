-- Templates: to_char of numbers, to_number, to_date, to_timestamp with a template.

-- to_char of numbers
SELECT to_char(125, '999'), to_char(125.8::real, '999D9'), to_char(-125.8, '999D99S'), to_char(0.1, '0.9'), to_char(-0.1, 'FM9.99'), to_char(0, 'FM9.99'), to_char(0.1, '99.99'), to_char(485, '9 9 9'), to_char(1485, '9,999'), to_char(1485, '9G999'), to_char(148.5, '999.999'), to_char(148.5, 'FM999.999'), to_char(148.5, 'FM999.990'), to_char(3148.5, '9G999D999');
SELECT to_char(-485, '999S'), to_char(-485, '999MI'), to_char(485, '999MI'), to_char(485, 'FM999MI'), to_char(485, 'PL999'), to_char(485, 'SG999'), to_char(-485, 'SG999'), to_char(-485, '9SG99'), to_char(-485, '999PR'), to_char(485, '999PR'), to_char(485, 'L999'), to_char(485, 'RN'), to_char(485, 'FMRN'), to_char(5.2, 'FMRN'), to_char(482, '999th'), to_char(485, '"Good number:"999'), to_char(485.8, '"Pre:"999" Post:" .999'), to_char(12, '99V999'), to_char(12.4, '99V999'), to_char(12.45, '99V9'), to_char(0.0004859, '9.99EEEE');
SELECT to_char(12345, '999'), to_char(12345.678, '99.9'), to_char('NaN'::numeric, '999.99'), to_char('Infinity'::float8, '999'), to_char('-Infinity'::numeric, '9.99EEEE'), to_char('NaN'::float8, '9.99EEEE'), to_char(1e15::float8, '9999999999999999D99'), to_char(123456.789::real, '999999D999'), to_char(1::bigint, '9.99EEEE'), to_char(-12345::int, '9.9EEEE'), to_char(9223372036854775807, 'FM9999999999999999999'), to_char(4000, 'RN'), to_char(0, 'RN'), to_char(1994, 'rn'), to_char(1, ''), to_char(NULL::int, '9');
SELECT to_char(1, '9TH'), to_char(2, '9th'), to_char(13, '99th'), to_char(-1, '9th'), to_char(1.5, '9.9th'), to_char(7, 'B9'), to_char(0, 'B9'), to_char(1234567.891, 'FM9G999G999D00'), to_char(-0.5, '90.9'), to_char(-0.5, '99.9'), to_char(0.5, 'S99.9'), to_char(5, 'FM0009'), to_char(5, '0009'), to_char(-5, 'S0009'), to_char(5, E'\\"9\\"'), to_char(5, 'x9y'), to_char(5, '9é');
SELECT to_char(1, '9.9.9');
SELECT to_char(1, '9V9.9');
SELECT to_char(1, 'SS9');
SELECT to_char(1, 'S9MI');
SELECT to_char(1, 'S9PL');
SELECT to_char(1, 'S9SG');
SELECT to_char(1, '9PRS');
SELECT to_char(1, 'S9PR');
SELECT to_char(1, '9PR9');
SELECT to_char(1, '9EEEE9');
SELECT to_char(1, 'FM9EEEE');
SELECT to_char(1, '9EEEEEEEE');
SELECT to_char(10000000000, 'RN');

-- to_number
SELECT to_number('-34,338,492', '99G999G999'), to_number('-34,338,492.654,878', '99G999G999D999G999'), to_number('<564646.654564>', '999999.999999PR'), to_number('0.00001-', '9.999999S'), to_number('5.01-', 'FM9.999999S'), to_number('5.01-', 'FM9.999999MI'), to_number('5 4 4 4 4 8 . 7 8', '9 9 9 9 9 9 . 9 9'), to_number('.01', 'FM9.99'), to_number('.0', '99999999.99999999'), to_number('0', '99.99'), to_number('.-01', 'S99.99'), to_number('.01-', '99.99S'), to_number(' . 0 1-', ' 9 9 . 9 9 S'), to_number('34,50', '999,99'), to_number('123,000', '999G'), to_number('123456', '999G999'), to_number('$1234.56', 'L9,999.99'), to_number('$1,234.56', 'L99,999.99'), to_number('42nd', '99th'), to_number('123456', '99999V99');
SELECT to_number('12,454.8-', '99G999D9S'), to_number('123', ''), to_number('1', 'x9'), to_number('+5', 'SG9'), to_number('-5', 'MI9');
SELECT to_number('', '999');
SELECT to_number('abc', '999');
SELECT to_number('12345', '999');
SELECT to_number('1e5', '9EEEE');
SELECT to_number('IV', 'RN');

-- to_date and to_timestamp
SELECT to_date('05 Dec 2000', 'DD Mon YYYY'), to_date('20000-1131', 'YYYY-MMDD'), to_date('20000Nov31'::text, 'YYYYMonDD') IS NULL;
SELECT to_date('2011-13-01', 'YYYY-MM-DD');
SELECT to_date('2011-02-30', 'YYYY-MM-DD');
SELECT to_timestamp('0097/Feb/16 --> 08:14:30', 'YYYY/Mon/DD --> HH:MI:SS'), to_timestamp('97/2/16 8:14:30', 'FMYYYY/FMMM/FMDD FMHH:FMMI:FMSS'), to_timestamp('2011$03!18 23_38_15', 'YYYY-MM-DD HH24:MI:SS'), to_timestamp('1985 January 12', 'YYYY FMMonth DD'), to_timestamp('My birthday-> Year: 1976, Month: May, Day: 16', '"My birthday-> Year:" YYYY, "Month:" FMMonth, "Day:" DD'), to_timestamp('1,582nd VIII 21', 'Y,YYYth FMRM DD'), to_timestamp('15 "text between quote marks" 98 54 45', E'HH24 "\\"text between quote marks\\"" YY MI SS'), to_timestamp('05121445482000', 'MMDDHH24MISSYYYY'), to_timestamp('2000January09Sunday', 'YYYYFMMonthDDFMDay');
SELECT to_timestamp('97/Feb/16', 'YYMonDD');
SELECT to_timestamp('97/Feb/16', 'YY:Mon:DD'), to_timestamp('97/Feb/16', 'FXYY:Mon:DD'), to_timestamp('97/Feb/16', 'FXYY/Mon/DD'), to_timestamp('19971116', 'YYYYMMDD'), to_timestamp('20000-1116', 'YYYY-MMDD'), to_timestamp('1997 AD 11 16', 'YYYY BC MM DD'), to_timestamp('1997 BC 11 16', 'YYYY BC MM DD'), to_timestamp('1997 B.C. 11 16', 'YYYY B.C. MM DD'), to_timestamp('9-1116', 'Y-MMDD'), to_timestamp('95-1116', 'YY-MMDD'), to_timestamp('995-1116', 'YYY-MMDD');
SELECT to_timestamp('2005426', 'YYYYWWD'), to_timestamp('2005300', 'YYYYDDD'), to_timestamp('2005527', 'IYYYIWID'), to_timestamp('005527', 'IYYIWID'), to_timestamp('05527', 'IYIWID'), to_timestamp('5527', 'IIWID'), to_timestamp('2005364', 'IYYYIDDD'), to_timestamp('20050302', 'YYYYMMDD'), to_timestamp('2005 03 02', 'YYYYMMDD'), to_timestamp(' 2005 03 02', 'YYYYMMDD'), to_timestamp('  20050302', 'YYYYMMDD');
SELECT to_timestamp('2011-12-18 11:38 AM', 'YYYY-MM-DD HH12:MI PM'), to_timestamp('2011-12-18 11:38 PM', 'YYYY-MM-DD HH12:MI PM'), to_timestamp('2011-12-18 11:38 A.M.', 'YYYY-MM-DD HH12:MI P.M.'), to_timestamp('2011-12-18 11:38 +05', 'YYYY-MM-DD HH12:MI TZH'), to_timestamp('2011-12-18 11:38 -05', 'YYYY-MM-DD HH12:MI TZH'), to_timestamp('2011-12-18 11:38 +05:20', 'YYYY-MM-DD HH12:MI TZH:TZM'), to_timestamp('2011-12-18 11:38 20', 'YYYY-MM-DD HH12:MI TZM'), to_timestamp('2018-11-02 12:34:56.025', 'YYYY-MM-DD HH24:MI:SS.MS'), to_timestamp('2018-11-02 12:34:56.123456', 'YYYY-MM-DD HH24:MI:SS.FF2'), to_timestamp('2018-11-02 12:34:56.12', 'YYYY-MM-DD HH24:MI:SS.FF6');
SELECT to_timestamp('2011-12-18 11:38 PST', 'YYYY-MM-DD HH12:MI TZ');
SELECT to_timestamp('2011-12-18 13:38 AM', 'YYYY-MM-DD HH12:MI PM');
SELECT to_timestamp('2005527', 'YYYYIWID');
SELECT to_timestamp('19971', 'YYYYMMDD');
SELECT to_timestamp('19971)24', 'YYYYMMDD');
SELECT to_timestamp('Friday 1-January-1999', 'DY DD MON YYYY');
SELECT to_timestamp('Fri 1-January-1999', 'DY DD MON YYYY');
SELECT to_timestamp('1997-11-Jan-16', 'YYYY-MM-Mon-DD');
SELECT to_timestamp('199711xy', 'YYYYMMDD');
SELECT to_timestamp('10000000000', 'FMYYYY');
SELECT to_timestamp('2016-06-13 25:00:00', 'YYYY-MM-DD HH24:MI:SS');
SELECT to_timestamp('2016-06-13 15:60:00', 'YYYY-MM-DD HH24:MI:SS');
SELECT to_timestamp('2015-02-11 86400', 'YYYY-MM-DD SSSS');
SELECT to_timestamp('2015-02-11 86399', 'YYYY-MM-DD SSSSS');
SELECT to_date('2458872', 'J'), to_date('44-02-01 BC', 'YYYY-MM-DD BC'), to_date('2016 365', 'YYYY DDD'), to_date('2 1 4902', 'Q MM YYYY'), to_date('3 4 21 01', 'W MM CC YY'), to_date('1 4 1902', 'Q MM YYYY'), to_date('', 'YYYY'), to_date('2011', '') ;
SELECT to_date('2015 366', 'YYYY DDD');
SELECT to_date('366', 'DDD');
SELECT to_date('100000000', 'CC');
SELECT to_char(timestamptz '2012-12-12 12:00 America/New_York', 'YYYY TZ tz OF TZH');
SET TimeZone = 'America/New_York';
SELECT to_char(timestamptz '2012-12-12 12:00', 'YYYY-MM-DD HH:MI:SS TZ tz OF TZH:TZM'), to_char(timestamptz '2012-07-12 12:00', 'TZ'), to_timestamp('2012-07-12 12:00', 'YYYY-MM-DD HH24:MI');
RESET TimeZone;

-- datetime() of paths with a template
SELECT jsonb_path_query('"10-03-2017"', '$.datetime("dd-mm-yyyy")'), jsonb_path_query('"10-03-2017 12:34"', '$.datetime("dd-mm-yyyy HH24:MI")'), jsonb_path_query('"10-03-2017 12:34 +05:20"', '$.datetime("dd-mm-yyyy HH24:MI TZH:TZM")'), jsonb_path_query('"12:34:56"', '$.datetime("HH24:MI:SS").type()'), jsonb_path_query('"12:34 -05"', '$.datetime("HH24:MI TZH")'), jsonb_path_query('"2017-03-10 12:34:56 +3"', '$.datetime()', '{}', true);
SELECT jsonb_path_query('"10-03-2017"', '$.datetime("dd/mm/yyyy")');
SELECT jsonb_path_query('"10-03-2017 12:34"', '$.datetime("dd-mm-yyyy")');
SELECT jsonb_path_query('"10-03"', '$.datetime("dd-mm-yyyy")');
SELECT jsonb_path_query('"bogus"', '$.datetime("a")');
SELECT array_position('{7}'::int[], NULL, NULL), array_position('{}'::int[], 1, NULL);
SELECT array_position('{7,NULL}'::int[], NULL, NULL);
SELECT array_position('{7}'::int[], 7, NULL);
SELECT '-Infinity'::numeric ^ (-57.5);
SELECT '-Infinity'::numeric ^ (-57), '-Infinity'::numeric ^ 57, '-Infinity'::numeric ^ '-Infinity'::numeric, 'Infinity'::numeric ^ (-0.5);
SELECT regexp_replace('a***:a', '***:a', 'x', 'q'), regexp_replace('hello bar', '***:a', '\\', 'q'), 'a.c' ~ '***=a.c';
