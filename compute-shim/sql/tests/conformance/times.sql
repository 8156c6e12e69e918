-- time, time with time zone, and the rest of the date/time chapter.

-- Input
SELECT time '04:05:06', time '04:05:06.789', time '04:05', time '040506', time '0405', time '04:05 AM', time '04:05 PM', time 'allballs';
SELECT time '12:30 am', time '12:30 pm', time '24:00:00', time '23:59:60', time '00:00:60', time '23:59:59.9999999';
SELECT time '04:05:06.789-8', time '04:05:06-08:00', time '04:05-08:00', time '040506-08', time '040506.789', time 'T040506', time 't04:05';
SELECT timetz '04:05:06.789-8', timetz '04:05:06-08:00', timetz '04:05-08:00', timetz '040506+0730', timetz '040506+07:30:00', timetz '04:05:06 PST', timetz '2003-04-12 04:05:06 America/New_York';
SELECT timetz '04:05:06', timetz '04:05:06 UTC', timetz '04:05:06z', timetz '2003-12-12 04:05:06 America/New_York', timetz 'allballs', timetz '04:05:06+07:30:30';
SELECT time '2003-04-12 04:05:06', time ' 04:05 ', time '4:5:6', time '04:05:06 PM', time '1:02:03.5';
SELECT time '25:00';
SELECT time '24:00:00.01';
SELECT time '24:01:00';
SELECT time '12:60';
SELECT time '12:30:61';
SELECT time '13:30 PM';
SELECT time '';
SELECT time '04';
SELECT time 'bogus';
SELECT time 'epoch';
SELECT time 'infinity';
SELECT time 'today';
SELECT time '12:34 January';
SELECT time '12:34:56:78';
SELECT time '2003-04-12';
SELECT timetz '04:05:06 America/New_York';
SELECT timetz '04:05:06 Nowhere/City';
SELECT timetz '04:05:06+17';
SELECT timetz '24:00:01+00';
SELECT timetz 'x';
SELECT time(3) '04:05:06.7895', time(0) '23:59:59.5', timetz(2) '04:05:06.789+02', '04:05:06.789'::time(1), time(6) '01:02:03.123456';
SELECT '04:05:06.789'::time(-1);
SELECT '04:05:06.789'::time with time zone;
SELECT '04:05:06.789'::time(2) with time zone, '04:05:06.789'::time(2) without time zone;
SELECT time(7) '04:05:06.7895';
SELECT pg_typeof(time '1:00'), pg_typeof(timetz '1:00'), format_type('time'::regtype, 3), format_type('timetz'::regtype, 3), 'time with time zone'::regtype, 'time[]'::regtype;

-- Arithmetic
SELECT time '01:00' + interval '3 hours', time '23:00' + interval '3 hours', time '01:00' - interval '3 hours', interval '1 day 2 hours' + time '10:00', time '05:00' - time '03:00', time '03:00' - time '05:00';
SELECT timetz '23:00+02' + interval '3 hours', timetz '01:00-05' - interval '3 hours', interval '90 minutes' + timetz '10:00+05:30';
SELECT date '2001-09-28' + time '03:00', time '03:00' + date '2001-09-28', date '2001-09-28' + timetz '03:00+02', timetz '03:00-02' + date '2001-09-28';
SELECT date 'infinity' + time '03:00', date '-infinity' + timetz '03:00+02';
SELECT date '5874897-12-31' + time '03:00';
SELECT date '5874897-12-31' + timetz '03:00+00';
SELECT time '01:00' + time '02:00';
SELECT timetz '01:00+00' - timetz '02:00+00';
SELECT time '24:00:00' + interval '1 second', time '24:00:00' + interval '0', time '00:00' - interval '1 microsecond';
SELECT time '10:00' * 2;

-- Order
SELECT time '10:00' < time '11:00', time '10:00' = time '10:00:00', timetz '10:00+01' < timetz '10:00+00', timetz '10:00+00' = timetz '11:00+01', timetz '10:00+00' < timetz '11:00+01', timetz '10:00+00' > timetz '11:00+01';
CREATE TABLE clock (id int PRIMARY KEY, t time, z timetz, p time(2) NOT NULL DEFAULT '01:02:03.456');
CREATE INDEX ON clock (t);
CREATE UNIQUE INDEX ON clock (z DESC, t);
INSERT INTO clock (id, t, z) VALUES (1, '10:00', '10:00+00'), (2, '09:00', '10:00+01'), (3, '24:00', '10:00-01'), (4, NULL, NULL), (5, '10:00', '11:00+01'), (6, '00:00', '23:00-10'), (7, '10:00:00.000001', '01:00+14');
INSERT INTO clock (id, t, z) VALUES (8, '10:00', '10:00+00');
SELECT * FROM clock ORDER BY t, id;
SELECT id, z FROM clock ORDER BY z, id;
SELECT id FROM clock WHERE t >= '10:00' AND t < '24:00' ORDER BY id;
SELECT id FROM clock WHERE z = '10:00+00' ORDER BY id;
SELECT id FROM clock WHERE z > '10:00+00' ORDER BY z;
SELECT t, count(*) FROM clock GROUP BY t ORDER BY t;
SELECT min(t), max(t), min(z), max(z), count(DISTINCT z) FROM clock;
SELECT array_agg(t ORDER BY t) FROM clock;
UPDATE clock SET t = t + interval '15 minutes', z = z + interval '1 hour' WHERE id IN (1, 3) RETURNING *;
SELECT a.id, b.id FROM clock a JOIN clock b ON a.t = b.t AND a.id < b.id ORDER BY 1, 2;
SELECT id, count(*) OVER (ORDER BY t RANGE BETWEEN interval '30 minutes' PRECEDING AND interval '1 hour' FOLLOWING) FROM clock WHERE t IS NOT NULL ORDER BY t, id;
SELECT id, count(*) OVER (ORDER BY z RANGE BETWEEN interval '1 hour' PRECEDING AND CURRENT ROW) FROM clock WHERE z IS NOT NULL ORDER BY z, id;
DROP TABLE clock;

-- Casts
SELECT time '10:30'::interval, interval '25:30:00'::time, interval '-1 hour'::time, interval '1 mon 2 days 3 hours'::time, timetz '10:30+02'::time, time '10:30'::timetz;
SELECT timestamp '2001-02-16 20:38:40.12'::time, timestamptz '2001-02-16 20:38:40+05'::time, timestamptz '2001-02-16 20:38:40+05'::timetz, timestamp 'infinity'::time, timestamptz '-infinity'::timetz;
SELECT time '10:30'::text, timetz '10:30+02'::varchar, '10:30'::text::time, '10:30+02'::varchar::timetz;
SELECT time '10:30'::timestamp;
SELECT time '10:30'::int;
SELECT timetz '10:30+02'::interval;
SELECT "time"(timestamp '2001-02-16 20:38:40'), "interval"(time '01:02'), "timestamp"(date '2001-02-03', time '04:05'), timestamptz(date '2001-02-03', time '04:05'), timestamptz(date '2001-02-03', timetz '04:05+03');
SELECT ARRAY[time '01:00', '02:00']::timetz[], '{01:02:03,04:05}'::time[], ARRAY['10:00+01'::timetz];

-- Fields
SELECT extract(hour FROM time '13:45:56.789'), extract(minute FROM time '13:45:56.789'), extract(second FROM time '13:45:56.789'), extract(millisecond FROM time '13:45:56.789'), extract(microseconds FROM time '13:45:56.789'), extract(epoch FROM time '13:45:56.789');
SELECT extract(hour FROM timetz '13:45:56.789-03:30'), extract(timezone FROM timetz '13:45:56.789-03:30'), extract(timezone_hour FROM timetz '13:45:56.789-03:30'), extract(timezone_minute FROM timetz '13:45:56.789-03:30'), extract(epoch FROM timetz '13:45:56.789-03:30');
SELECT date_part('hour', time '13:45:56.789'), date_part('second', timetz '13:45:56.789+01'), date_part('epoch', timetz '13:45:56.789+01'), date_part('milliseconds', time '13:45:56.789');
SELECT extract(day FROM time '13:45');
SELECT extract(timezone FROM time '13:45');
SELECT extract(fortnight FROM time '13:45');
SELECT extract(dow FROM timetz '13:45+00');
SELECT extract(now FROM timetz '13:45+00');
SELECT date_part('century', time '13:45');
SELECT date_trunc('hour', time '13:45:56.789'), date_trunc('minute', time '13:45:56.789');
SELECT date_trunc('hour', timetz '13:45:56.789+00');

-- Zones
SELECT timetz '10:00+02' AT TIME ZONE 'UTC', timetz '10:00+02' AT TIME ZONE interval '-05:00', timetz '23:00-05' AT TIME ZONE '+02', timetz '01:00+05' AT TIME ZONE 'EST', time '10:00' AT TIME ZONE 'EST', time '10:00' AT TIME ZONE interval '03:30';
SELECT timetz '10:00+02' AT TIME ZONE 'nowhere';
SELECT timetz '10:00+02' AT TIME ZONE interval '1 day';
SET TimeZone = 'Asia/Kolkata';
SELECT time '10:00'::timetz, timetz '10:00', timestamptz '2001-02-16 20:38:40+00'::timetz, timestamptz '2001-02-16 20:38:40+00'::time, time '10:00' AT TIME ZONE 'UTC', timestamptz(date '2001-02-03', time '04:05');
RESET TimeZone;

-- Now
SELECT current_time = now()::timetz, localtime = now()::time, current_time(0) = now()::timetz(0), localtime(2) = now()::time(2), current_timestamp(1) = now()::timestamptz(1), localtimestamp(3) = now()::timestamp(3);
SELECT pg_typeof(current_time), pg_typeof(current_time(2)), pg_typeof(localtime), pg_typeof(localtime(1)), pg_typeof(current_timestamp(2)), pg_typeof(localtimestamp);
SELECT 1 AS one WHERE localtime < time '24:00:00';
SELECT transaction_timestamp() = now(), statement_timestamp() >= now(), clock_timestamp() >= statement_timestamp(), timeofday() LIKE '___ ___ __ __:__:__.______ ____ UTC';

-- Making
SELECT make_time(8, 15, 23.5), make_time(0, 0, 0), make_time(24, 0, 0), make_time(23, 59, 60), make_date(2013, 7, 15), make_timestamp(2013, 7, 15, 8, 15, 23.5), make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'America/New_York');
SELECT make_time(24, 0, 2.1);
SELECT make_time(8, 60, 1);
SELECT make_time(-1, 0, 0);
SELECT make_time(8, 0, 'nan');
SELECT make_timestamptz(2013, 7, 15, 8, 15, 23.5, '+02'), make_timestamptz(2013, 7, 15, 8, 15, 23.5, '-03:30'), make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'EST');
SELECT make_timestamptz(2013, 7, 15, 8, 15, 23.5, '+25');
SELECT make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'Nowhere/City');

-- OVERLAPS
SELECT (date '2001-02-16', date '2001-12-21') OVERLAPS (date '2001-10-30', date '2002-10-30'), (date '2001-02-16', interval '100 days') OVERLAPS (date '2001-10-30', date '2002-10-30'), (date '2001-10-29', date '2001-10-30') OVERLAPS (date '2001-10-30', date '2001-10-31'), (date '2001-10-30', date '2001-10-30') OVERLAPS (date '2001-10-30', date '2001-10-31');
SELECT (time '10:00', time '12:00') OVERLAPS (time '11:00', time '13:00'), (time '10:00', interval '1 hour') OVERLAPS (time '11:00', interval '1 hour'), (time '13:00', time '10:00') OVERLAPS (time '11:00', time '11:30'), (timetz '10:00+00', timetz '11:00+00') OVERLAPS (timetz '10:30+01', timetz '12:30+01');
SELECT (time '10:00', NULL) OVERLAPS (time '10:00', time '13:00'), (NULL::time, NULL::time) OVERLAPS (time '10:00', time '13:00'), (time '09:00', NULL) OVERLAPS (time '10:00', time '13:00'), (time '11:00', NULL) OVERLAPS (time '10:00', time '13:00'), (NULL, time '14:00') OVERLAPS (time '10:00', time '13:00');
SELECT (timestamp '2000-01-01', timestamp '2000-01-02') OVERLAPS (timestamp '2000-01-01 12:00', interval '1 hour'), (timestamptz '2000-01-01', interval '1 hour') OVERLAPS (timestamptz '2000-01-01 12:00', timestamptz '2000-01-03');
SELECT (1, 2) OVERLAPS (3, 4);

-- The extended protocol, text and binary
SELECT $1::time, $2::timetz;
\bind 10:11:12.5 | 10:11:12+05:30
SELECT pg_typeof($1), $1 + interval '1 hour' FROM (SELECT $1::time) q;
\bind 23:30
-- Zones of letters and digits, midnight by its name, days by theirs.
SELECT timestamptz '2023-03-12 02:30:00 PST8PDT', timestamptz '2023-01-01 12:00 UTC+3', timestamp '1999-01-08 12:00 PST8PDT', timestamptz '2023-01-01 040506-08';
SELECT timestamp '2024-02-29 allballs', timestamptz '2024-02-29 allballs', timestamp 'today 12:30' - timestamp 'today', timestamp 'tomorrow' - timestamp 'yesterday 06:00';
SELECT timestamptz 'infinity CEST', timestamp '-infinity 04:05:06', timestamp 'epoch 04:05', timestamptz 'epoch UTC', date 'infinity 12:00';
SELECT timestamptz '294277-01-01 +05:45:10', timestamptz '294277-01-01 Asia/Kolkata';
SELECT timestamptz '294276-12-31 23:59:59 -01';
SELECT timestamp 'now 12:00';
SELECT timestamp 'today 2024-01-01';
SELECT timestamptz '2024-01-01 allballs +02';
SELECT timestamptz '2024-01-01 12:00 nowhere/at_all';
SELECT timestamptz '2024-01-01 12:00 nowhere9';
SELECT timestamptz '2024-01-01 12:00 nowhere';
SELECT timestamp '-infinityT12:00';
SELECT timestamptz '-71010';
SELECT time '-39.25 days';
SELECT timestamp '0.49999999999999999999';
SELECT timestamp '0';
SELECT timestamp '13';
SELECT timestamp '12';
SELECT time '12:00 PST8PDT';
SELECT timetz '12:00 Etc/GMT-3';
SELECT timetz '2024-07-01 12:00 America/New_York', time '12:00 UTC+3';
-- The other form of ISO 8601, and dates that are no intervals.
SELECT interval 'P0001-02-03T04:05:06', interval 'P0001-02-03', interval 'PT04:05:06.5', interval 'P00010203T040506', interval 'P1Y-2M3DT-4H', interval 'P1DT01:02';
SELECT interval 'P0001-02-03-04';
SELECT interval '2004-12-22';
SELECT interval '2004-11-22';
SELECT interval '1996-12-18 22:13:35 Asia/Kolkata';
SELECT timestamp 'epoch allballs';
SELECT timestamp 'infinity today' = 'today', timestamp 'today infinity';
