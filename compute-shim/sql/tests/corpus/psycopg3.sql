--@ connect
--@ query	1	equal
BEGIN
--@ query	2	equal
SELECT 1
--@ parse		21,0,0
SELECT $1::int, $2::text, $3::numeric
--@ execute	3	equal		0	\x0001	a	\N
--@ query	4	equal
COMMIT
--@ query	5	equal
BEGIN
--@ parse		21,21,0
INSERT INTO line (a,b,note) VALUES ($1,$2,$3)
--@ execute	6	equal		0	\x0001	\x0002	x
--@ query	7	equal
COMMIT
--@ query	8	equal
BEGIN
--@ parse		21
SELECT * FROM line WHERE a = $1
--@ execute	9	equal		0	\x0001
--@ parse		21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	10	equal		0	\x0001	\x0000
--@ parse		21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	11	equal		0	\x0001	\x0001
--@ parse		21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	12	equal		0	\x0001	\x0002
--@ parse		21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	13	equal		0	\x0001	\x0003
--@ parse		21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	14	equal		0	\x0001	\x0004
--@ parse	_pg3_0	21,21
SELECT note FROM line WHERE a = $1 AND b = $2
--@ execute	15	equal	_pg3_0	0	\x0001	\x0005
--@ execute	16	equal	_pg3_0	0	\x0001	\x0006
--@ query	17	equal
COPY line (a,b,note) FROM STDIN
--@ copy	5\t6\tc\n
--@ parse	_pg3_1	21,21,0
INSERT INTO line (a,b,note) VALUES ($1,$2,$3)
--@ execute	18	equal	_pg3_1	0	\x0007	\x0008	y
--@ execute	19	equal	_pg3_1	0	\x0009	\x000a	\N
--@ parse		
SELECT * FROM line ORDER BY a
--@ execute	20	equal		1
--@ query	21	equal
DELETE FROM line
--@ query	22	equal
COMMIT
--@ query	23	equal
BEGIN
--@ parse		0
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid

--@ execute	24	any		0	int4
--@ query	25	equal
COMMIT
--@ connect
--@ query	26	equal
SELECT b FROM line WHERE a = 3
