--@ connect
--@ query	1	equal
BEGIN
--@ query	2	equal
SELECT 1
--@ query	3	equal
SELECT 1, 'a''b', NULL
--@ query	4	equal
COMMIT
--@ query	5	equal
BEGIN
--@ query	6	equal
INSERT INTO line (a,b,note) VALUES (1,2,'x')
--@ query	7	equal
SELECT * FROM line WHERE note = ANY(ARRAY['x','y'])
--@ query	8	equal
ROLLBACK
--@ query	9	equal
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
--@ query	10	equal
SELECT count(*) FROM line
--@ query	11	equal
COMMIT
--@ connect
--@ query	12	any
SHOW server_version
