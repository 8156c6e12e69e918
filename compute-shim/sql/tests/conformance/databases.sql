-- Databases: made, entered, altered, dropped; each with objects of its own.
SELECT datname, datistemplate, datallowconn, datconnlimit FROM pg_database WHERE datname LIKE 'template%' ORDER BY 1;
SELECT oid, datname FROM pg_database WHERE datname IN ('template0', 'template1', 'postgres') ORDER BY 1;
CREATE DATABASE w_one;
CREATE DATABASE w_one;
CREATE DATABASE w_two WITH OWNER = postgres TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE = 'C.UTF-8' LC_CTYPE 'C.UTF-8' CONNECTION LIMIT = 7;
CREATE DATABASE "W three" OWNER DEFAULT TEMPLATE DEFAULT ENCODING = 6 LOCALE 'C.UTF-8' CONNECTION LIMIT -1 ALLOW_CONNECTIONS false IS_TEMPLATE true LOCALE_PROVIDER libc TABLESPACE pg_default;
SELECT datname, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datlocprovider, datistemplate, datallowconn, datconnlimit, datcollate, datctype, datacl FROM pg_database WHERE datname LIKE 'w%' OR datname LIKE 'W%' ORDER BY 1;
SELECT count(*) FROM pg_database WHERE oid < 16384 AND datname LIKE 'w%';

-- What is refused.
CREATE DATABASE w_x TEMPLATE nosuch;
CREATE DATABASE w_x OWNER nosuch;
CREATE DATABASE w_x TEMPLATE template0 TEMPLATE template1;
CREATE DATABASE w_x NOSUCH 1;
CREATE DATABASE w_x CONNECTION LIMIT -2;
CREATE DATABASE w_x CONNECTION LIMIT x;
CREATE DATABASE w_x ENCODING 'nosuch';
CREATE DATABASE w_x ENCODING 99;
CREATE DATABASE w_x LOCALE 'C.UTF-8' LC_CTYPE 'C.UTF-8';
DROP DATABASE w_x;
CREATE DATABASE w_x LOCALE_PROVIDER nosuch;
CREATE DATABASE w_x ALLOW_CONNECTIONS 2;
CREATE DATABASE w_x, w_y;
SELECT 1; CREATE DATABASE w_x;
BEGIN;
CREATE DATABASE w_x;
ROLLBACK;
BEGIN;
DROP DATABASE w_one;
ROLLBACK;
BEGIN READ ONLY;
ALTER DATABASE w_one CONNECTION LIMIT 3;
ROLLBACK;
DROP DATABASE nosuch;
DROP DATABASE IF EXISTS nosuch;
DROP DATABASE template1;
DROP DATABASE "W three";
DROP DATABASE w_one WITH (NOSUCH);
DROP DATABASE w_one, w_two;

-- Each has its own relations, types and schemas; databases and roles are shared.
CREATE TABLE here (a int PRIMARY KEY);
CREATE TYPE mood AS ENUM ('a', 'b');
\session b w_one
SELECT current_database(), current_schemas(true);
SELECT nspname, pg_get_userbyid(nspowner) AS owner, nspacl, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'public';
SELECT count(*) FROM pg_class WHERE relname = 'here';
SELECT * FROM here;
SELECT 'a'::mood;
CREATE TABLE here (b text);
CREATE TYPE mood AS ENUM ('x');
CREATE SCHEMA own;
CREATE TABLE own.t (a serial PRIMARY KEY, b mood DEFAULT 'x');
INSERT INTO own.t DEFAULT VALUES;
INSERT INTO here VALUES ('in w_one');
SELECT * FROM here;
SELECT a, b::text FROM w_one.own.t;
SELECT 'w_one.own.t'::regclass;
SELECT * FROM postgres.public.here;
SELECT 'postgres.public.here'::regclass;
CREATE TABLE postgres.public.x (a int);
SELECT catalog_name, schema_name FROM information_schema.schemata WHERE schema_name IN ('public', 'own') ORDER BY 2;
SELECT table_catalog, table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('public', 'own') ORDER BY 2, 3;
SELECT datname, usename FROM pg_stat_activity WHERE pid = pg_backend_pid();
SELECT count(*) FROM pg_roles WHERE rolname = 'postgres';
\session a
SELECT count(*) FROM here;
SELECT 'x'::mood;
SELECT count(*) FROM pg_namespace WHERE nspname = 'own';
SELECT * FROM w_one.own.t;

-- Advisory locks and locks of relations belong to a database.
SELECT pg_advisory_lock(7);
\session b
SELECT pg_try_advisory_lock(7);
BEGIN;
LOCK TABLE here;
SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE d.datname = current_database() AND relation = 'here'::regclass;
\session a
SELECT d.datname FROM pg_locks JOIN pg_database d ON d.oid = database WHERE mode = 'AccessExclusiveLock' AND d.datname = 'w_one';
SELECT count(*) FROM here;
\session b
COMMIT;

-- In use.
DROP DATABASE w_one;
ALTER DATABASE w_one RENAME TO w_other;
ALTER DATABASE w_one ALLOW_CONNECTIONS off;
\session a
DROP DATABASE w_one;
ALTER DATABASE w_one RENAME TO w_other;
CREATE DATABASE w_x TEMPLATE w_one;
\end b
ALTER DATABASE w_one RENAME TO w_two;
ALTER DATABASE nosuch RENAME TO w_x;
ALTER DATABASE w_one RENAME TO w_other;
\session c w_other
SELECT current_database(), * FROM here;
\end c
\session a

-- What a database's sessions begin with.
ALTER DATABASE w_other SET work_mem = '3MB';
ALTER DATABASE w_other SET search_path TO own, "$user", public;
ALTER DATABASE w_other SET TIME ZONE 'Europe/Berlin';
ALTER DATABASE w_other SET my.own = 'x y';
ALTER DATABASE w_other SET nosuch = 1;
ALTER DATABASE w_other SET work_mem = 'x';
ALTER DATABASE w_other SET max_connections = 5;
ALTER DATABASE w_other RESET nosuch;
SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'w_other' AND setrole = 0;
\session d w_other
SHOW work_mem;
SELECT current_schemas(false), current_setting('my.own');
SELECT name, source, reset_val FROM pg_settings WHERE name IN ('work_mem', 'search_path') ORDER BY 1;
SET work_mem = '1MB';
RESET work_mem;
SHOW work_mem;
\session a
ALTER DATABASE w_other RESET work_mem;
ALTER DATABASE w_other SET search_path TO DEFAULT;
SET lock_timeout = '5s';
ALTER DATABASE w_other SET lock_timeout FROM CURRENT;
RESET lock_timeout;
SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'w_other' AND setrole = 0;
ALTER DATABASE w_other RESET ALL;
SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'w_other';
ALTER DATABASE w_other OWNER TO postgres;
ALTER DATABASE w_other OWNER TO nosuch;
ALTER DATABASE w_other WITH CONNECTION LIMIT 9 IS_TEMPLATE true;
SELECT datconnlimit, datistemplate FROM pg_database WHERE datname = 'w_other';
ALTER DATABASE w_other IS_TEMPLATE false;
ALTER DATABASE w_other NOSUCH 1;
ALTER DATABASE w_other OWNER = postgres;
BEGIN;
ALTER DATABASE w_two CONNECTION LIMIT 1;
ALTER DATABASE w_two RENAME TO w_2;
SELECT datname, datconnlimit FROM pg_database WHERE datname IN ('w_two', 'w_2');
ROLLBACK;
SELECT datname, datconnlimit FROM pg_database WHERE datname IN ('w_two', 'w_2');

-- Comments and privileges.
COMMENT ON DATABASE w_other IS 'another';
\session d
SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'w_other';
SELECT has_database_privilege('w_other', 'CONNECT'), has_database_privilege('postgres', 'w_two', 'CREATE');
SELECT has_database_privilege('nosuch', 'CONNECT');
\end d
\session a

-- What falls.
CREATE DATABASE w_copy TEMPLATE w_two;
DROP DATABASE w_copy WITH (FORCE);
DROP DATABASE w_other (FORCE);
SELECT count(*) FROM pg_database WHERE datname = 'w_other';
SELECT count(*) FROM pg_shdescription WHERE description = 'another';
CREATE DATABASE w_other;
\session e w_other
SELECT count(*) FROM pg_class WHERE relname IN ('here', 't');
SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'w_other';
\end e
\session a
SELECT count(*) FROM here;
DROP DATABASE w_other;
DROP DATABASE w_two;
ALTER DATABASE "W three" IS_TEMPLATE false;
DROP DATABASE IF EXISTS "W three";
SELECT count(*) FROM pg_database WHERE datname ILIKE 'w%';
