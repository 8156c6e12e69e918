//! A script of one seed: tables, their rows, then queries and changes.

use crate::call;
use crate::change;
use crate::query::Queries;
use crate::random::Random;
use crate::schema::Table;

/// One statement, and how its rows are to be compared.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// Rows come in one order alone.
    pub is_ordered: bool,
    /// It changes something: what comes after depends on it.
    pub is_change: bool,
    /// It is of constants: an error of a value is as certain as an answer.
    pub is_certain: bool,
}

impl Statement {
    fn change(text: impl Into<String>) -> Statement {
        Statement { text: text.into(), is_ordered: false, is_change: true, is_certain: false }
    }

    fn query(text: impl Into<String>) -> Statement {
        Statement { text: text.into(), is_ordered: false, is_change: false, is_certain: false }
    }

    fn call(text: impl Into<String>) -> Statement {
        Statement { is_certain: true, ..Statement::query(text) }
    }
}

/// Most tables of a script: what a run leaves is dropped by these names.
pub const TABLES_MAX: usize = 4;

/// What removes everything that a script makes.
pub fn clean_up() -> String {
    let tables: Vec<String> = (0..TABLES_MAX).map(|number| format!("t{number}")).collect();
    format!("rollback; drop table if exists {} cascade", tables.join(", "))
}

/// So many calls on constants.
pub fn calls(seed: u64, statements: usize) -> Vec<Statement> {
    let mut random = Random::new(seed);
    (0..statements).map(|_| Statement::call(call::draw(&mut random))).collect()
}

/// One script in so many has calls alone.
const CALLS_IN: usize = 4;

/// The script of a seed, of so many statements after its set-up.
pub fn draw(seed: u64, statements: usize) -> Vec<Statement> {
    let mut random = Random::new(seed);
    if random.one_in(CALLS_IN) {
        return calls(seed, statements);
    }
    let mut script = Vec::new();
    let mut tables = Vec::new();
    for number in 0..random.within(1, TABLES_MAX) {
        let (table, made_by) = Table::draw(number, &mut random);
        script.extend(made_by.into_iter().map(Statement::change));
        for _ in 0..random.within(1, 4) {
            let rows: Vec<String> = (0..random.within(1, 8)).map(|_| table.row(&mut random)).collect();
            if table.is_deferrable {
                let insert =
                    |row: &String| Statement::change(format!("insert into {} values {row}", table.name));
                script.extend(rows.iter().map(insert));
                continue;
            }
            let conflict = if table.key_columns > 0 { " on conflict do nothing" } else { "" };
            script.push(Statement::change(format!(
                "insert into {} values {}{conflict}",
                table.name,
                rows.join(", ")
            )));
        }
        if random.one_in(2) {
            script.push(Statement::change(format!("analyze {}", table.name)));
        }
        tables.push(table);
    }
    let mut is_open = false;
    for _ in 0..statements {
        match random.below(20) {
            0..=11 => {
                let query = Queries { tables: &tables }.draw(&mut random);
                script.push(Statement { is_ordered: query.is_ordered, ..Statement::query(query.text) });
            }
            12..=16 => script.push(Statement::change(change::draw(&tables, &mut random))),
            17 if !is_open => script.push(Statement::change(change::definition(&mut tables, &mut random))),
            _ => {
                let text = match (is_open, random.below(4)) {
                    (false, _) => "begin",
                    (true, 0) => "rollback",
                    (true, 1) => "commit",
                    (true, 2) => "savepoint a",
                    (true, _) => "rollback to a",
                };
                is_open = !matches!(text, "rollback" | "commit");
                script.push(Statement::change(text));
            }
        }
    }
    script.push(Statement::change("rollback"));
    for table in &tables {
        script.push(Statement::query(format!("select * from {}", table.name)));
    }
    script
}
