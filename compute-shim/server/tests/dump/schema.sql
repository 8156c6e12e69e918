CREATE TABLE a (id serial PRIMARY KEY, v varchar(40) NOT NULL DEFAULT 'x' CHECK (v <> ''), n numeric(10,2) UNIQUE);
CREATE TABLE b (
    id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 2 START 3) PRIMARY KEY,
    a_id int REFERENCES a ON DELETE CASCADE ON UPDATE SET NULL,
    ts timestamptz DEFAULT now(),
    d double precision,
    raw bytea,
    flags boolean[],
    CONSTRAINT positive CHECK (d > 0 OR d IS NULL)
);
CREATE INDEX ON b (a_id, ts DESC);
CREATE TABLE late (k int PRIMARY KEY DEFERRABLE, u int UNIQUE INITIALLY DEFERRED);
CREATE UNIQUE INDEX b_d ON b (d NULLS FIRST);
CREATE VIEW va AS
 SELECT a.id,
    a.v
   FROM public.a
  WHERE (a.n > (1)::numeric);
CREATE SCHEMA s;
CREATE SEQUENCE s.q AS smallint START 5 INCREMENT 3 MAXVALUE 100 CYCLE;
CREATE TABLE s."Odd Name" ("select" int, "A" text[] DEFAULT '{}', PRIMARY KEY ("A", "select"));
CREATE TABLE s.later (k uuid, i interval, c char(3), da date);
ALTER TABLE s.later ADD COLUMN added int NOT NULL DEFAULT 7;
ALTER TABLE s.later DROP COLUMN i;
INSERT INTO a (v, n) VALUES ('one', 1.5), (E'tab\tnewline\nquote''backslash\\', NULL), ('\.', -0.01);
INSERT INTO b (a_id, ts, d, raw, flags)
VALUES (1, '2024-02-29 12:34:56.789+00', 0.1, '\x00ff', '{t,f,NULL}'), (NULL, NULL, 'Infinity', '', '{}');
SELECT nextval('s.q');
INSERT INTO s."Odd Name" VALUES (1, '{a,"b c",NULL}');
INSERT INTO s.later (k, c, da) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', '0044-03-15 BC');
CREATE TABLE s.parts (id int, name text, kind varchar(10), live boolean, UNIQUE (id) INCLUDE (name, live));
CREATE UNIQUE INDEX ON s.parts (lower(name), ((id % 10))) INCLUDE (kind) WHERE live AND kind <> 'none';
CREATE INDEX parts_year ON s.parts ((CASE WHEN live THEN kind ELSE 'gone' END) DESC NULLS LAST, id NULLS FIRST) WITH (fillfactor = 70);
INSERT INTO s.parts VALUES (1, 'Bolt', 'x', true), (2, 'bolt', 'x', true);
CREATE TABLE s.made (a int, twice bigint GENERATED ALWAYS AS (a * 2) STORED, "Name" text GENERATED ALWAYS AS (coalesce('n' || a::text, 'none')) STORED NOT NULL);
CREATE INDEX ON s.made (twice) WHERE "Name" <> 'none';
INSERT INTO s.made VALUES (1), (NULL);
COMMENT ON TABLE a IS 'A table''s comment';
COMMENT ON COLUMN a.n IS E'Two\nlines';
COMMENT ON CONSTRAINT positive ON b IS 'More than nothing';
COMMENT ON INDEX b_d IS 'An index';
COMMENT ON SEQUENCE s.q IS 'A sequence';
COMMENT ON SCHEMA s IS 'A schema';
COMMENT ON VIEW va IS 'A view';
COMMENT ON COLUMN va.v IS 'Of a view';
CREATE TYPE mood AS ENUM ('sad', 'ok');
ALTER TYPE mood ADD VALUE 'it''s "fine", {really}' BEFORE 'ok';
ALTER TYPE mood ADD VALUE 'happy';
CREATE TYPE s."Odd Kind" AS ENUM ('A', 'b');
CREATE TABLE s.moods (m public.mood DEFAULT 'ok' NOT NULL, k s."Odd Kind"[] DEFAULT '{A,b}', CONSTRAINT no_sad CHECK (m > 'sad'), v varchar(9));
CREATE INDEX ON s.moods (k, m) WHERE m = 'happy';
INSERT INTO s.moods VALUES (DEFAULT, DEFAULT, 'x'), ('it''s "fine", {really}', '{}', NULL), ('happy', NULL, 'y');
COMMENT ON TYPE mood IS 'How one feels';
CREATE VIEW s.good_moods AS
 SELECT moods.m,
    moods.v
   FROM s.moods
  WHERE (moods.m > 'sad'::public.mood)
  WITH CASCADED CHECK OPTION;
CREATE TABLE later (a int, b int);
CREATE UNIQUE INDEX later_key ON later (a);
ALTER TABLE later ADD PRIMARY KEY USING INDEX later_key;
ALTER TABLE later ADD CONSTRAINT later_check CHECK (b > 0) NOT VALID;
ALTER TABLE later ADD CONSTRAINT later_fk FOREIGN KEY (b) REFERENCES later NOT VALID;
CREATE TABLE s.collated (a text COLLATE "C" PRIMARY KEY, b varchar(5)[] COLLATE "POSIX", c name COLLATE "default", d text COLLATE "default");
CREATE INDEX ON s.collated (d COLLATE "C", a, a COLLATE "default");
