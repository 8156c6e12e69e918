//! Scripts of others in sqllogictest's form, which a package registry has: their statements on both servers.
//!
//! What such a script expects is its own system's answer, in that system's dialect. PostgreSQL is the oracle here too: of each
//! statement only the text is taken, and it must come to the same on both, be it a refusal. Each file has a new database.

use crate::compare::{Outcome, Server, Tally, Verdict, connect, judge, run};
use crate::script::Statement;
use hexalog_sql_client::{ClientError, Connection};
use sqllogictest::{Condition, DefaultColumnType, QueryExpect, Record};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package with scripts.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    name: &'static str,
    version: &'static str,
    /// Its folder of scripts.
    folder: &'static str,
}

/// All of them, both under the Apache licence; nothing of them is kept here.
pub const PACKAGES: [Package; 2] = [
    Package { name: "datafusion-sqllogictest", version: "55.2.0", folder: "test_files" },
    Package { name: "risinglight", version: "0.2.0", folder: "tests/sql" },
];
/// Database that a file's statements run in.
const DATABASE: &str = "corpus";
/// Set in each session: a statement of a script takes no longer.
const SET_UP: &str = "SET statement_timeout = '20s'; SET timezone = 'UTC'";
/// What depends on the moment, on chance, or on the server's own files, or shows a plan.
const PASSED_OVER: [&str; 13] = [
    "explain",
    "now()",
    "now ()",
    "current_time",
    "current_date",
    "random()",
    "uuid()",
    "information_schema",
    "external table",
    "show ",
    "copy ",
    "today()",
    "version()",
];

/// A statement of a script.
#[derive(Clone, Debug)]
pub struct CorpusStatement {
    line: u32,
    statement: Statement,
}

fn is_change(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    !["select", "with", "values"].contains(&first.as_str())
}

/// A statement of a script that comes to something else.
#[derive(Clone, Debug)]
pub struct CorpusDifference {
    file: PathBuf,
    statement: CorpusStatement,
    /// PostgreSQL's and ours.
    outcomes: [Outcome; 2],
}

impl fmt::Display for CorpusDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:\n{};", self.file.display(), self.statement.line, self.statement.statement.text)?;
        writeln!(f, "  PostgreSQL: {}", self.outcomes[0])?;
        write!(f, "  Hexalog:    {}", self.outcomes[1])
    }
}

impl Package {
    /// Sees to it that its files are there: the folder of scripts. `Err` says why not.
    pub fn install(&self) -> Result<PathBuf, String> {
        let Package { name, version, folder } = self;
        // Of all that cargo does with a package this takes no other along.
        let package = format!("{name}@{version}");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let got = Command::new(cargo).args(["info", "--quiet", &package]).current_dir("/").output();
        let got = got.map_err(|error| format!("cargo info {package}: {error}"))?;
        if !got.status.success() {
            return Err(format!("cargo info {package}: {}", String::from_utf8_lossy(&got.stderr)));
        }
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let sources = home.ok_or("there is no home directory")?.join("registry/src");
        let registries =
            std::fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
        let folders = registries
            .flatten()
            .map(|registry| registry.path().join(format!("{name}-{version}")).join(folder));
        let mut found = folders.filter(|folder| folder.is_dir());
        found.next().ok_or_else(|| format!("{package} has no {folder} below {}", sources.display()))
    }
}

/// Scripts below a folder, in order.
pub fn scripts(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Statements of a script that PostgreSQL is to run.
pub fn statements(file: &Path) -> Result<Vec<CorpusStatement>, String> {
    let records = sqllogictest::parse_file::<DefaultColumnType>(file)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(records.into_iter().filter_map(statement).collect())
}

fn statement(record: Record<DefaultColumnType>) -> Option<CorpusStatement> {
    let (location, conditions, text, is_sorted) = match record {
        Record::Statement { loc, conditions, sql, .. } => (loc, conditions, sql, false),
        Record::Query { loc, conditions, sql, expected, .. } => {
            let is_sorted = matches!(&expected, QueryExpect::Results { sort_mode: Some(_), .. });
            (loc, conditions, sql, is_sorted)
        }
        _ => return None,
    };
    let is_other = |condition: &Condition| match condition {
        Condition::OnlyIf { label } => label != "postgres",
        Condition::SkipIf { label } => label == "postgres",
    };
    let small = text.to_lowercase();
    if conditions.iter().any(is_other) || PASSED_OVER.iter().any(|word| small.contains(word)) {
        return None;
    }
    let outermost = small.rsplit(')').next().unwrap_or_default();
    Some(CorpusStatement {
        line: location.line(),
        statement: Statement {
            is_ordered: !is_sorted && outermost.contains("order by"),
            is_change: is_change(&text),
            is_certain: false,
            text,
        },
    })
}

/// Runs a script on both, to its end or to where the two are not of one state any more.
pub fn compare_script(
    servers: &[Server; 2],
    file: &Path,
    statements: &[CorpusStatement],
    tally: &mut Tally,
) -> Result<Vec<CorpusDifference>, ClientError> {
    let mut connections = [begin(&servers[0])?, begin(&servers[1])?];
    let mut differences = Vec::new();
    for statement in statements {
        let outcomes = connections.each_mut().map(|connection| run(connection, &statement.statement.text));
        tally.statements += 1;
        let is_refused = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused(..)));
        match judge(&statement.statement, &outcomes[0], &outcomes[1]) {
            Verdict::Same => continue,
            Verdict::SameRefusal => tally.refused += 1,
            // Of a dialect that neither knows: which fault of a statement is met first is no one's business.
            Verdict::Different if is_refused => tally.refused_otherwise += 1,
            Verdict::Undetermined => tally.undetermined += 1,
            Verdict::Known => tally.known += 1,
            Verdict::Different => {
                let (file, statement) = (file.to_path_buf(), statement.clone());
                differences.push(CorpusDifference { file, statement, outcomes: outcomes.clone() });
            }
        }
        let is_broken = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Broken(_)));
        if is_broken || !is_refused && statement.statement.is_change {
            break;
        }
    }
    Ok(differences)
}

/// A session in a new database.
fn begin(server: &Server) -> Result<Connection, ClientError> {
    let mut first = connect(server, "postgres")?;
    run(&mut first, &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"));
    run(&mut first, &format!("CREATE DATABASE {DATABASE}"));
    let mut connection = connect(server, DATABASE)?;
    run(&mut connection, SET_UP);
    Ok(connection)
}
