--
-- PostgreSQL database dump
--



SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: s; Type: SCHEMA; Schema: -; Owner: postgres
--

CREATE SCHEMA s;


ALTER SCHEMA s OWNER TO postgres;

--
-- Name: SCHEMA s; Type: COMMENT; Schema: -; Owner: postgres
--

COMMENT ON SCHEMA s IS 'A schema';


--
-- Name: mood; Type: TYPE; Schema: public; Owner: postgres
--

CREATE TYPE public.mood AS ENUM (
    'sad',
    'it''s "fine", {really}',
    'ok',
    'happy'
);


ALTER TYPE public.mood OWNER TO postgres;

--
-- Name: TYPE mood; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON TYPE public.mood IS 'How one feels';


--
-- Name: Odd Kind; Type: TYPE; Schema: s; Owner: postgres
--

CREATE TYPE s."Odd Kind" AS ENUM (
    'A',
    'b'
);


ALTER TYPE s."Odd Kind" OWNER TO postgres;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: a; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.a (
    id integer NOT NULL,
    v character varying(40) DEFAULT 'x'::character varying NOT NULL,
    n numeric(10,2),
    CONSTRAINT a_v_check CHECK (((v)::text <> ''::text))
);


ALTER TABLE public.a OWNER TO postgres;

--
-- Name: TABLE a; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON TABLE public.a IS 'A table''s comment';


--
-- Name: COLUMN a.n; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON COLUMN public.a.n IS 'Two
lines';


--
-- Name: a_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

CREATE SEQUENCE public.a_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


ALTER TABLE public.a_id_seq OWNER TO postgres;

--
-- Name: a_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: postgres
--

ALTER SEQUENCE public.a_id_seq OWNED BY public.a.id;


--
-- Name: b; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.b (
    id bigint NOT NULL,
    a_id integer,
    ts timestamp with time zone DEFAULT now(),
    d double precision,
    raw bytea,
    flags boolean[],
    CONSTRAINT positive CHECK (((d > (0)::double precision) OR (d IS NULL)))
);


ALTER TABLE public.b OWNER TO postgres;

--
-- Name: CONSTRAINT positive ON b; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON CONSTRAINT positive ON public.b IS 'More than nothing';


--
-- Name: b_id_seq; Type: SEQUENCE; Schema: public; Owner: postgres
--

ALTER TABLE public.b ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.b_id_seq
    START WITH 3
    INCREMENT BY 2
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: late; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.late (
    k integer NOT NULL,
    u integer
);


ALTER TABLE public.late OWNER TO postgres;

--
-- Name: later; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.later (
    a integer NOT NULL,
    b integer
);


ALTER TABLE public.later OWNER TO postgres;

--
-- Name: va; Type: VIEW; Schema: public; Owner: postgres
--

CREATE VIEW public.va AS
 SELECT a.id,
    a.v
   FROM public.a
  WHERE (a.n > (1)::numeric);


ALTER TABLE public.va OWNER TO postgres;

--
-- Name: VIEW va; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON VIEW public.va IS 'A view';


--
-- Name: COLUMN va.v; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON COLUMN public.va.v IS 'Of a view';


--
-- Name: Odd Name; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s."Odd Name" (
    "select" integer NOT NULL,
    "A" text[] DEFAULT '{}'::text[] NOT NULL
);


ALTER TABLE s."Odd Name" OWNER TO postgres;

--
-- Name: collated; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.collated (
    a text NOT NULL COLLATE pg_catalog."C",
    b character varying(5)[] COLLATE pg_catalog."POSIX",
    c name COLLATE pg_catalog."default",
    d text
);


ALTER TABLE s.collated OWNER TO postgres;

--
-- Name: moods; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.moods (
    m public.mood DEFAULT 'ok'::public.mood NOT NULL,
    k s."Odd Kind"[] DEFAULT '{A,b}'::s."Odd Kind"[],
    v character varying(9),
    CONSTRAINT no_sad CHECK ((m > 'sad'::public.mood))
);


ALTER TABLE s.moods OWNER TO postgres;

--
-- Name: good_moods; Type: VIEW; Schema: s; Owner: postgres
--

CREATE VIEW s.good_moods AS
 SELECT moods.m,
    moods.v
   FROM s.moods
  WHERE (moods.m > 'sad'::public.mood)
  WITH CASCADED CHECK OPTION;


ALTER TABLE s.good_moods OWNER TO postgres;

--
-- Name: later; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.later (
    k uuid,
    c character(3),
    da date,
    added integer DEFAULT 7 NOT NULL
);


ALTER TABLE s.later OWNER TO postgres;

--
-- Name: made; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.made (
    a integer,
    twice bigint GENERATED ALWAYS AS ((a * 2)) STORED,
    "Name" text GENERATED ALWAYS AS (COALESCE(('n'::text || (a)::text), 'none'::text)) STORED NOT NULL
);


ALTER TABLE s.made OWNER TO postgres;

--
-- Name: parts; Type: TABLE; Schema: s; Owner: postgres
--

CREATE TABLE s.parts (
    id integer,
    name text,
    kind character varying(10),
    live boolean
);


ALTER TABLE s.parts OWNER TO postgres;

--
-- Name: q; Type: SEQUENCE; Schema: s; Owner: postgres
--

CREATE SEQUENCE s.q
    AS smallint
    START WITH 5
    INCREMENT BY 3
    NO MINVALUE
    MAXVALUE 100
    CACHE 1
    CYCLE;


ALTER TABLE s.q OWNER TO postgres;

--
-- Name: SEQUENCE q; Type: COMMENT; Schema: s; Owner: postgres
--

COMMENT ON SEQUENCE s.q IS 'A sequence';


--
-- Name: a id; Type: DEFAULT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.a ALTER COLUMN id SET DEFAULT nextval('public.a_id_seq'::regclass);


--
-- Data for Name: a; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.a (id, v, n) FROM stdin;
1	one	1.50
2	tab\tnewline\nquote'backslash\\	\N
3	\\.	-0.01
\.


--
-- Data for Name: b; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.b (id, a_id, ts, d, raw, flags) FROM stdin;
3	1	2024-02-29 12:34:56.789+00	0.1	\\x00ff	{t,f,NULL}
5	\N	\N	Infinity	\\x	{}
\.


--
-- Data for Name: late; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.late (k, u) FROM stdin;
\.


--
-- Data for Name: later; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.later (a, b) FROM stdin;
\.


--
-- Data for Name: Odd Name; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s."Odd Name" ("select", "A") FROM stdin;
1	{a,"b c",NULL}
\.


--
-- Data for Name: collated; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s.collated (a, b, c, d) FROM stdin;
\.


--
-- Data for Name: later; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s.later (k, c, da, added) FROM stdin;
a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11	ab 	0044-03-15 BC	7
\.


--
-- Data for Name: made; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s.made (a) FROM stdin;
1
\N
\.


--
-- Data for Name: moods; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s.moods (m, k, v) FROM stdin;
ok	{A,b}	x
it's "fine", {really}	{}	\N
happy	\N	y
\.


--
-- Data for Name: parts; Type: TABLE DATA; Schema: s; Owner: postgres
--

COPY s.parts (id, name, kind, live) FROM stdin;
1	Bolt	x	t
2	bolt	x	t
\.


--
-- Name: a_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.a_id_seq', 3, true);


--
-- Name: b_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.b_id_seq', 5, true);


--
-- Name: q; Type: SEQUENCE SET; Schema: s; Owner: postgres
--

SELECT pg_catalog.setval('s.q', 5, true);


--
-- Name: a a_n_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.a
    ADD CONSTRAINT a_n_key UNIQUE (n);


--
-- Name: a a_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.a
    ADD CONSTRAINT a_pkey PRIMARY KEY (id);


--
-- Name: b b_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.b
    ADD CONSTRAINT b_pkey PRIMARY KEY (id);


--
-- Name: late late_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.late
    ADD CONSTRAINT late_pkey PRIMARY KEY (k) DEFERRABLE;


--
-- Name: late late_u_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.late
    ADD CONSTRAINT late_u_key UNIQUE (u) DEFERRABLE INITIALLY DEFERRED;


--
-- Name: later later_check; Type: CHECK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE public.later
    ADD CONSTRAINT later_check CHECK ((b > 0)) NOT VALID;


--
-- Name: later later_key; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.later
    ADD CONSTRAINT later_key PRIMARY KEY (a);


--
-- Name: Odd Name Odd Name_pkey; Type: CONSTRAINT; Schema: s; Owner: postgres
--

ALTER TABLE ONLY s."Odd Name"
    ADD CONSTRAINT "Odd Name_pkey" PRIMARY KEY ("A", "select");


--
-- Name: collated collated_pkey; Type: CONSTRAINT; Schema: s; Owner: postgres
--

ALTER TABLE ONLY s.collated
    ADD CONSTRAINT collated_pkey PRIMARY KEY (a);


--
-- Name: parts parts_id_name_live_key; Type: CONSTRAINT; Schema: s; Owner: postgres
--

ALTER TABLE ONLY s.parts
    ADD CONSTRAINT parts_id_name_live_key UNIQUE (id) INCLUDE (name, live);


--
-- Name: b_a_id_ts_idx; Type: INDEX; Schema: public; Owner: postgres
--

CREATE INDEX b_a_id_ts_idx ON public.b USING btree (a_id, ts DESC);


--
-- Name: b_d; Type: INDEX; Schema: public; Owner: postgres
--

CREATE UNIQUE INDEX b_d ON public.b USING btree (d NULLS FIRST);


--
-- Name: INDEX b_d; Type: COMMENT; Schema: public; Owner: postgres
--

COMMENT ON INDEX public.b_d IS 'An index';


--
-- Name: collated_d_a_a1_idx; Type: INDEX; Schema: s; Owner: postgres
--

CREATE INDEX collated_d_a_a1_idx ON s.collated USING btree (d COLLATE "C", a, a COLLATE "default");


--
-- Name: made_twice_idx; Type: INDEX; Schema: s; Owner: postgres
--

CREATE INDEX made_twice_idx ON s.made USING btree (twice) WHERE ("Name" <> 'none'::text);


--
-- Name: moods_k_m_idx; Type: INDEX; Schema: s; Owner: postgres
--

CREATE INDEX moods_k_m_idx ON s.moods USING btree (k, m) WHERE (m = 'happy'::public.mood);


--
-- Name: parts_lower_expr_kind_idx; Type: INDEX; Schema: s; Owner: postgres
--

CREATE UNIQUE INDEX parts_lower_expr_kind_idx ON s.parts USING btree (lower(name), ((id % 10))) INCLUDE (kind) WHERE (live AND ((kind)::text <> 'none'::text));


--
-- Name: parts_year; Type: INDEX; Schema: s; Owner: postgres
--

CREATE INDEX parts_year ON s.parts USING btree ((
CASE
    WHEN live THEN kind
    ELSE 'gone'::character varying
END) DESC NULLS LAST, id NULLS FIRST) WITH (fillfactor='70');


--
-- Name: b b_a_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.b
    ADD CONSTRAINT b_a_id_fkey FOREIGN KEY (a_id) REFERENCES public.a(id) ON UPDATE SET NULL ON DELETE CASCADE;


--
-- Name: later later_fk; Type: FK CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.later
    ADD CONSTRAINT later_fk FOREIGN KEY (b) REFERENCES public.later(a) NOT VALID;


--
-- PostgreSQL database dump complete
--


