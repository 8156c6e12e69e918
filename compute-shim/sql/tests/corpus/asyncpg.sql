--@ connect	client_encoding='utf-8'
--@ parse	__asyncpg_stmt_1__	
SELECT 1 AS a
--@ execute	1	equal	__asyncpg_stmt_1__	1
--@ parse	__asyncpg_stmt_2__	
SELECT $1::text || $2
--@ execute	2	equal	__asyncpg_stmt_2__	1	\x61	\x62
--@ query	3	equal
BEGIN;
--@ parse	__asyncpg_stmt_3__	
INSERT INTO line (a,b,note) VALUES ($1,$2,$3)
--@ execute	4	equal	__asyncpg_stmt_3__	1	\x0000000000000001	\x00000002	\x78
--@ execute	5	equal	__asyncpg_stmt_3__	1	\x0000000000000003	\x00000004	\x79
--@ execute	6	equal	__asyncpg_stmt_3__	1	\x0000000000000005	\x00000006	\N
--@ query	7	equal
COMMIT;
--@ parse	__asyncpg_stmt_4__	
SELECT * FROM line ORDER BY a
--@ execute	8	equal	__asyncpg_stmt_4__	1
--@ parse	__asyncpg_stmt_5__	
SELECT id, name, code, balance, active FROM customer WHERE id = $1
--@ execute	9	equal	__asyncpg_stmt_5__	1	\x00000001
--@ query	10	equal
DELETE FROM line
--@ query	11	refused
SELECT pg_advisory_unlock_all();
CLOSE ALL;
UNLISTEN *;
RESET ALL;
--@ parse	__asyncpg_stmt_6__	
SELECT count(*) FROM line
--@ execute	12	equal	__asyncpg_stmt_6__	1
--@ query	13	refused
SELECT pg_advisory_unlock_all();
CLOSE ALL;
UNLISTEN *;
RESET ALL;
