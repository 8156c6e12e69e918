--@ connect
--@ query	1	equal
BEGIN
--@ query	2	any
select pg_catalog.version()
--@ query	3	equal
select current_schema()
--@ query	4	equal
show transaction isolation level
--@ query	5	equal
show standard_conforming_strings
--@ query	6	equal
SAVEPOINT "_pg3_1"
--@ parse		0
SELECT
    typname AS name, oid, typarray AS array_oid,
    oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t
WHERE t.oid = to_regtype($1)
ORDER BY t.oid

--@ execute	7	any		0	hstore
--@ query	8	equal
RELEASE "_pg3_1"
--@ query	9	equal
ROLLBACK
--@ query	10	equal
BEGIN
--@ parse		0,0,0,0,0,0,0
SELECT pg_catalog.pg_class.relname 
FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace 
WHERE pg_catalog.pg_class.relname IN ($1::VARCHAR) AND pg_catalog.pg_class.relkind = ANY (ARRAY[$2::VARCHAR, $3::VARCHAR, $4::VARCHAR, $5::VARCHAR, $6::VARCHAR]) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != $7::VARCHAR
--@ execute	11	equal		0	item_nested	r	p	f	v	m	pg_catalog
--@ query	12	equal

CREATE TABLE item_nested (
	id SERIAL NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
)


--@ query	13	equal
COMMIT
--@ query	14	equal
BEGIN
--@ parse		0
INSERT INTO item_nested (name) VALUES ($1::VARCHAR) RETURNING item_nested.id
--@ execute	15	equal		0	first
--@ query	16	equal
SAVEPOINT sa_savepoint_1
--@ parse		0
INSERT INTO item_nested (name) VALUES ($1::VARCHAR) RETURNING item_nested.id
--@ execute	17	equal		0	lost
--@ query	18	equal
ROLLBACK TO SAVEPOINT sa_savepoint_1
--@ query	19	equal
SAVEPOINT sa_savepoint_2
--@ parse		0
INSERT INTO item_nested (name) VALUES ($1::VARCHAR) RETURNING item_nested.id
--@ execute	20	equal		0	second
--@ query	21	equal
RELEASE SAVEPOINT sa_savepoint_2
--@ query	22	equal
COMMIT
--@ query	23	equal
BEGIN
--@ query	24	equal
SELECT item_nested.name 
FROM item_nested ORDER BY item_nested.id
--@ query	25	equal
ROLLBACK
--@ query	26	equal
BEGIN
--@ query	27	equal
SAVEPOINT sa_savepoint_1
--@ parse		0,21
UPDATE item_nested SET name=$1::VARCHAR WHERE item_nested.id = $2::INTEGER
--@ execute	28	equal		0	gone	\x0001
--@ query	29	equal
ROLLBACK TO SAVEPOINT sa_savepoint_1
--@ parse		21
SELECT item_nested.name 
FROM item_nested 
WHERE item_nested.id = $1::INTEGER
--@ execute	30	equal		0	\x0001
--@ query	31	equal
COMMIT
