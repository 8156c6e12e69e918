CREATE TABLE customer (
    id serial PRIMARY KEY,
    name varchar(40) NOT NULL,
    code char(4) UNIQUE,
    "Mixed Case" text DEFAULT 'none',
    balance numeric(10,2) NOT NULL DEFAULT 0,
    created timestamptz DEFAULT now(),
    active boolean DEFAULT true
) WITH (fillfactor=90);
CREATE TABLE line (
    a bigint NOT NULL,
    b integer NOT NULL,
    note text,
    CONSTRAINT line_pkey PRIMARY KEY (a, b),
    CONSTRAINT line_note_key UNIQUE (note, a),
    CONSTRAINT line_b_check CHECK (b > 0)
);
CREATE INDEX line_note_idx ON line (note DESC, b);
CREATE UNIQUE INDEX "Line Idx" ON line (b, a) WITH (fillfactor=80);
CREATE SCHEMA other;
CREATE TABLE other.thing (x smallint, y real, z double precision, d date);
CREATE SEQUENCE counter INCREMENT BY 5 START 100;
