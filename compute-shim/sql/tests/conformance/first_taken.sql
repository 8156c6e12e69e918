-- Which key an error names where an older unique index than the primary key's is looked at as well.
\session a
CREATE TABLE t (id int NOT NULL, k int UNIQUE);
ALTER TABLE t ADD PRIMARY KEY (id);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40);
INSERT INTO t VALUES (1, 20);
INSERT INTO t VALUES (1, 50);
INSERT INTO t VALUES (50, 20);
-- What refused the first row goes while the look for another key waits: the next look is for the next row.
\session b
BEGIN;
DELETE FROM t WHERE id = 2;
\session a
INSERT INTO t VALUES (3, 20), (4, 60);
\waits
\session c
DELETE FROM t WHERE id = 3;
\session b
COMMIT;
\session a
\finish
SELECT * FROM t ORDER BY id;
