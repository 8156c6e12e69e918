//! `docs/sql/functions.md`: every function, operator and cast, as the tables of the code have them.
//!
//! Owns the page's text. A test compares it with the file; `HEXALOG_WRITE_DOCS=1 cargo test -p hexalog-sql --lib document` writes it.

use super::{HOST_FUNCTIONS, TABLE_FUNCTIONS, host_functions, table_functions, window_functions};
use crate::bind::known_names;
use hexalog_sql_types::operator::operators;
use hexalog_sql_types::{TypeId, aggregate, function};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql/functions.md");

const HEAD: &str = "# Functions and operators

What can be called, generated from the code's tables (`compute-shim/sql/src/function/document.rs`). Names, argument types and results are those of PostgreSQL 15, and
so are the results themselves unless a line of `compute-shim/sql/tests/conformance/exceptions.txt` says otherwise.

`COALESCE`, `NULLIF`, `GREATEST`, `LEAST`, `EXTRACT`, `POSITION`, `SUBSTRING`, `TRIM`, `OVERLAY`, `OVERLAPS`, `AT TIME ZONE` and `CURRENT_DATE` and its kin are syntax, and there too.
A call of something that PostgreSQL has and that is listed here under \"Refused\" answers SQLSTATE 0A000 and names it; any other name, and arguments of types that no
signature takes, answer 42883, as in PostgreSQL. Arguments may be given by name where PostgreSQL's have names: `make_interval(days => 10)`.
";

fn listed(arguments: &[TypeId], variadic: bool, defaults: usize) -> String {
    let count = arguments.len();
    let one = |(at, id): (usize, &TypeId)| {
        let variadic = if variadic && at + 1 == count { "VARIADIC " } else { "" };
        let optional = if at >= count - defaults.min(count) { "?" } else { "" };
        format!("{variadic}{}{optional}", id.display_name())
    };
    arguments.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

/// Signatures by name.
type Section = BTreeMap<String, BTreeSet<String>>;

fn add(section: &mut Section, name: &str, arguments: String, result: &str) {
    section.entry(name.to_owned()).or_default().insert(format!("({arguments}) → {result}"));
}

fn write_section(title: &str, section: &Section, out: &mut String) {
    write!(out, "\n## {title}\n\n").expect("into memory");
    for (name, signatures) in section {
        let all: Vec<String> = signatures.iter().map(|signature| format!("`{signature}`")).collect();
        writeln!(out, "- **{name}** {}", all.join(", ")).expect("into memory");
    }
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut scalar = Section::new();
    for f in function::functions().iter().filter(|f| !f.is_unsupported()) {
        let arguments = listed(f.arguments, f.variadic.is_some(), f.defaults);
        add(&mut scalar, f.name, arguments, &f.result.display_name());
    }
    for f in host_functions() {
        let arguments = listed(f.arguments, f.variadic.is_some(), f.defaults);
        add(&mut scalar, f.name, arguments, &f.result.display_name());
    }
    write_section("Functions", &scalar, &mut out);
    let mut sets = Section::new();
    for f in table_functions() {
        let arguments = listed(f.arguments, f.variadic.is_some(), f.defaults);
        let result = match f.columns {
            [] if f.needs_definition => "rows of a column definition list".to_owned(),
            [] => format!("setof {}", f.result.display_name()),
            columns => {
                let columns: Vec<String> =
                    columns.iter().map(|(name, id)| format!("{name} {}", id.display_name())).collect();
                format!("table ({})", columns.join(", "))
            }
        };
        add(&mut sets, f.name, arguments, &result);
    }
    write_section("Set-returning functions", &sets, &mut out);
    let mut aggregates = Section::new();
    for f in aggregate::aggregates() {
        let is_variadic = f.kind.is_hypothetical();
        let arguments =
            if f.arguments.is_empty() { "*".to_owned() } else { listed(f.arguments, is_variadic, 0) };
        add(&mut aggregates, f.name, arguments, &f.result.display_name());
    }
    write_section("Aggregates", &aggregates, &mut out);
    let mut windows = Section::new();
    for f in window_functions() {
        add(&mut windows, f.name, listed(f.arguments, false, 0), &f.result.display_name());
    }
    write_section("Window functions", &windows, &mut out);
    let mut by_symbol = Section::new();
    for o in operators() {
        let arguments = match o.left {
            Some(left) => format!("{}, {}", left.display_name(), o.right.display_name()),
            None => o.right.display_name(),
        };
        // A bar would end a table's cell, an asterisk begin emphasis: the symbol stands in code.
        add(&mut by_symbol, &format!("`{}`", o.name), arguments, &o.result.display_name());
    }
    write_section("Operators", &by_symbol, &mut out);
    write_refused(&mut out);
    out
}

fn write_refused(out: &mut String) {
    let mut partly = Section::new();
    for f in function::functions().iter().filter(|f| f.is_unsupported()) {
        add(&mut partly, f.name, listed(f.arguments, false, 0), &f.result.display_name());
    }
    for f in HOST_FUNCTIONS.iter().copied().flatten().filter(|f| super::refused::refuses(f.oid)) {
        add(&mut partly, f.name, listed(f.arguments, false, 0), &f.result.display_name());
    }
    write_section("Refused with these arguments", &partly, out);
    let callable: BTreeSet<&str> = function::functions()
        .iter()
        .map(|f| f.name)
        .chain(HOST_FUNCTIONS.iter().copied().flatten().map(|f| f.name))
        .chain(TABLE_FUNCTIONS.iter().copied().flatten().map(|f| f.name))
        .chain(aggregate::aggregates().iter().map(|f| f.name))
        .chain(window_functions().map(|f| f.name))
        .collect();
    let missing: Vec<String> =
        known_names().filter(|name| !callable.contains(name)).map(|name| format!("`{name}`")).collect();
    write!(out, "\n## Refused by name\n\n{}\n", missing.join(", ")).expect("into memory");
}

#[test]
fn document_is_what_the_code_has() {
    let page = page();
    if std::env::var_os("HEXALOG_WRITE_DOCS").is_some() {
        #[expect(clippy::disallowed_methods, reason = "a test writes the page")]
        std::fs::write(PAGE, &page).expect("docs can be written");
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(found == page, "docs/sql/functions.md is stale; HEXALOG_WRITE_DOCS=1 writes it");
}
