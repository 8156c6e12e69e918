//! What is read, what is refused and by which name, and where errors point.

use super::tree::{
    AlterTableAction, AnyAllSource, ColumnConstraint, ConflictTarget, CopySource, TableConstraint,
};
use super::*;

/// The outcome of a text: the kinds of its statements, or the error as `SQLSTATE message @position`.
fn outcome(text: &str) -> String {
    match statements(text) {
        Ok(statements) => {
            let kind = |statement: &Statement| {
                let debug = format!("{statement:?}");
                let end = debug.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(debug.len());
                debug[..end].to_owned()
            };
            statements.iter().map(kind).collect::<Vec<_>>().join(", ")
        }
        Err(error) => error_text(&error),
    }
}

fn error_text(error: &SqlError) -> String {
    let fields = error.fields();
    let position = fields.position.map_or_else(String::new, |position| format!(" @{position}"));
    format!("{} {}{position}", fields.sqlstate, fields.message)
}

/// Compares all rows before it complains.
#[track_caller]
fn check_all(rows: impl IntoIterator<Item = (String, String, String)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(text, found, expected)| format!("{text}\n  found    {found}\n  expected {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    check_all(
        rows.iter().map(|(text, expected)| ((*text).to_owned(), outcome(text), (*expected).to_owned())),
    );
}

#[test]
fn statements_of_the_tools() {
    check(&[
        // pgbench
        ("drop table if exists pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers", "Drop"),
        (
            "create table pgbench_history(tid int,bid int,aid bigint,delta int,mtime timestamp,filler char(22))",
            "CreateTable",
        ),
        (
            "create table pgbench_accounts(aid    bigint not null,bid int,abalance int,filler char(84)) with (fillfactor=100)",
            "CreateTable",
        ),
        ("begin", "Transaction"),
        ("truncate table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers", "Truncate"),
        ("insert into pgbench_branches(bid,bbalance) values(1,0)", "Insert"),
        ("copy pgbench_accounts from stdin with (freeze on)", "Copy"),
        ("commit", "Transaction"),
        ("vacuum analyze pgbench_branches", "Maintenance"),
        ("alter table pgbench_branches add primary key (bid)", "AlterTable"),
        (
            "select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join \
             pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select \
             pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join \
             pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on \
             (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc \
             limit 1",
            "Query",
        ),
        (
            "BEGIN;UPDATE a SET b = b + 1 WHERE c = 2;SELECT b FROM a;INSERT INTO h (t) VALUES (CURRENT_TIMESTAMP);END;",
            "Transaction, Update, Query, Insert, Transaction",
        ),
        // sysbench
        (
            "CREATE TABLE sbtest1(\n  id SERIAL,\n  k INTEGER DEFAULT '0' NOT NULL,\n  c CHAR(120) DEFAULT '' NOT NULL,\n  \
             pad CHAR(60) DEFAULT '' NOT NULL,\n  PRIMARY KEY (id)\n) ",
            "CreateTable",
        ),
        ("INSERT INTO sbtest1(k, c, pad) VALUES(1, 'a', 'b'),(2, 'c', 'd')", "Insert"),
        ("CREATE INDEX k_1 ON sbtest1(k)", "CreateIndex"),
        ("SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN $1 AND $2 ORDER BY c", "Query"),
        ("DROP TABLE IF EXISTS sbtest1", "Drop"),
        // psql, psycopg, SQLAlchemy
        ("SELECT pg_catalog.pg_is_in_recovery()", "Query"),
        ("show transaction isolation level", "Show"),
        ("show standard_conforming_strings", "Show"),
        ("select pg_catalog.version()", "Query"),
        (
            "SET client_encoding TO 'UTF8'; SET TIME ZONE 'UTC'; SET SESSION application_name = 'x'",
            "Set, Set, Set",
        ),
        (
            "SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) \
             '^(t)$' COLLATE pg_catalog.default",
            "Query",
        ),
    ]);
}

#[test]
fn statements_of_every_kind() {
    check(&[
        ("", ""),
        (" ; ;; ", ""),
        ("-- only a comment", ""),
        ("SELECT 1; /* between */ SELECT 2;", "Query, Query"),
        ("TABLE t", "Query"),
        ("VALUES (1, 'a'), (2, 'b')", "Query"),
        ("(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1", "Query"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "Query"),
        ("WITH x AS (SELECT 1 AS a) INSERT INTO t SELECT a FROM x", "Insert"),
        ("WITH x AS (SELECT 1 AS a) UPDATE t SET b = x.a FROM x", "Update"),
        ("WITH x AS (SELECT 1 AS a) DELETE FROM t USING x WHERE t.a = x.a", "Delete"),
        ("INSERT INTO t DEFAULT VALUES", "Insert"),
        (
            "INSERT INTO t AS u (a) VALUES (DEFAULT) ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE u.b > 1 RETURNING *",
            "Insert",
        ),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "Insert"),
        ("INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING", "Insert"),
        ("UPDATE t AS u SET a = 1, (b, c) = (2, 3) FROM v WHERE u.a = v.a RETURNING u.*", "Update"),
        ("DELETE FROM t", "Delete"),
        ("CREATE TABLE IF NOT EXISTS s.t (a int NULL, CONSTRAINT c CHECK (a > 0) NO INHERIT)", "CreateTable"),
        ("CREATE TABLE t ()", "CreateTable"),
        ("CREATE TABLE t AS SELECT 1", "CreateTableAs"),
        ("CREATE TABLE t (a, b) AS VALUES (1, 2) WITH NO DATA", "CreateTableAs"),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t USING btree (a ASC NULLS FIRST, b DESC) WITH (fillfactor = 70)",
            "CreateIndex",
        ),
        ("CREATE INDEX ON t (a)", "CreateIndex"),
        ("CREATE SCHEMA IF NOT EXISTS s", "CreateSchema"),
        (
            "CREATE SEQUENCE IF NOT EXISTS q AS smallint INCREMENT BY -1 MINVALUE -5 NO MAXVALUE START WITH 3 CACHE 4 NO CYCLE OWNED BY NONE",
            "CreateSequence",
        ),
        (
            "ALTER TABLE IF EXISTS ONLY t ADD COLUMN IF NOT EXISTS a int, DROP COLUMN IF EXISTS b CASCADE",
            "AlterTable",
        ),
        ("ALTER TABLE t RENAME COLUMN a TO b", "AlterTable"),
        ("ALTER TABLE t RENAME a TO b", "AlterTable"),
        ("ALTER TABLE t ALTER COLUMN a SET DEFAULT 1, ALTER b DROP NOT NULL", "AlterTable"),
        ("DROP SCHEMA IF EXISTS a, b CASCADE", "Drop"),
        ("DROP SEQUENCE q RESTRICT", "Drop"),
        ("TRUNCATE ONLY a, b * RESTART IDENTITY CASCADE", "Truncate"),
        ("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "Transaction"),
        ("BEGIN READ WRITE ISOLATION LEVEL READ UNCOMMITTED", "Transaction"),
        ("ABORT WORK", "Transaction"),
        ("SET LOCAL search_path TO a, \"B\", 'c'", "Set"),
        ("SET x.y = DEFAULT", "Set"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SetTransaction"),
        ("RESET ALL; RESET TIME ZONE; SHOW ALL", "Reset, Reset, Show"),
        (
            "PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'; ROLLBACK PREPARED E'x\\n'",
            "PreparedTransaction, PreparedTransaction, PreparedTransaction",
        ),
        (
            "PREPARE p (int, text) AS SELECT $1, $2; EXECUTE p (1, 'a'); DEALLOCATE PREPARE p; DEALLOCATE ALL",
            "Prepare, Execute, Deallocate, Deallocate",
        ),
        (
            "COPY (SELECT 1) TO STDOUT; COPY t (a, b) FROM STDIN WITH (FORMAT text, NULL '', DELIMITER '|')",
            "Copy, Copy",
        ),
        ("VACUUM (VERBOSE, ANALYZE) t (a); ANALYZE", "Maintenance, Maintenance"),
        ("EXPLAIN (COSTS OFF) SELECT 1; EXPLAIN UPDATE t SET a = 1", "Explain, Explain"),
        ("DISCARD ALL", "Discard"),
        ("LOCK TABLE a, b IN ACCESS SHARE MODE", "Lock"),
    ]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let rows = [
        ("CREATE UNLOGGED TABLE t (a int)", "CREATE UNLOGGED TABLE"),
        ("CREATE GLOBAL TEMP TABLE t (a int)", "CREATE GLOBAL TEMP"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int", "CREATE OR REPLACE FUNCTION"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION"),
        ("CREATE TYPE e AS (a int)", "CREATE TYPE of a composite type"),
        ("CREATE DATABASE d ENCODING latin1", "ENCODING \"latin1\" of a database"),
        ("CREATE DATABASE d ENCODING 8", "ENCODING 8 of a database"),
        ("CREATE DATABASE d LOCALE 'en_US.UTF-8'", "LOCALE \"en_US.UTF-8\" of a database"),
        ("CREATE DATABASE d LOCALE_PROVIDER icu", "LOCALE_PROVIDER \"icu\" of a database"),
        ("CREATE DATABASE d STRATEGY file_copy", "STRATEGY \"file_copy\" of a database"),
        ("CREATE DATABASE d TABLESPACE x", "TABLESPACE \"x\" of a database"),
        ("ALTER DATABASE d SET TABLESPACE x", "TABLESPACE"),
        ("ALTER DATABASE d REFRESH COLLATION VERSION", "ALTER DATABASE REFRESH COLLATION VERSION"),
        ("ALTER DATABASE d SET ROLE x", "ALTER DATABASE SET ROLE"),
        ("CREATE SCHEMA s AUTHORIZATION x", "CREATE SCHEMA AUTHORIZATION"),
        ("CREATE SCHEMA AUTHORIZATION x", "CREATE SCHEMA AUTHORIZATION"),
        ("CREATE SCHEMA s CREATE TABLE t (a int)", "CREATE SCHEMA with elements"),
        ("CREATE TABLE t (a int) PARTITION BY RANGE (a)", "PARTITION BY"),
        ("CREATE TABLE t PARTITION OF u FOR VALUES IN (1)", "PARTITION OF"),
        ("CREATE TABLE t (a int) INHERITS (u)", "INHERITS"),
        ("CREATE TABLE t (LIKE u)", "CREATE TABLE LIKE"),
        ("CREATE TABLE t OF u", "CREATE TABLE OF a type"),
        ("CREATE TABLE t (a int) USING heap", "a table access method"),
        ("CREATE TABLE t (a int) TABLESPACE x", "TABLESPACE"),
        ("CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u MATCH PARTIAL)", "MATCH PARTIAL"),
        ("CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))", "EXCLUDE"),
        ("CREATE TABLE t (a int UNIQUE NULLS NOT DISTINCT)", "NULLS NOT DISTINCT"),
        ("CREATE TABLE t (a text STORAGE plain)", "STORAGE of a column"),
        ("CREATE TABLE t (a text COMPRESSION lz4)", "COMPRESSION of a column"),
        ("CREATE INDEX ON t USING gin (a)", "index access method \"gin\""),
        ("ALTER TABLE t ALTER a SET STATISTICS 5", "this ALTER COLUMN action"),
        ("ALTER TABLE t ENABLE TRIGGER x", "ALTER TABLE ENABLE"),
        ("ALTER INDEX i SET TABLESPACE x", "ALTER INDEX"),
        ("DROP FUNCTION f", "DROP FUNCTION"),
        ("GRANT SELECT ON t TO x", "GRANT"),
        ("COMMIT AND CHAIN", "AND CHAIN"),
        ("LISTEN x", "LISTEN"),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE"),
        ("COMMENT ON EXTENSION x IS 'x'", "COMMENT ON EXTENSION"),
        ("CLUSTER t", "CLUSTER"),
        ("EXPLAIN (WAL, ANALYZE) SELECT 1", "EXPLAIN WAL"),
        ("COPY t FROM '/tmp/x'", "COPY with a file or program on the server"),
        ("COPY t TO PROGRAM 'x'", "COPY with a file or program on the server"),
        ("SELECT 1 INTO UNLOGGED t", "an unlogged table"),
        ("SELECT a FROM t GROUP BY ROLLUP (a)", "GROUPING SETS, CUBE or ROLLUP"),
        ("SELECT * FROM t TABLESAMPLE system (10)", "TABLESAMPLE"),
        (
            "(SELECT a FROM t ORDER BY a) FETCH FIRST 1 ROW WITH TIES",
            "WITH TIES behind the parentheses around its ORDER BY",
        ),
        ("SET ROLE x", "SET ROLE"),
        ("SET SESSION AUTHORIZATION x", "SET SESSION AUTHORIZATION"),
    ];
    let expected = |feature: &str| format!("0A000 {feature} is not supported");
    check_all(rows.map(|(text, feature)| (text.to_owned(), outcome(text), expected(feature))));
}

#[test]
fn errors_say_where() {
    check(&[
        ("SELEC 1", "42601 syntax error at or near \"SELEC\" @1"),
        ("SELECT 1 +", "42601 syntax error at end of input"),
        ("SELECT 1;\nSELECT (2", "42601 syntax error at end of input"),
        ("CREATE TABLE t (a int,)", "42601 syntax error at or near \")\" @23"),
        ("CREATE TABLE t (a int", "42601 syntax error at end of input"),
        ("CREATE TABLE t (a int NOT)", "42601 syntax error at or near \"NOT\" @23"),
        ("CREATE INDEX IF NOT EXISTS ON t (a)", "42601 syntax error at or near \"ON\" @28"),
        ("CREATE INDEX i ON t ()", "42601 syntax error at or near \")\" @22"),
        ("ALTER TABLE t RENAME TO u, ADD COLUMN a int", "42601 syntax error at or near \",\" @26"),
        ("ALTER TABLE t ADD COLUMN a int, RENAME TO u", "42601 syntax error at or near \"RENAME\" @33"),
        ("DROP TABLE", "42601 syntax error at end of input"),
        ("DROP TABLE t CASCADE RESTRICT", "42601 syntax error at or near \"RESTRICT\" @22"),
        // A table may have such a part in its name, a setting not.
        ("SET a.null = 1", "42601 syntax error at or near \"null\" @7"),
        ("SHOW a.b.select", "42601 syntax error at or near \"select\" @10"),
        ("BEGIN foo", "42601 syntax error at or near \"foo\" @7"),
        ("SELECT 1 SELECT 2", "42601 syntax error at or near \"SELECT\" @10"),
        ("SELECT 'a", "42601 unterminated quoted string at or near \"'a\" @8"),
        (
            "WITH x AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM x) ORDER BY a",
            "0A000 DELETE … ORDER BY is not supported",
        ),
        // Positions count characters, over lines.
        ("SELECT 'é',\n  nope nope nope", "42601 syntax error at or near \"nope\" @25"),
    ]);
}

#[test]
fn nothing_nests_without_end() {
    let deep = |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(5_000), close.repeat(5_000));
    for text in [
        deep("(", ")"),
        deep("- ", ""),
        deep("NOT ", ""),
        deep("(SELECT ", ")"),
        deep("ARRAY[", "]"),
        deep("f(", ")"),
        deep("CASE WHEN true THEN ", " END"),
        deep("CAST(", " AS int)"),
        deep("a IN (", ")"),
        deep("EXISTS (SELECT ", ")"),
        deep("1 + (", ")"),
        deep("a = ANY (", ")"),
        format!("SELECT 1{}", " + 1".repeat(20_000)),
    ] {
        // Some of the crate's grammar takes its own limit for a syntax error.
        let outcome = outcome(&text);
        let refused =
            outcome.starts_with("54001 stack depth limit exceeded") || outcome.starts_with("42601 ");
        assert!(refused, "{text:.40}: {outcome}");
    }
    let chain = format!("SELECT 1{}", " + f(1, 2)".repeat(6_000));
    assert!(outcome(&chain).starts_with("54001 "), "commas inside of parentheses part nothing outside");
    let rows = format!("INSERT INTO t VALUES {}", vec!["(1, 'a', f(2, 3))"; 20_000].join(", "));
    assert_eq!(outcome(&rows), "Insert", "many rows are long and flat too");
    let flat = |count: usize| format!("SELECT {}", vec!["a = 1"; count].join(" OR "));
    assert_eq!(outcome(&flat(30_000)), "Query", "generated conditions are long and flat");
    let negated = format!("SELECT {}1", "a OR NOT ".repeat(5_000));
    assert_eq!(outcome(&negated), "Query", "and so are these");
    let wrong = format!("{} )", flat(30_000));
    assert!(outcome(&wrong).starts_with("42601 "), "a long chain is dropped with room on the stack");
    assert!(outcome(&flat(70_000)).starts_with("54001 "), "what no stack would hold is refused");
    let joins = |count: usize| format!("SELECT 1 FROM t{}", " JOIN t ON true".repeat(count));
    assert_eq!(outcome(&joins(300)), "Query", "joins nest to the left");
    assert!(outcome(&joins(5_000)).starts_with("54001 "), "as deep as anything may");
    let listed = format!("SELECT 1 FROM {}", vec!["t"; 5_000].join(", "));
    assert!(outcome(&listed).starts_with("54001 "), "and so do lists of FROM");
}

/// An expression as nested lists.
fn shape(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(shape).collect::<Vec<_>>().join(" ");
    match expr {
        Expr::Null { .. } => "null".to_owned(),
        Expr::Bool { value, .. } => value.to_string(),
        Expr::Number { digits, .. } => digits.clone(),
        Expr::Text { value, .. } => format!("'{value}'"),
        Expr::Column(name) => name.to_string(),
        Expr::Parameter { number, .. } => format!("${number}"),
        Expr::Unary { op, operand } => format!("({} {})", op.symbol, shape(operand)),
        Expr::Binary { op, left, right } => format!("({} {} {})", op.symbol, shape(left), shape(right)),
        Expr::And(items) => format!("(and {})", list(items)),
        Expr::Or(items) => format!("(or {})", list(items)),
        Expr::Not(operand) => format!("(not {})", shape(operand)),
        Expr::IsNull { operand, negated } => {
            format!("({} {})", if *negated { "notnull" } else { "isnull" }, shape(operand))
        }
        Expr::Between { operand, low, high, negated, .. } => {
            let word = if *negated { "notbetween" } else { "between" };
            format!("({word} {} {} {})", shape(operand), shape(low), shape(high))
        }
        Expr::InList { operand, list: items, negated, .. } => {
            format!("({} {} {})", if *negated { "notin" } else { "in" }, shape(operand), list(items))
        }
        Expr::Like { operand, pattern, negated, .. } => {
            format!("({} {} {})", if *negated { "notlike" } else { "like" }, shape(operand), shape(pattern))
        }
        Expr::AnyAll { left, op, right: AnyAllSource::Array(right), all } => {
            format!("({} {} {} {})", if *all { "all" } else { "any" }, op.symbol, shape(left), shape(right))
        }
        Expr::Cast { operand, target, .. } => {
            let array = if target.array { "[]" } else { "" };
            format!("(cast {} {}{array}{:?})", shape(operand), target.name, target.modifiers)
        }
        Expr::Function(call) => format!("({} {})", call.name.last(), list(&call.arguments)),
        Expr::Array { items, .. } => format!("[{}]", list(items)),
        Expr::Row { items, .. } => format!("(row {})", list(items)),
        other => format!("{other:?}"),
    }
}

#[test]
fn expressions_bind_as_tightly_as_in_postgres() {
    let rows = [
        ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
        ("2 ^ 3 ^ 2", "(^ (^ 2 3) 2)"),
        ("-2 ^ 2", "(^ -2 2)"),
        ("- a ^ 2", "(^ (- a) 2)"),
        ("- a * b", "(* (- a) b)"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("NOT a = b AND c OR d", "(or (and (not (= a b)) c) d)"),
        ("a OR b AND c", "(or a (and b c))"),
        ("a AND b AND c", "(and a b c)"),
        ("a < b = c", "42601"),
        ("a || b || c", "(|| (|| a b) c)"),
        ("a || b = c", "(= (|| a b) c)"),
        ("a = b IS NULL", "(isnull (= a b))"),
        ("NOT a IS NULL", "(not (isnull a))"),
        ("a BETWEEN 1 AND 2 AND c", "(and (between a 1 2) c)"),
        ("a NOT BETWEEN 1 + 1 AND 2", "(notbetween a (+ 1 1) 2)"),
        ("a NOT IN (1, 2)", "(notin a 1 2)"),
        ("a LIKE 'x' || '%'", "(like a (|| 'x' '%'))"),
        ("a = ANY (b)", "(any = a b)"),
        ("a <> ALL (ARRAY[1, 2])", "(all <> a [1 2])"),
        ("a::int::text", "(cast (cast a int4[]) text[])"),
        ("CAST(a AS varchar(5))", "(cast a varchar[5])"),
        ("a::numeric(10, 2)[]", "(cast a numeric[][10, 2])"),
        ("'1'::char", "(cast '1' bpchar[1])"),
        ("'1'::\"char\"", "(cast '1' \"char\"[])"),
        ("date '2020-01-01'", "(cast '2020-01-01' date[])"),
        ("-1::int", "(- (cast 1 int4[]))"),
        ("substring(a from 2 for 3)", "(substring a 2 3)"),
        ("position('a' in b)", "(position b 'a')"),
        ("trim(both 'x' from a)", "(btrim a 'x')"),
        ("extract(year from a)", "(extract 'year' a)"),
        ("(1, 2) = (a, b)", "(= (row 1 2) (row a b))"),
        ("a % 2 = 0", "(= (% a 2) 0)"),
        ("a != b", "(<> a b)"),
        ("\"A b\".\"c\"", "A b.c"),
        ("E'a\\n'", "'a\n'"),
        ("$1 + $2", "(+ $1 $2)"),
    ];
    let found = |text: &str| match expression(text) {
        Ok(expr) => shape(&expr),
        Err(error) => error.sqlstate().to_string(),
    };
    check_all(rows.map(|(text, expected)| (text.to_owned(), found(text), expected.to_owned())));
}

#[test]
fn a_default_ends_before_the_next_constraint() {
    let text = "CREATE TABLE t (a int DEFAULT 1 + 2 NOT NULL, b text DEFAULT 'x' || 'y' NULL UNIQUE)";
    let Statement::CreateTable(create) = statements(text).expect(text).remove(0) else { panic!("{text}") };
    let described: Vec<Vec<String>> = create
        .columns
        .iter()
        .map(|column| {
            let constraint = |item: &tree::NamedConstraint<ColumnConstraint>| match &item.constraint {
                ColumnConstraint::Default(expr) => shape(expr),
                ColumnConstraint::NotNull => "not null".to_owned(),
                ColumnConstraint::Null => "null".to_owned(),
                ColumnConstraint::Unique(_) => "unique".to_owned(),
                other => panic!("{other:?}"),
            };
            column.constraints.iter().map(constraint).collect()
        })
        .collect();
    assert_eq!(described, [vec!["(+ 1 2)", "not null"], vec!["(|| 'x' 'y')", "null", "unique"]]);
    assert_eq!(create.columns[0].type_position, 19);
    assert_eq!(create.columns[0].constraints[1].position, 37);
}

#[test]
fn clauses_reach_the_tree() {
    let Statement::CreateTable(create) =
        statements("CREATE TABLE t (\"A\" Int, CONSTRAINT k PRIMARY KEY (\"A\", b) WITH (fillfactor=70)) WITH (fillfactor = 90, x.y, z=-1, w=on)")
            .expect("parses")
            .remove(0)
    else {
        panic!("a table")
    };
    assert_eq!(create.columns[0].name, "A");
    let constraint = &create.constraints[0];
    assert_eq!((constraint.name.as_deref(), constraint.position), (Some("k"), 26));
    let TableConstraint::PrimaryKey { columns, options, .. } = &constraint.constraint else {
        panic!("a key")
    };
    assert_eq!((columns.join(","), options.parameters[0].value.as_deref()), ("A,b".to_owned(), Some("70")));
    let parameters: Vec<_> =
        create.parameters.iter().map(|item| (item.name.as_str(), item.value.as_deref())).collect();
    let expected = [("fillfactor", Some("90")), ("x.y", None), ("z", Some("-1")), ("w", Some("on"))];
    assert_eq!(parameters, expected);

    let Statement::Copy(copy) =
        statements("copy s.t (a, b) from stdin with (freeze on, header false, null 'N', delimiter '|')")
            .expect("parses")
            .remove(0)
    else {
        panic!("copy")
    };
    let CopySource::Table { name, columns } = copy.source else { panic!("a table") };
    assert_eq!((name.to_string(), columns.len(), copy.from), ("s.t".to_owned(), 2, true));
    let options: Vec<_> = copy.options.into_iter().map(|option| (option.name, option.value)).collect();
    let text = |text: &str| tree::CopyOptionValue::Text(text.to_owned());
    let expected = [("freeze", "on"), ("header", "false"), ("null", "N"), ("delimiter", "|")];
    assert_eq!(options, expected.map(|(name, value)| (name.to_owned(), text(value))));

    let Statement::Insert(insert) =
        statements("INSERT INTO t VALUES (1) ON CONFLICT (a, b) DO UPDATE SET c = 1")
            .expect("parses")
            .remove(0)
    else {
        panic!("insert")
    };
    let conflict = insert.on_conflict.expect("there");
    assert!(
        matches!(conflict.target, ConflictTarget::Columns(columns) if columns.iter().map(tree::Name::last).eq(["a", "b"]))
    );

    let Statement::AlterTable { actions, .. } =
        statements("ALTER TABLE t DROP a CASCADE, DROP CONSTRAINT IF EXISTS b RESTRICT, OWNER TO x")
            .expect("parses")
            .remove(0)
    else {
        panic!("alter")
    };
    assert!(matches!(&actions[0], AlterTableAction::DropColumn { cascade: true, if_exists: false, .. }));
    assert!(matches!(&actions[1], AlterTableAction::DropConstraint { if_exists: true, .. }));
    assert!(matches!(&actions[2], AlterTableAction::OwnerTo(role) if role == "x"));
}

#[test]
fn long_names_are_cut_and_case_is_folded() {
    let long = "N".repeat(70);
    let Statement::Drop { names, .. } =
        statements(&format!("DROP TABLE {long}, \"{long}\", \"a\"\"b\", ÀB")).expect("parses").remove(0)
    else {
        panic!("drop")
    };
    let names: Vec<&str> = names.iter().map(tree::Name::last).collect();
    assert_eq!(names, ["n".repeat(63), "N".repeat(63), "a\"b".to_owned(), "àb".to_owned()]);
}

/// Each of these once was searched anew, copied or recursed into for each repeat: minutes, or the end of the process.
#[test]
fn long_statements_are_walked_once() {
    const COUNT: usize = 20_000;
    for (first, repeated, last, expected) in [
        ("SELECT count(*) FROM (VALUES ", "(interval(3) '1 s'), ", "(interval '1 s')) v", "Query"),
        ("INSERT INTO t ", "SELECT 1 UNION SELECT 1 ON CONFLICT ", "DO NOTHING", "42601 "),
        ("INSERT INTO t VALUES (1) ", "ON CONFLICT (a + 1) DO NOTHING ", "", "42601 "),
        ("INSERT INTO t VALUES (1) ", "ON CONFLICT (a) WHERE b ", "", "42601 "),
        ("SELECT 1 uescape", " \n", "", "Query"),
        ("SELECT ", "uescape ", "", "42601 "),
        ("SELECT ", "U&'!0061' UESCAPE '!', ", "1", "Query"),
        ("SELECT U&'", "!0061a", "' UESCAPE '!'", "Query"),
        ("SELECT ", "INSERT INTO t (VALUES (1)) ", "", "42601 "),
        ("SELECT ", "(", "'a' LIKE ANY (x)", "54001 "),
        ("SELECT 'a'", " LIKE ANY (x)", "", "54001 "),
        ("SELECT ", "x + 'a' LIKE ANY (x), ", "1", "Query"),
        ("SELECT 1 FROM ", "ROWS FROM (f()), ", "t", "54001 "),
        ("SELECT 'a'", " COLLATE x", "", "54001 "),
        ("SELECT ", "('a' COLLATE x) COLLATE x, ", "1", "Query"),
        ("SELECT ", "LIMIT 1 ", "", "42601 "),
        ("UPDATE t SET a = b", "[1]", "", "54001 "),
    ] {
        let text = [first, &repeated.repeat(COUNT), last].concat();
        let outcome = outcome(&text);
        assert!(outcome.starts_with(expected), "{first}{repeated}: {outcome:.80}");
    }
}

/// A join in 190 parentheses ended the process: each level of FROM takes more of the stack than one of an expression.
#[test]
fn nested_joins_have_room() {
    for (open, close) in [("(", ")"), ("(t JOIN ", " ON true)"), ("(SELECT * FROM ", ") x")] {
        let outcome = |count: usize| {
            outcome(&format!("SELECT 1 FROM {}t JOIN t ON true{}", open.repeat(count), close.repeat(count)))
        };
        assert_eq!(outcome(190), "Query", "{open}");
        for count in [NESTING_MAX, NESTING_MAX + 1] {
            assert!(outcome(count).starts_with("54001 "), "{open} {count} times");
        }
    }
}
