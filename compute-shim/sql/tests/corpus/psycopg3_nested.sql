--@ connect
--@ query	1	equal
BEGIN
--@ query	2	equal
CREATE TABLE nested (id int PRIMARY KEY, v text)
--@ query	3	equal
SAVEPOINT "_pg3_1"
--@ parse		21,0
INSERT INTO nested VALUES ($1, $2)
--@ execute	4	equal		0	\x0001	outer
--@ query	5	equal
SAVEPOINT "_pg3_2"
--@ parse		21,0
INSERT INTO nested VALUES ($1, $2)
--@ execute	6	equal		0	\x0002	inner
--@ query	7	equal
ROLLBACK TO "_pg3_2"
--@ query	8	equal
RELEASE "_pg3_2"
--@ query	9	equal
SAVEPOINT "named"
--@ parse		21,0
INSERT INTO nested VALUES ($1, $2)
--@ execute	10	equal		0	\x0003	named
--@ query	11	equal
SAVEPOINT "deeper"
--@ parse	_pg3_0	0,21
UPDATE nested SET v = $1 WHERE id = $2
--@ execute	12	equal	_pg3_0	0	deeper	\x0003
--@ query	13	equal
ROLLBACK TO "deeper"
--@ query	14	equal
RELEASE "deeper"
--@ query	15	equal
DEALLOCATE ALL
--@ query	16	equal
RELEASE "named"
--@ query	17	equal
RELEASE "_pg3_1"
--@ query	18	equal
SELECT * FROM nested ORDER BY id
--@ query	19	equal
COMMIT
--@ query	20	equal
BEGIN
--@ query	21	equal
DELETE FROM nested
--@ query	22	equal
ROLLBACK
--@ connect
--@ query	23	equal
BEGIN
--@ parse		
SAVEPOINT p
--@ execute	24	equal		0
--@ parse		21,0
INSERT INTO nested VALUES ($1, $2)
--@ execute	25	equal		0	\x0004	pipeline
--@ parse		
ROLLBACK TO p
--@ execute	26	equal		0
--@ parse		
RELEASE p
--@ execute	27	equal		0
--@ query	28	equal
COMMIT
--@ query	29	equal
SELECT count(*) FROM nested
