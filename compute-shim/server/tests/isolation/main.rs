//! Sessions whose steps interleave: what each step comes to, who waits, and what goes on when, beside what PostgreSQL 15 did.
//!
//! The specs are in `specs/`, their form in `spec.rs`. `NAME.out` is what PostgreSQL 15 printed; Hexalog must print the same,
//! or, if the spec says why not (`differs:`), what stands in `NAME.hexalog.out`.
//!
//! - one spec: `HEXALOG_SPEC=NAME cargo test -p hexalog-server --test isolation`
//! - what PostgreSQL does, recorded anew: `HEXALOG_RECORD=postgresql cargo test …`; it is started for that. What Hexalog does
//!   where it differs: `HEXALOG_RECORD=hexalog`
#![allow(clippy::disallowed_methods)] // It has threads, and waits.

#[path = "../fixture/mod.rs"]
mod fixture;
mod run;
mod session;
mod spec;

use differential::postgresql::Postgresql;
use fixture::TestServer;
use std::path::{Path, PathBuf};

#[test]
fn rows() {
    check("rows");
}

#[test]
fn locks() {
    check("locks");
}

#[test]
fn serializable() {
    check("serializable");
}

/// Compares what the specs of a folder print, or records it.
fn check(folder: &str) {
    let record = std::env::var("HEXALOG_RECORD").ok();
    let theirs = record.as_ref().filter(|whose| *whose == "postgresql");
    let theirs = theirs.map(|_| Postgresql::start().expect("PostgreSQL starts"));
    let ours = TestServer::start();
    let address = theirs.as_ref().map_or(ours.address, |theirs| theirs.server().address);
    let mut differing = Vec::new();
    for path in specs(folder) {
        let name = path.file_stem().expect("a spec has a name").to_string_lossy();
        let spec = spec::parse(&text(&path)).unwrap_or_else(|error| panic!("{name}, {error}"));
        let (out, own_out) = (path.with_extension("out"), path.with_extension("hexalog.out"));
        let differs = !spec.differences.is_empty();
        if record.is_some() && theirs.is_none() && !differs {
            continue;
        }
        let printed = run::run(address, &name, &spec).unwrap_or_else(|error| panic!("{error}"));
        let expected = if differs && theirs.is_none() { own_out } else { out.clone() };
        if record.is_some() {
            std::fs::write(&expected, printed).expect("the folder can be written to");
            continue;
        }
        assert!(!differs || printed != text(&out), "{name}: it does not differ any more");
        let expected = text(&expected);
        if printed != expected {
            differing.push(format!("{name}, {}", difference(&expected, &printed)));
        }
    }
    assert!(differing.is_empty(), "{} specs differ\n{}", differing.len(), differing.join("\n"));
}

/// The specs of a folder, or the one that is asked for.
fn specs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isolation/specs").join(folder);
    let only = std::env::var("HEXALOG_SPEC").ok();
    let is_wanted = |path: &PathBuf| {
        let is = |part: Option<&std::ffi::OsStr>, name: &str| part.is_some_and(|part| part == name);
        is(path.extension(), "spec") && only.as_ref().is_none_or(|only| is(path.file_stem(), only))
    };
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(is_wanted).collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lines of both from a little before where they part, under the title of the scenario.
fn difference(expected: &str, printed: &str) -> String {
    const BEFORE: usize = 6;
    const SHOWN: usize = 14;
    let (expected, printed): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), printed.lines().collect());
    let same = expected.iter().zip(&printed).take_while(|(a, b)| a == b).count();
    let title = expected[..same].iter().rfind(|line| line.starts_with("== ")).unwrap_or(&"");
    let from = same.saturating_sub(BEFORE);
    let part = |lines: &[&str]| lines[from..lines.len().min(from + SHOWN)].join("\n");
    format!("{title}\n-- expected\n{}\n-- printed\n{}", part(&expected), part(&printed))
}
