--@ connect	application_name=pgbench
--@ query	1	any
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers
--@ query	2	equal
create table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22))
--@ query	3	equal
create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100)
--@ query	4	any
create table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)
--@ query	5	equal
create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)
--@ query	6	equal
begin
--@ query	7	any
truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers
--@ query	8	equal
insert into pgbench_branches(bid,bbalance) values(1,0)
--@ query	9	equal
insert into pgbench_tellers(tid,bid,tbalance) values (1,1,0)
--@ query	10	equal
insert into pgbench_tellers(tid,bid,tbalance) values (2,1,0)
--@ query	11	equal
insert into pgbench_tellers(tid,bid,tbalance) values (3,1,0)
--@ query	12	equal
insert into pgbench_tellers(tid,bid,tbalance) values (4,1,0)
--@ query	13	equal
insert into pgbench_tellers(tid,bid,tbalance) values (5,1,0)
--@ query	14	equal
insert into pgbench_tellers(tid,bid,tbalance) values (6,1,0)
--@ query	15	equal
insert into pgbench_tellers(tid,bid,tbalance) values (7,1,0)
--@ query	16	equal
insert into pgbench_tellers(tid,bid,tbalance) values (8,1,0)
--@ query	17	equal
insert into pgbench_tellers(tid,bid,tbalance) values (9,1,0)
--@ query	18	equal
insert into pgbench_tellers(tid,bid,tbalance) values (10,1,0)
--@ query	19	any
copy pgbench_accounts from stdin with (freeze on)
--@ copy_numbered	1000	\t1\t0\t
--@ query	20	equal
commit
--@ query	21	equal
vacuum analyze pgbench_branches
--@ query	22	equal
vacuum analyze pgbench_tellers
--@ query	23	any
vacuum analyze pgbench_accounts
--@ query	24	equal
vacuum analyze pgbench_history
--@ query	25	equal
alter table pgbench_branches add primary key (bid)
--@ query	26	equal
alter table pgbench_tellers add primary key (tid)
--@ query	27	any
alter table pgbench_accounts add primary key (aid)
--@ connect	application_name=pgbench
--@ query	28	equal
select count(*) from pgbench_branches
--@ query	29	any
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
--@ query	30	equal
vacuum pgbench_branches
--@ query	31	equal
vacuum pgbench_tellers
--@ query	32	equal
truncate pgbench_history
--@ connect	application_name=pgbench
--@ query	33	equal
BEGIN;
--@ query	34	any
UPDATE pgbench_accounts SET abalance = abalance + 498 WHERE aid = 92282;
--@ query	35	any
SELECT abalance FROM pgbench_accounts WHERE aid = 92282;
--@ query	36	equal
UPDATE pgbench_tellers SET tbalance = tbalance + 498 WHERE tid = 10;
--@ query	37	equal
UPDATE pgbench_branches SET bbalance = bbalance + 498 WHERE bid = 1;
--@ query	38	equal
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (10, 1, 92282, 498, CURRENT_TIMESTAMP);
--@ query	39	equal
END;
--@ query	40	equal
BEGIN;
--@ query	41	any
UPDATE pgbench_accounts SET abalance = abalance + 3229 WHERE aid = 23285;
--@ query	42	any
SELECT abalance FROM pgbench_accounts WHERE aid = 23285;
--@ query	43	equal
UPDATE pgbench_tellers SET tbalance = tbalance + 3229 WHERE tid = 6;
--@ query	44	equal
UPDATE pgbench_branches SET bbalance = bbalance + 3229 WHERE bid = 1;
--@ query	45	equal
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (6, 1, 23285, 3229, CURRENT_TIMESTAMP);
--@ query	46	equal
END;
--@ query	47	equal
BEGIN;
--@ query	48	any
UPDATE pgbench_accounts SET abalance = abalance + 1898 WHERE aid = 72714;
--@ query	49	any
SELECT abalance FROM pgbench_accounts WHERE aid = 72714;
--@ query	50	equal
UPDATE pgbench_tellers SET tbalance = tbalance + 1898 WHERE tid = 10;
--@ query	51	equal
UPDATE pgbench_branches SET bbalance = bbalance + 1898 WHERE bid = 1;
--@ query	52	equal
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (10, 1, 72714, 1898, CURRENT_TIMESTAMP);
--@ query	53	equal
END;
--@ connect	application_name=pgbench
--@ query	54	equal
select count(*) from pgbench_branches
--@ query	55	any
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
--@ query	56	equal
vacuum pgbench_branches
--@ query	57	equal
vacuum pgbench_tellers
--@ query	58	equal
truncate pgbench_history
--@ connect	application_name=pgbench
--@ parse		
BEGIN;
--@ execute	59	equal		0
--@ parse		
UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;
--@ execute	60	any		0	-2262	46236
--@ parse		
SELECT abalance FROM pgbench_accounts WHERE aid = $1;
--@ execute	61	any		0	46236
--@ parse		
UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;
--@ execute	62	equal		0	-2262	7
--@ parse		
UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;
--@ execute	63	equal		0	-2262	1
--@ parse		
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);
--@ execute	64	equal		0	7	1	46236	-2262
--@ parse		
END;
--@ execute	65	equal		0
--@ parse		
BEGIN;
--@ execute	66	equal		0
--@ parse		
UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;
--@ execute	67	any		0	-370	21104
--@ parse		
SELECT abalance FROM pgbench_accounts WHERE aid = $1;
--@ execute	68	any		0	21104
--@ parse		
UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;
--@ execute	69	equal		0	-370	3
--@ parse		
UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;
--@ execute	70	equal		0	-370	1
--@ parse		
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);
--@ execute	71	equal		0	3	1	21104	-370
--@ parse		
END;
--@ execute	72	equal		0
--@ parse		
BEGIN;
--@ execute	73	equal		0
--@ parse		
UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;
--@ execute	74	any		0	-197	63907
--@ parse		
SELECT abalance FROM pgbench_accounts WHERE aid = $1;
--@ execute	75	any		0	63907
--@ parse		
UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;
--@ execute	76	equal		0	-197	7
--@ parse		
UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;
--@ execute	77	equal		0	-197	1
--@ parse		
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);
--@ execute	78	equal		0	7	1	63907	-197
--@ parse		
END;
--@ execute	79	equal		0
--@ connect	application_name=pgbench
--@ query	80	equal
select count(*) from pgbench_branches
--@ query	81	any
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
--@ query	82	equal
vacuum pgbench_branches
--@ query	83	equal
vacuum pgbench_tellers
--@ query	84	equal
truncate pgbench_history
--@ connect	application_name=pgbench
--@ parse	P_0	
BEGIN;
--@ execute	85	equal	P_0	0
--@ parse	P_1	
UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2;
--@ execute	86	any	P_1	0	1713	9098
--@ parse	P_2	
SELECT abalance FROM pgbench_accounts WHERE aid = $1;
--@ execute	87	any	P_2	0	9098
--@ parse	P_3	
UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2;
--@ execute	88	equal	P_3	0	1713	7
--@ parse	P_4	
UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2;
--@ execute	89	equal	P_4	0	1713	1
--@ parse	P_5	
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP);
--@ execute	90	equal	P_5	0	7	1	9098	1713
--@ parse	P_6	
END;
--@ execute	91	equal	P_6	0
--@ execute	92	equal	P_0	0
--@ execute	93	any	P_1	0	661	53234
--@ execute	94	any	P_2	0	53234
--@ execute	95	equal	P_3	0	661	10
--@ execute	96	equal	P_4	0	661	1
--@ execute	97	equal	P_5	0	10	1	53234	661
--@ execute	98	equal	P_6	0
--@ execute	99	equal	P_0	0
--@ execute	100	any	P_1	0	-4319	85601
--@ execute	101	any	P_2	0	85601
--@ execute	102	equal	P_3	0	-4319	6
--@ execute	103	equal	P_4	0	-4319	1
--@ execute	104	equal	P_5	0	6	1	85601	-4319
--@ execute	105	equal	P_6	0
--@ connect	application_name=pgbench
--@ query	106	equal
select count(*) from pgbench_branches
--@ query	107	any
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
--@ query	108	equal
vacuum pgbench_branches
--@ query	109	equal
vacuum pgbench_tellers
--@ query	110	equal
truncate pgbench_history
--@ connect	application_name=pgbench
--@ parse	P_0	
SELECT abalance FROM pgbench_accounts WHERE aid = $1;
--@ execute	111	any	P_0	0	51897
--@ execute	112	any	P_0	0	63834
--@ execute	113	any	P_0	0	82313
--@ connect	application_name=pgbench
--@ query	114	any
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers
--@ query	115	equal
create table pgbench_history(tid int,bid int,aid    int,delta int,mtime timestamp,filler char(22))
--@ query	116	equal
create table pgbench_tellers(tid int not null,bid int,tbalance int,filler char(84)) with (fillfactor=100)
--@ query	117	any
create table pgbench_accounts(aid    int not null,bid int,abalance int,filler char(84)) with (fillfactor=100)
--@ query	118	equal
create table pgbench_branches(bid int not null,bbalance int,filler char(88)) with (fillfactor=100)
--@ query	119	equal
begin
--@ query	120	any
truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers
--@ query	121	equal
insert into pgbench_branches(bid,bbalance) select bid, 0 from generate_series(1, 1) as bid
--@ query	122	equal
insert into pgbench_tellers(tid,bid,tbalance) select tid, (tid - 1) / 10 + 1, 0 from generate_series(1, 10) as tid
--@ query	123	any
insert into pgbench_accounts(aid,bid,abalance,filler) select aid, (aid - 1) / 100000 + 1, 0, '' from generate_series(1, 100000) as aid
--@ query	124	equal
commit
--@ query	125	equal
vacuum analyze pgbench_branches
--@ query	126	equal
vacuum analyze pgbench_tellers
--@ query	127	any
vacuum analyze pgbench_accounts
--@ query	128	equal
vacuum analyze pgbench_history
--@ query	129	equal
alter table pgbench_branches add primary key (bid)
--@ query	130	equal
alter table pgbench_tellers add primary key (tid)
--@ query	131	any
alter table pgbench_accounts add primary key (aid)
--@ connect	application_name=pgbench
--@ query	132	equal
select count(*) from pgbench_branches
--@ query	133	any
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
--@ query	134	equal
vacuum pgbench_branches
--@ query	135	equal
vacuum pgbench_tellers
--@ query	136	equal
truncate pgbench_history
--@ connect	application_name=pgbench
--@ query	137	equal
BEGIN;
--@ query	138	any
UPDATE pgbench_accounts SET abalance = abalance + 4253 WHERE aid = 9677;
--@ query	139	any
SELECT abalance FROM pgbench_accounts WHERE aid = 9677;
--@ query	140	equal
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (8, 1, 9677, 4253, CURRENT_TIMESTAMP);
--@ query	141	equal
END;
--@ query	142	equal
BEGIN;
--@ query	143	any
UPDATE pgbench_accounts SET abalance = abalance + -1181 WHERE aid = 41613;
--@ query	144	any
SELECT abalance FROM pgbench_accounts WHERE aid = 41613;
--@ query	145	equal
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (9, 1, 41613, -1181, CURRENT_TIMESTAMP);
--@ query	146	equal
END;
--@ connect	application_name=pgbench
--@ query	147	any
drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers
