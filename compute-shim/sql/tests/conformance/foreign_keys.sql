-- FOREIGN KEY: making and dropping them, checks, actions, and what others do meanwhile.
CREATE TABLE nokey (a int, b int);
CREATE TABLE p (id int PRIMARY KEY, u text UNIQUE, x int, y int, UNIQUE (x, y));
CREATE TABLE bad (a int REFERENCES nope);
CREATE TABLE bad (a int REFERENCES nokey);
CREATE TABLE bad (a int REFERENCES p (nope));
CREATE TABLE bad (a int REFERENCES p (x));
CREATE TABLE bad (a int, FOREIGN KEY (nope) REFERENCES p);
CREATE TABLE bad (a int, b int, FOREIGN KEY (a, b) REFERENCES p);
CREATE TABLE bad (a int, b int, FOREIGN KEY (a, b) REFERENCES p (id));
CREATE TABLE bad (a text REFERENCES p);
CREATE TABLE bad (a numeric REFERENCES p);
CREATE TABLE bad (a int REFERENCES p ON DELETE CASCADE ON DELETE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, big bigint REFERENCES p (id), pu text REFERENCES p (u) ON UPDATE CASCADE ON DELETE SET NULL, CONSTRAINT named FOREIGN KEY (id) REFERENCES p ON DELETE RESTRICT);
INSERT INTO c VALUES (1, 9, NULL, NULL);
INSERT INTO p VALUES (1, 'one', 1, 1), (2, 'two', 2, 2), (3, 'three', 3, 3), (4, NULL, NULL, 4);
INSERT INTO c VALUES (1, 9, NULL, NULL);
INSERT INTO c VALUES (1, 1, 9, NULL);
INSERT INTO c VALUES (1, 1, 1, 'nine');
INSERT INTO c VALUES (9, 1, 1, 'one');
INSERT INTO c VALUES (1, 2, 2, 'one'), (2, NULL, NULL, NULL), (3, 1, 1, 'two');
INSERT INTO c SELECT 4, 4, 44, NULL;
UPDATE c SET p = 8 WHERE id = 2;
UPDATE c SET p = 3 WHERE id = 2;
UPDATE c SET p = p, big = big;
UPDATE c SET id = 7 WHERE id = 1;
DELETE FROM p WHERE id = 1;
DELETE FROM p WHERE id = 4;
DELETE FROM p WHERE id = 2;
UPDATE p SET id = 11 WHERE id = 1;
UPDATE p SET x = 50 WHERE id = 1;
UPDATE p SET u = 'uno' WHERE id = 1;
SELECT * FROM c ORDER BY id;
INSERT INTO c VALUES (1, 77, NULL, NULL) ON CONFLICT (id) DO UPDATE SET p = excluded.p;
INSERT INTO c VALUES (1, 3, NULL, NULL) ON CONFLICT (id) DO UPDATE SET p = excluded.p RETURNING *;
INSERT INTO c VALUES (1, 77, NULL, NULL) ON CONFLICT DO NOTHING;
-- By parameters.
UPDATE c SET p = $1 WHERE id = $2;
\bind 99 | 2
\bind 2 | 2
\bind \N | 2
-- COPY.
COPY c FROM STDIN;
4	1	\N	\N
5	6	\N	\N
\.
COPY c FROM STDIN;
\.
-- Actions.
CREATE TABLE par (id int PRIMARY KEY, k int UNIQUE);
CREATE TABLE casc (id int PRIMARY KEY, r int REFERENCES par ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE grand (id int, r int REFERENCES casc ON DELETE CASCADE ON UPDATE SET NULL);
CREATE TABLE nul (id int, r int REFERENCES par ON DELETE SET NULL ON UPDATE SET NULL, CHECK (id < 90 OR r IS NOT NULL));
CREATE TABLE def (id int, r int DEFAULT 1 REFERENCES par ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
INSERT INTO par SELECT g, g * 10 FROM generate_series(1, 6) g;
INSERT INTO casc VALUES (10, 2), (11, 2), (12, 3), (13, NULL);
INSERT INTO grand VALUES (100, 10), (101, 11), (102, 12);
INSERT INTO nul VALUES (1, 2), (2, 4), (3, 4), (95, 5);
INSERT INTO def VALUES (1, 3), (2, 1), (3, 4);
DELETE FROM par WHERE id = 2;
SELECT * FROM casc ORDER BY id;
SELECT * FROM grand ORDER BY id;
SELECT * FROM nul ORDER BY id;
UPDATE par SET id = 33 WHERE id = 3;
SELECT * FROM casc ORDER BY id;
SELECT * FROM def ORDER BY id;
UPDATE casc SET id = 120 WHERE id = 12;
SELECT * FROM grand ORDER BY id;
DELETE FROM par WHERE id = 4;
SELECT * FROM nul ORDER BY id;
DELETE FROM par WHERE id = 5;
DELETE FROM par WHERE id = 1;
DELETE FROM par WHERE id IN (1, 6) RETURNING id;
DELETE FROM def;
DELETE FROM par WHERE id IN (1, 6) RETURNING id;
UPDATE par SET k = k + 1;
-- NO ACTION looks when the statement is over, RESTRICT too but at nothing else.
CREATE TABLE swap (id int PRIMARY KEY);
CREATE TABLE on_swap (id int REFERENCES swap);
CREATE TABLE on_swap2 (id int REFERENCES swap ON UPDATE RESTRICT);
INSERT INTO swap VALUES (1), (3);
INSERT INTO on_swap VALUES (1);
UPDATE swap SET id = 4 - id WHERE id = 2;
DELETE FROM on_swap2;
-- A table that refers to itself.
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE, other int REFERENCES tree (id));
INSERT INTO tree VALUES (1, 2, 1), (2, 3, NULL), (3, NULL, NULL);
INSERT INTO tree VALUES (4, 5, NULL);
INSERT INTO tree VALUES (4, 4, 4);
UPDATE tree SET id = 40 WHERE id = 4;
UPDATE tree SET id = 40, parent = 40, other = 40 WHERE id = 4;
DELETE FROM tree WHERE id = 3;
SELECT * FROM tree ORDER BY id;
DELETE FROM tree;
-- MATCH FULL, several columns, NULLs.
CREATE TABLE pair (x int, y int, PRIMARY KEY (x, y));
CREATE TABLE full_pair (a int, b int, FOREIGN KEY (a, b) REFERENCES pair MATCH FULL ON DELETE CASCADE);
CREATE TABLE simple_pair (a int, b int, FOREIGN KEY (b, a) REFERENCES pair (y, x) ON UPDATE CASCADE);
INSERT INTO pair VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO full_pair VALUES (1, NULL);
INSERT INTO full_pair VALUES (NULL, NULL), (1, 1), (2, 1);
INSERT INTO full_pair VALUES (2, 2);
INSERT INTO simple_pair VALUES (7, NULL), (1, 2), (NULL, 8);
INSERT INTO simple_pair VALUES (2, 2);
UPDATE pair SET x = 9 WHERE x = 1 AND y = 2;
DELETE FROM pair WHERE x = 1;
SELECT * FROM simple_pair ORDER BY a, b;
SELECT * FROM full_pair ORDER BY a, b;
DELETE FROM pair;
-- Other types of keys.
CREATE TABLE words (w varchar(10) PRIMARY KEY, n numeric UNIQUE, d date UNIQUE);
CREATE TABLE on_words (w text REFERENCES words ON UPDATE CASCADE, n int REFERENCES words (n), d date REFERENCES words (d));
INSERT INTO words VALUES ('a', 1.0, '2024-01-01'), ('b', 2.5, '2024-01-02');
INSERT INTO on_words VALUES ('a', 1, '2024-01-01'), ('b', NULL, '2024-01-02');
INSERT INTO on_words VALUES ('c', 1, '2024-01-01');
INSERT INTO on_words VALUES ('a', 2, '2024-01-01');
UPDATE words SET w = 'z' WHERE w = 'a';
UPDATE words SET n = 1.00 WHERE w = 'z';
DELETE FROM words WHERE w = 'b';
SELECT * FROM on_words ORDER BY w;
-- ALTER TABLE.
CREATE TABLE late (id int, r int);
INSERT INTO late VALUES (1, 1), (2, 500), (3, NULL);
ALTER TABLE late ADD FOREIGN KEY (r) REFERENCES p;
ALTER TABLE late ADD CONSTRAINT late_fk FOREIGN KEY (r) REFERENCES p (nope);
DELETE FROM late WHERE r = 500;
ALTER TABLE late ADD FOREIGN KEY (r) REFERENCES p ON DELETE CASCADE;
ALTER TABLE late ADD CONSTRAINT late_r_fkey FOREIGN KEY (r) REFERENCES p;
ALTER TABLE late ADD FOREIGN KEY (r) REFERENCES p (id);
INSERT INTO late VALUES (4, 600);
ALTER TABLE late ADD COLUMN z int REFERENCES p (id);
UPDATE late SET z = 600;
ALTER TABLE late DROP CONSTRAINT late_z_fkey;
UPDATE late SET z = 600;
ALTER TABLE late ADD FOREIGN KEY (z) REFERENCES p;
ALTER TABLE late DROP COLUMN r;
SELECT conname FROM pg_constraint WHERE conrelid = 'late'::regclass;
ALTER TABLE late ADD COLUMN r int, ADD CONSTRAINT both_at_once FOREIGN KEY (r) REFERENCES p;
UPDATE late SET r = 700;
-- What falls with what.
CREATE VIEW not_a_table AS SELECT 1 AS a;
CREATE TABLE bad (a int REFERENCES not_a_table);
DROP TABLE p;
ALTER TABLE p DROP COLUMN id;
ALTER TABLE p DROP CONSTRAINT p_u_key;
ALTER TABLE p DROP CONSTRAINT p_u_key CASCADE;
SELECT conname FROM pg_constraint WHERE conrelid = 'c'::regclass ORDER BY 1;
CREATE UNIQUE INDEX late_index ON p (y);
CREATE TABLE on_index (y int REFERENCES p (y));
DROP INDEX late_index;
DROP INDEX late_index CASCADE;
TRUNCATE par;
TRUNCATE par, casc;
BEGIN;
TRUNCATE par CASCADE;
SELECT count(*) FROM casc;
ROLLBACK;
DROP TABLE par, casc, grand, nul, def;
ALTER TABLE p DROP COLUMN id CASCADE;
DELETE FROM p;
DROP TABLE p CASCADE;
INSERT INTO c VALUES (60, 1234, NULL, NULL);
CREATE SCHEMA s;
CREATE TABLE s.p (id int PRIMARY KEY);
CREATE TABLE on_s (id int REFERENCES s.p);
INSERT INTO on_s VALUES (1);
DROP SCHEMA s CASCADE;
INSERT INTO on_s VALUES (1);
-- In one transaction.
BEGIN;
CREATE TABLE one (id int PRIMARY KEY);
CREATE TABLE two (id int REFERENCES one ON DELETE CASCADE);
INSERT INTO one VALUES (1), (2);
INSERT INTO two VALUES (1), (2);
DELETE FROM one WHERE id = 1;
SELECT * FROM two;
SAVEPOINT s;
INSERT INTO two VALUES (3);
ROLLBACK TO s;
COMMIT;
SELECT * FROM two;
-- Renaming leaves them as they are.
ALTER TABLE one RENAME TO eins;
ALTER TABLE eins RENAME COLUMN id TO nr;
INSERT INTO two VALUES (3);
DELETE FROM eins WHERE nr = 2;
SELECT * FROM two;
-- Two sessions.
INSERT INTO eins VALUES (1), (2), (3);
BEGIN;
INSERT INTO two VALUES (1);
\session b
UPDATE eins SET nr = nr WHERE nr = 1;
DELETE FROM eins WHERE nr = 2;
ALTER TABLE two DROP CONSTRAINT two_id_fkey;
\waits
\session a
COMMIT;
\session b
\finish
ALTER TABLE two ADD CONSTRAINT two_id_fkey FOREIGN KEY (id) REFERENCES eins;
-- The one who deletes waits for the one who refers, and sees the row.
\session a
BEGIN;
INSERT INTO two VALUES (3);
\session b
DELETE FROM eins WHERE nr = 3;
\waits
\session a
COMMIT;
\session b
\finish
-- The one who refers waits for the one who deletes.
\session a
DELETE FROM two;
BEGIN;
DELETE FROM eins WHERE nr = 3;
\session b
INSERT INTO two VALUES (3);
\waits
\session a
COMMIT;
\session b
\finish
-- It is let go if the delete is rolled back.
\session a
BEGIN;
DELETE FROM eins WHERE nr = 1;
\session b
INSERT INTO two VALUES (1);
\waits
\session a
ROLLBACK;
\session b
\finish
SELECT * FROM two;
-- A row that is not committed cannot be referred to.
\session a
BEGIN;
INSERT INTO eins VALUES (20);
\session b
INSERT INTO two VALUES (20);
\session a
COMMIT;
\session b
INSERT INTO two VALUES (20);
-- Changes of other columns are in nobody's way.
\session a
CREATE TABLE acc (id int PRIMARY KEY, bal int);
CREATE TABLE hist (acc int REFERENCES acc);
INSERT INTO acc VALUES (1, 0), (2, 0);
BEGIN;
UPDATE acc SET bal = 5 WHERE id = 1;
\session b
BEGIN;
INSERT INTO hist VALUES (1);
\session a
UPDATE acc SET bal = 6 WHERE id = 1;
COMMIT;
\session b
UPDATE acc SET bal = bal + 1 WHERE id = 1;
COMMIT;
SELECT * FROM acc ORDER BY id;
-- REPEATABLE READ.
\session a
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM hist;
\session b
INSERT INTO acc VALUES (3, 0);
INSERT INTO hist VALUES (2);
\session a
INSERT INTO hist VALUES (3);
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM acc;
\session b
INSERT INTO hist VALUES (3);
\session a
DELETE FROM acc WHERE id = 3;
ROLLBACK;
ALTER TABLE hist DROP CONSTRAINT hist_acc_fkey, ADD FOREIGN KEY (acc) REFERENCES acc ON DELETE CASCADE;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM acc;
\session b
INSERT INTO hist VALUES (3);
\session a
DELETE FROM acc WHERE id = 3;
ROLLBACK;
-- What the catalogs say.
SELECT conname, contype, confrelid::regclass, confupdtype, confdeltype, confmatchtype, conkey, confkey, convalidated, connoinherit FROM pg_constraint WHERE contype = 'f' ORDER BY 1;
SELECT conrelid::regclass, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) FROM pg_constraint WHERE contype = 'f' ORDER BY conname;
SELECT conpfeqop::text, conppeqop::text, conffeqop::text, conindid::regclass FROM pg_constraint WHERE conname IN ('on_words_w_fkey', 'full_pair_a_b_fkey') ORDER BY conname;
SELECT relname, relhastriggers FROM pg_class WHERE relname IN ('acc', 'hist', 'nokey') ORDER BY 1;
SELECT constraint_name, unique_constraint_name, match_option, update_rule, delete_rule FROM information_schema.referential_constraints ORDER BY 1;
SELECT constraint_name, table_name, column_name, ordinal_position, position_in_unique_constraint FROM information_schema.key_column_usage WHERE table_name IN ('full_pair', 'simple_pair', 'hist') ORDER BY 1, 4;
SELECT table_name, column_name, constraint_name FROM information_schema.constraint_column_usage WHERE constraint_name LIKE '%pair%' ORDER BY 3, 1, 2;
SELECT constraint_name, constraint_type FROM information_schema.table_constraints WHERE table_name = 'hist';
-- What psql asks for \d.
SELECT true AS sametable, conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, conrelid::pg_catalog.regclass AS ontable FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'full_pair'::regclass AND r.contype = 'f' AND conparentid = 0 ORDER BY conname;
SELECT conname, conrelid::pg_catalog.regclass AS ontable, pg_catalog.pg_get_constraintdef(oid, true) AS condef
  FROM pg_catalog.pg_constraint c
 WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('pair') UNION ALL VALUES ('pair'::pg_catalog.regclass))
       AND contype = 'f' AND conparentid = 0
ORDER BY conname;
SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, t.tgisinternal,
  CASE WHEN t.tgparentid != 0 THEN
    (SELECT u.tgrelid::pg_catalog.regclass
     FROM pg_catalog.pg_trigger AS u,
          pg_catalog.pg_partition_ancestors(t.tgrelid) WITH ORDINALITY AS a(relid, depth)
     WHERE u.tgname = t.tgname AND u.tgrelid = a.relid
           AND u.tgparentid = 0
     ORDER BY a.depth LIMIT 1)
  END AS parent
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = 'pair'::regclass AND (NOT t.tgisinternal OR (t.tgisinternal AND t.tgenabled = 'D'))
ORDER BY 1;
\unsupported
CREATE TABLE d (a int REFERENCES acc MATCH PARTIAL);
CREATE TABLE d (a int REFERENCES acc ON DELETE SET NULL (a));
ALTER TABLE hist ADD COLUMN z int DEFAULT 1 REFERENCES acc;
TRUNCATE acc;
