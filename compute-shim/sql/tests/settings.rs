//! SET, SHOW, RESET and the settings of the start-up packet, with PostgreSQL 15's answers.

mod harness;

use harness::{Client, Cluster};

/// What a statement answers: its one value, its tag, or its error with detail and hint.
fn outcome(client: &mut Client<'_>, text: &str) -> String {
    match client.try_query(text) {
        Err(error) => {
            let fields = error.fields();
            let detail =
                fields.detail.as_ref().map_or_else(String::new, |detail| format!(" DETAIL {detail}"));
            let hint = fields.hint.as_ref().map_or_else(String::new, |hint| format!(" HINT {hint}"));
            format!("{} {}{detail}{hint}", fields.sqlstate, fields.message)
        }
        Ok(answers) => {
            let last = answers.last().expect("a statement");
            last.lines().pop().unwrap_or_else(|| last.tag.clone())
        }
    }
}

fn check(client: &mut Client<'_>, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(outcome(client, text), *expected, "{text}");
    }
}

#[test]
fn values_are_checked_and_shown_as_in_postgresql() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    check(
        &mut client,
        &[
            ("SET nosuch = 1", "42704 unrecognized configuration parameter \"nosuch\""),
            ("SHOW nosuch", "42704 unrecognized configuration parameter \"nosuch\""),
            ("RESET nosuch", "42704 unrecognized configuration parameter \"nosuch\""),
            ("SHOW a.c", "42704 unrecognized configuration parameter \"a.c\""),
            ("SET a.b = 'x y'; SHOW a.b", "x y"),
            ("RESET a.b; SHOW a.b", ""),
            (
                "SET statement_timeout = 'abc'",
                "22023 invalid value for parameter \"statement_timeout\": \"abc\"",
            ),
            (
                "SET statement_timeout = '5x'",
                "22023 invalid value for parameter \"statement_timeout\": \"5x\" HINT Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".",
            ),
            (
                "SET statement_timeout = -5",
                "22023 -5 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
            ),
            ("SET statement_timeout = '5s'; SHOW statement_timeout", "5s"),
            ("SET statement_timeout = '1.5s'; SHOW statement_timeout", "1500ms"),
            ("SET statement_timeout = '0.4'; SHOW statement_timeout", "0"),
            ("SET statement_timeout = '90min'; SHOW statement_timeout", "90min"),
            (
                "SET statement_timeout = '9999999999'",
                "22023 invalid value for parameter \"statement_timeout\": \"9999999999\" HINT Value exceeds integer range.",
            ),
            ("SET work_mem = '1GB'; SHOW work_mem", "1GB"),
            (
                "SET work_mem = '1'",
                "22023 1 kB is outside the valid range for parameter \"work_mem\" (64 .. 2147483647)",
            ),
            ("SET work_mem = '1.5MB'; SHOW work_mem", "1536kB"),
            ("SET work_mem = '0x100'; SHOW work_mem", "256kB"),
            (
                "SET work_mem = '5 apples'",
                "22023 invalid value for parameter \"work_mem\": \"5 apples\" HINT Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
            ),
            (
                "SET seq_page_cost = -1",
                "22023 -1 is outside the valid range for parameter \"seq_page_cost\" (0 .. 1.79769e+308)",
            ),
            ("SET seq_page_cost = 'x'", "22023 invalid value for parameter \"seq_page_cost\": \"x\""),
            ("SET seq_page_cost = 1.50; SHOW seq_page_cost", "1.5"),
            ("SET seq_page_cost = '1e2'; SHOW seq_page_cost", "100"),
            ("SET vacuum_cost_delay = '2.5ms'; SHOW vacuum_cost_delay", "2500us"),
            ("SHOW effective_cache_size", "4GB"),
            ("SET geqo = 'maybe'", "22023 parameter \"geqo\" requires a Boolean value"),
            ("SET geqo = tru; SHOW geqo", "on"),
            ("SET geqo = of; SHOW geqo", "off"),
            (
                "SET client_min_messages = 'foo'",
                "22023 invalid value for parameter \"client_min_messages\": \"foo\" HINT Available values: debug5, debug4, debug3, debug2, debug1, log, notice, warning, error.",
            ),
            ("SET client_min_messages = INFO; SHOW client_min_messages", "info"),
            ("SET synchronous_commit = true; SHOW synchronous_commit", "on"),
            ("SET server_version = 'x'", "55P02 parameter \"server_version\" cannot be changed"),
            (
                "SET max_connections = 4",
                "55P02 parameter \"max_connections\" cannot be changed without restarting the server",
            ),
            ("SET fsync = off", "55P02 parameter \"fsync\" cannot be changed now"),
            ("SET is_superuser = off", "55P02 parameter \"is_superuser\" cannot be changed"),
            ("SET in_hot_standby = on", "55P02 parameter \"in_hot_standby\" cannot be changed"),
            ("SET session_authorization = postgres", "SET"),
            (
                "SET extra_float_digits = 4",
                "22023 4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
            ),
            ("SET lc_messages = 'xx'", "22023 invalid value for parameter \"lc_messages\": \"xx\""),
            ("SET application_name = 'häß'; SHOW application_name", "h????"),
        ],
    );
}

#[test]
fn encodings_styles_zones_and_paths() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    check(
        &mut client,
        &[
            ("SET client_encoding = 'foo'", "22023 invalid value for parameter \"client_encoding\": \"foo\""),
            ("SET client_encoding = 'latin1'", "0A000 client encoding \"latin1\" is not supported"),
            ("SET NAMES 'utf-8'; SHOW client_encoding", "UTF8"),
            (
                "SET datestyle = 'foo'",
                "22023 invalid value for parameter \"DateStyle\": \"foo\" DETAIL Unrecognized key word: \"foo\".",
            ),
            ("SET datestyle = 'sql, dmy'", "0A000 setting DateStyle to \"SQL, DMY\" is not supported"),
            ("SET datestyle = 'iso'; SHOW datestyle", "ISO, MDY"),
            (
                "SET datestyle = 'german, mdy, iso'",
                "22023 invalid value for parameter \"DateStyle\": \"german, mdy, iso\" DETAIL Conflicting \"datestyle\" specifications.",
            ),
            (
                "SET standard_conforming_strings = off",
                "0A000 setting standard_conforming_strings to \"off\" is not supported",
            ),
            ("SET timezone = 'nowhere'", "22023 invalid value for parameter \"TimeZone\": \"nowhere\""),
            ("SET timezone = 'europe/berlin'; SHOW timezone", "Europe/Berlin"),
            ("SET TIME ZONE 5.5; SHOW TIME ZONE", "<+05:30>-05:30"),
            ("SET TIME ZONE -3; SHOW timezone", "<-03>+03"),
            ("SELECT timestamptz '2020-01-01 00:00:00+00'", "2019-12-31 21:00:00-03"),
            ("SET TIME ZONE DEFAULT; SHOW timezone", "UTC"),
            ("SHOW search_path", "\"$user\", public"),
            ("SET search_path TO a, \"B c\", \"$user\"; SHOW search_path", "a, \"B c\", \"$user\""),
            ("SET search_path = 'a, b'; SHOW search_path", "\"a, b\""),
            ("SET work_mem = 1, 2", "22023 SET work_mem takes only one argument"),
            ("SET datestyle TO iso, mdy; SHOW datestyle", "ISO, MDY"),
            ("DISCARD PLANS", "DISCARD PLANS"),
            ("DISCARD SEQUENCES", "DISCARD SEQUENCES"),
            ("DISCARD TEMPORARY", "DISCARD TEMP"),
            ("SET search_path = ''; SHOW search_path", "\"\""),
            ("SET search_path TO DEFAULT; SHOW search_path", "\"$user\", public"),
            (
                "SET default_transaction_isolation = 'foo'",
                "22023 invalid value for parameter \"default_transaction_isolation\": \"foo\" HINT Available values: serializable, repeatable read, read committed, read uncommitted.",
            ),
            (
                "SET transaction_isolation = 'foo'",
                "22023 invalid value for parameter \"transaction_isolation\": \"foo\" HINT Available values: serializable, repeatable read, read committed, read uncommitted.",
            ),
        ],
    );
}

#[test]
fn settings_take_part_in_transactions() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    check(
        &mut client,
        &[
            ("BEGIN; SET work_mem = '1MB'; SHOW work_mem", "1MB"),
            ("ROLLBACK; SHOW work_mem", "4MB"),
            ("BEGIN; SET work_mem = '1MB'; SET LOCAL work_mem = '2MB'; SHOW work_mem", "2MB"),
            ("COMMIT; SHOW work_mem", "1MB"),
            ("BEGIN; SET LOCAL work_mem = '2MB'; SET work_mem = '3MB'; COMMIT; SHOW work_mem", "3MB"),
            ("BEGIN; SET LOCAL work_mem = '2MB'; COMMIT; SHOW work_mem", "3MB"),
            // An error undoes the whole text.
            ("SET work_mem = '8MB'; SELECT 1/0", "22012 division by zero"),
            ("SHOW work_mem", "3MB"),
            ("RESET ALL; SHOW work_mem", "4MB"),
        ],
    );
    client.take_notices();
    client.query("SET LOCAL work_mem = '9MB'");
    assert_eq!(client.take_notices(), ["WARNING 25P01: SET LOCAL can only be used in transaction blocks"]);
    check(&mut client, &[("SHOW work_mem", "4MB")]);
}

#[test]
fn start_up_packet_gives_reset_values_and_reports_follow_changes() {
    let cluster = Cluster::new();
    let parameters = [("application_name", "first"), ("TimeZone", "Asia/Tokyo"), ("work_mem", "1MB")];
    let mut client = cluster.connect_with(&parameters).expect("connects");
    let reports = client.session.parameter_status();
    for (name, value) in [
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("TimeZone", "Asia/Tokyo"),
        ("application_name", "first"),
        ("client_encoding", "UTF8"),
        ("default_transaction_read_only", "off"),
        ("in_hot_standby", "off"),
        ("integer_datetimes", "on"),
        ("is_superuser", "on"),
        ("server_encoding", "UTF8"),
        ("session_authorization", "postgres"),
        ("standard_conforming_strings", "on"),
    ] {
        assert!(reports.contains(&(name.to_owned(), value.to_owned())), "{name}: {reports:?}");
    }
    assert_eq!(reports.len(), 13, "server_version is the thirteenth");
    assert_eq!(client.session.take_changed_parameters(), []);
    client.query("SET application_name = 'second'; SET work_mem = '2MB'");
    let changed = [("application_name".to_owned(), "second".to_owned())];
    assert_eq!(client.session.take_changed_parameters(), changed);
    client.query("BEGIN; SET TIME ZONE 'UTC'");
    assert_eq!(client.session.take_changed_parameters(), [("TimeZone".to_owned(), "UTC".to_owned())]);
    client.query("ROLLBACK");
    assert_eq!(client.session.take_changed_parameters(), [("TimeZone".to_owned(), "Asia/Tokyo".to_owned())]);
    check(&mut client, &[("RESET ALL; SHOW application_name", "first"), ("SHOW work_mem", "1MB")]);
    for (parameters, expected) in [
        (("nosuch", "1"), "42704 unrecognized configuration parameter \"nosuch\""),
        (("work_mem", "x"), "22023 invalid value for parameter \"work_mem\": \"x\""),
    ] {
        let error = cluster.connect_with(&[parameters]).err().expect("refused");
        assert_eq!(format!("{} {}", error.fields().sqlstate, error.fields().message), expected);
    }
    let refused =
        |user, database| cluster.connect_as(user, database, &[]).err().expect("refused").to_string();
    assert_eq!(refused("nobody", "postgres"), "ERROR 28000: role \"nobody\" does not exist");
    assert_eq!(refused("postgres", "nowhere"), "ERROR 3D000: database \"nowhere\" does not exist");
}

#[test]
fn show_all_and_timeouts() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let all = client.query("SHOW ALL");
    assert_eq!(all.names, ["name", "setting", "description"]);
    assert!(all.rows.len() > 120, "{}", all.rows.len());
    assert!(
        all.lines()
            .contains(&"work_mem|4MB|Sets the maximum memory to be used for query workspaces.".to_owned())
    );
    client.query("SET statement_timeout = '2s'; SET lock_timeout = 7; SET idle_in_transaction_session_timeout = '1min'");
    assert_eq!(client.session.statement_timeout_ms(), 2_000);
    assert_eq!(client.session.lock_timeout_ms(), 7);
    assert_eq!(client.session.idle_in_transaction_timeout_ms(), 60_000);
    client.query("SELECT set_config('lock_timeout', '9ms', false)");
    assert_eq!(client.session.lock_timeout_ms(), 9);
    client.query("DISCARD ALL");
    assert_eq!(client.session.statement_timeout_ms(), 0);
    assert_eq!(client.error("BEGIN; DISCARD ALL"), "25001 DISCARD ALL cannot run inside a transaction block");
}
