//! What real clients send, recorded against PostgreSQL 15 and replayed here, with PostgreSQL's answers.
//!
//! `corpus/<client>.sql` holds the traffic of one client, `corpus/<client>.out` the answers. Lines that begin with `--@`
//! are of the corpus, their fields separated by tabs:
//!
//! - `connect name=value …`: a new session with these start-up parameters;
//! - `query number mode`: the lines that follow are a Query message;
//! - `parse name types`: the lines that follow are the text of a Parse message;
//! - `execute number mode name formats values …`: Bind and Execute; `\N` is NULL, `\x…` a binary value;
//! - `copy lines` or `copy_numbered count rest`: data for the COPY FROM STDIN just before, written out, or a count of lines
//!   that each hold their number and the rest.
//!
//! The mode says what is compared: `equal` everything, `unordered` everything but the order of rows, `any` nothing: the
//! answer lists what belongs to the server (its version, its functions and types, sizes), and only has to come; `refused`:
//! the statement needs what this product does not have yet, and must be answered with 0A000.
//! `{oid:name}` in a text stands for the number of a relation; in answers, all numbers of five digits are `{oid}`.

mod harness;

use harness::{Answer, Client, Cluster};
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One step of a recording.
enum Action {
    Connect(Vec<(String, String)>),
    Query { number: u32, mode: String, text: String, copy: Vec<u8> },
    Parse { name: String, types: Vec<TypeId>, text: String },
    Execute { number: u32, mode: String, name: String, formats: Vec<i16>, values: Vec<Option<Vec<u8>>> },
}

fn numbers(list: &str) -> Vec<u32> {
    list.split(',').filter(|item| !item.is_empty()).map(|item| item.parse().expect("a number")).collect()
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, if c == '\\' { characters.next() } else { None }) {
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

fn parameter(field: &str) -> (Option<Vec<u8>>, i16) {
    if field == "\\N" {
        return (None, 0);
    }
    match field.strip_prefix("\\x") {
        Some(digits) => {
            let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
            (Some((0..digits.len()).step_by(2).map(digit).collect()), 1)
        }
        None => (Some(unescape(field).into_bytes()), 0),
    }
}

fn copy_data(fields: &[&str]) -> Vec<u8> {
    match fields {
        ["copy", lines] => unescape(lines).into_bytes(),
        ["copy_numbered", count, rest] => {
            let rest = unescape(rest);
            let count: u32 = count.parse().expect("a count");
            (1..=count).map(|number| format!("{number}{rest}\n")).collect::<String>().into_bytes()
        }
        _ => panic!("{fields:?} is no data"),
    }
}

fn actions(recording: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    for line in recording.lines() {
        let Some(directive) = line.strip_prefix("--@ ") else {
            let (Action::Query { text, .. } | Action::Parse { text, .. }) =
                actions.last_mut().expect("a directive comes first")
            else {
                panic!("no text belongs here: {line}");
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            continue;
        };
        let fields: Vec<&str> = directive.split('\t').collect();
        let number = |at: usize| fields[at].parse().expect("a number");
        actions.push(match fields[0] {
            "connect" => {
                let pair = |field: &&str| {
                    let (name, value) = field.split_once('=').expect("name=value");
                    (name.to_owned(), value.to_owned())
                };
                Action::Connect(fields[1..].iter().map(pair).collect())
            }
            "query" => {
                let (text, copy) = (String::new(), Vec::new());
                Action::Query { number: number(1), mode: fields[2].to_owned(), text, copy }
            }
            "parse" => {
                let types = numbers(fields[2]).into_iter().map(TypeId).collect();
                Action::Parse { name: fields[1].to_owned(), types, text: String::new() }
            }
            "execute" => {
                let (number, mode, name) = (number(1), fields[2].to_owned(), fields[3].to_owned());
                let formats = numbers(fields[4]).into_iter().map(|format| format as i16).collect();
                let values = fields[5..].iter().map(|field| parameter(field).0).collect();
                Action::Execute { number, mode, name, formats, values }
            }
            _ => {
                let Some(Action::Query { copy, .. }) = actions.last_mut() else { panic!("{line}") };
                *copy = copy_data(&fields);
                continue;
            }
        });
    }
    actions
}

/// The formats of an `execute`'s parameters.
fn parameter_formats(recording: &str, number: u32) -> Vec<i16> {
    let prefix = format!("--@ execute\t{number}\t");
    let line = recording.lines().find(|line| line.starts_with(&prefix)).expect("it is there");
    line.split('\t').skip(5).map(|field| parameter(field).1).collect()
}

fn escape(value: &Option<String>) -> String {
    match value {
        None => "∅".to_owned(),
        Some(value) => value.replace('\\', "\\\\").replace('\n', "\\n").replace('|', "\\p"),
    }
}

/// Numbers of five digits are those of objects, which differ from server to server.
fn without_oids(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |len| start + len);
        out.push_str(&rest[..start]);
        out.push_str(if end - start == 5 { "{oid}" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    out + rest
}

/// An answer as `.out` files have it.
fn shown(answer: &[Answer], is_ordered: bool) -> String {
    let mut out = String::new();
    let tags: Vec<&str> = answer.iter().map(|answer| answer.tag.as_str()).collect();
    if let Some(last) = answer.iter().rev().find(|answer| !answer.names.is_empty()) {
        let names = last.names.iter().map(|name| escape(&Some(name.clone())));
        let columns: Vec<String> =
            names.zip(&last.types).map(|(name, type_id)| format!("{name}:{}", type_id.0)).collect();
        writeln!(out, "columns {}", columns.join("|")).expect("writes");
    }
    let row = |row: &Vec<Option<String>>| {
        let values: Vec<String> = row.iter().map(escape).collect();
        without_oids(&values.join("|"))
    };
    let mut rows: Vec<String> = answer.iter().flat_map(|answer| answer.rows.iter().map(row)).collect();
    if !is_ordered {
        rows.sort();
    }
    for row in rows {
        writeln!(out, "row {row}").expect("writes");
    }
    writeln!(out, "tag {}", tags.join("; ")).expect("writes");
    out
}

/// Answers by the statement's number.
fn answers(out: &str) -> BTreeMap<u32, String> {
    let mut answers: BTreeMap<u32, String> = BTreeMap::new();
    let mut number = 0;
    for line in out.lines() {
        match line.strip_prefix("--@ ") {
            Some(next) => number = next.parse().expect("a number"),
            None => {
                let answer = answers.entry(number).or_default();
                answer.push_str(line);
                answer.push('\n');
            }
        }
    }
    answers
}

/// The text with the numbers of this cluster's relations.
fn with_oids(cluster: &Cluster, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{oid:") {
        let end = start + rest[start..].find('}').expect("a closing brace");
        out.push_str(&rest[..start]);
        let name = &rest[start + 5..end];
        let number = cluster.connect().value(&format!("SELECT '{name}'::regclass::oid"));
        out.push_str(&number.expect("the relation is there"));
        rest = &rest[end + 1..];
    }
    out + rest
}

fn execute(
    client: &mut Client<'_>,
    name: &str,
    parameter_formats: &[i16],
    values: &[Option<Vec<u8>>],
    formats: &[i16],
) -> Result<Answer, SqlError> {
    let values: Vec<Option<&[u8]>> = values.iter().map(|value| value.as_deref()).collect();
    client.session.bind("", name, parameter_formats, &values, formats)?;
    let described = client.session.describe_portal("")?;
    let mut answer = client.execute("", 0)?;
    if let Some(portal) = described {
        answer.names = portal.columns.iter().map(|column| column.name.to_string()).collect();
        answer.types = portal.columns.iter().map(|column| column.type_id).collect();
    }
    Ok(answer)
}

/// What went wrong in a replay, a paragraph each.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn check(
        &mut self,
        number: u32,
        text: &str,
        mode: &str,
        got: Result<Vec<Answer>, SqlError>,
        expected: &BTreeMap<u32, String>,
    ) {
        let finding = match got {
            Err(error) if mode == "refused" && error.sqlstate() == SqlState::FEATURE_NOT_SUPPORTED => return,
            Ok(_) if mode == "refused" => "--- is not refused any more: compare its answer\n".to_owned(),
            Err(error) => format!("--- here\n{error}\n"),
            Ok(_) if mode == "any" => return,
            Ok(answers) => {
                let got = shown(&answers, mode == "equal");
                let expected = &expected[&number];
                if *expected == got {
                    return;
                }
                format!("--- PostgreSQL\n{expected}--- here\n{got}")
            }
        };
        self.0.push(format!("{number}: {text}\n{finding}"));
    }
}

fn replay(cluster: &Cluster, recording: &str, out: &str) {
    let expected = answers(out);
    let mut client = cluster.connect();
    // By name: the text, and the error if Parse failed; the client's next messages fail with it.
    let mut texts: BTreeMap<String, (String, Option<SqlError>)> = BTreeMap::new();
    let mut findings = Findings::default();
    for action in actions(recording) {
        match action {
            Action::Connect(parameters) => {
                let parameters: Vec<(&str, &str)> =
                    parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                client = cluster.connect_with(&parameters).expect("connects");
                texts.clear();
            }
            Action::Query { number, mode, text, copy } => {
                let text = with_oids(cluster, &text);
                if !copy.is_empty() {
                    client.copy_from(&[&copy]);
                }
                let got = client.try_query(&text);
                findings.check(number, &text, &mode, got, &expected);
            }
            Action::Parse { name, types, text } => {
                let text = with_oids(cluster, &text);
                let failed = client.session.parse(&name, &text, &types).err();
                if let Some(error) = &failed {
                    client.fail(error);
                }
                texts.insert(name, (text, failed));
            }
            Action::Execute { number, mode, name, formats, values } => {
                let parameter_formats = parameter_formats(recording, number);
                let (text, failed) = texts.get(&name).expect("Parse comes first");
                let got = match failed {
                    Some(error) => Err(error.clone()),
                    None => execute(&mut client, &name, &parameter_formats, &values, &formats),
                };
                if let (Err(error), None) = (&got, failed) {
                    client.fail(error);
                }
                client.sync();
                findings.check(number, text, &mode, got.map(|answer| vec![answer]), &expected);
            }
        }
    }
    let count = findings.0.len();
    assert!(count == 0, "{count} answers differ\n\n{}", findings.0.join("\n"));
}

/// A cluster with the tables of `corpus/schema.sql`.
fn cluster_with_schema() -> Cluster {
    let cluster = Cluster::new();
    cluster.connect().query(include_str!("corpus/schema.sql"));
    cluster
}

macro_rules! recordings {
    ($($name:ident $cluster:expr;)*) => {
        $(#[test]
        fn $name() {
            let recording = include_str!(concat!("corpus/", stringify!($name), ".sql"));
            let out = include_str!(concat!("corpus/", stringify!($name), ".out"));
            replay(&$cluster, recording, out);
        })*
    };
}

recordings! {
    psql cluster_with_schema();
    psql_completion cluster_with_schema();
    pgbench Cluster::new();
    sysbench Cluster::new();
    psycopg2 cluster_with_schema();
    psycopg3 cluster_with_schema();
    sqlalchemy cluster_with_schema();
    pgjdbc cluster_with_schema();
    asyncpg cluster_with_schema();
    django cluster_with_schema();
    django_nested cluster_with_schema();
    psycopg3_nested cluster_with_schema();
    sqlalchemy_nested cluster_with_schema();
}
