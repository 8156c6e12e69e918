//! Histories of lists and registers that real clients have recorded: read from a file, for the checkers that simulated ones go through.
//!
//! Owns the format, which `tests/torture` writes: a line for each transaction, in the order of their begins, and one for each of its
//! operations behind it.
//!
//! ```text
//! transaction CLIENT rc|rr|ser ok|no|maybe BEGAN_US ENDED_US
//! append LIST ELEMENT
//! read LIST ELEMENT,ELEMENT,…      (or -: the list is empty)
//! write REGISTER VALUE REPLACED    (or -: nobody was told what it replaced)
//! look FROM TO SHELF REGISTER:VALUE:REPLACED,…     (SHELF or -: of all shelves; or -: none has a row)
//! ```

use crate::checkers::{Violation, find_violation};
use crate::history::{History, Level, Op, Outcome};
use std::collections::BTreeMap;

/// A history, or the line that is none.
pub fn parse(text: &str) -> Result<History, String> {
    let mut history = History::default();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        parse_line(&mut history, &words).ok_or_else(|| format!("line {}: {line}", number + 1))?;
    }
    Ok(history)
}

fn parse_line(history: &mut History, words: &[&str]) -> Option<()> {
    match *words {
        ["transaction", client, level, outcome, began_us, ended_us] => {
            let level = match level {
                "rc" => Level::ReadCommitted,
                "rr" => Level::RepeatableRead,
                "ser" => Level::Serializable,
                _ => return None,
            };
            let outcome = match outcome {
                "ok" => Outcome::Ok,
                "no" => Outcome::Fail,
                "maybe" => Outcome::Unknown,
                _ => return None,
            };
            // Which process a client talked to is not known: each stands for one of its own.
            let client = client.parse().ok()?;
            let id = history.begin(client, client as u64, level, began_us.parse().ok()?);
            history.end(id, outcome, ended_us.parse().ok()?);
        }
        ["append", key, element] => {
            let op = Op::Append { key: key.parse().ok()?, element: element.parse().ok()? };
            history.txns.last_mut()?.ops.push(op);
        }
        ["read", key, elements] => {
            let from = key.parse().ok()?;
            let mut lists = BTreeMap::new();
            if elements != "-" {
                let elements: Result<Vec<u64>, _> = elements.split(',').map(str::parse).collect();
                lists.insert(from, elements.ok()?);
            }
            history.txns.last_mut()?.ops.push(Op::ReadLists { from, to: from + 1, lists });
        }
        ["write", key, value, replaced] => {
            let replaced = if replaced == "-" { None } else { Some(replaced.parse().ok()?) };
            let op = Op::WriteRegister { key: key.parse().ok()?, value: value.parse().ok()?, replaced };
            history.txns.last_mut()?.ops.push(op);
        }
        ["look", from, to, shelf, rows] => {
            let shelf = if shelf == "-" { None } else { Some(shelf.parse().ok()?) };
            let mut found = BTreeMap::new();
            for row in rows.split(',').filter(|row| *row != "-") {
                let [key, value, replaced] = row.split(':').collect::<Vec<_>>()[..] else { return None };
                found.insert(key.parse().ok()?, (value.parse().ok()?, replaced.parse().ok()?));
            }
            let op = Op::ReadRegisters { from: from.parse().ok()?, to: to.parse().ok()?, shelf, found };
            history.txns.last_mut()?.ops.push(op);
        }
        _ => return None,
    }
    Some(())
}

/// How old what a writer tells that has been replaced may be, by default.
const STALE_READ_MAX_US: u64 = 1_000_000;

/// What is wrong with a history.
pub fn check(history: &History) -> Result<(), Violation> {
    find_violation(history, STALE_READ_MAX_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "\
transaction 1 rr ok 10 20
append 3 7
read 3 7
transaction 2 rc maybe 15 30
read 3 -
append 3 8
write 5 9 0
write 5 10 9
transaction 7 ser ok 35 37
look 0 9 2 5:10:9
look 0 9 1 -
transaction 9 rr ok 40 50
read 3 7,8
look 0 9 - 5:10:9
";

    #[test]
    fn what_clients_recorded_is_held_to_the_rules() {
        let check_text = |text: &str| check(&parse(text).expect("a history"));
        assert_eq!(check_text(FINE), Ok(()));
        for (from, to, checker) in [
            ("read 3 7,8", "read 3 8", "durability"),
            ("read 3 7,8", "read 3 -", "durability"),
            ("2 rc maybe", "2 rc no", "isolation"),
            ("read 3 7,8", "read 3 7,8,9", "versions"),
            ("look 0 9 - 5:10:9", "look 0 9 - -", "isolation"),
            ("look 0 9 1 -", "look 0 9 1 5:10:9", "registers"),
            ("write 5 9 0", "write 5 9 -", "registers"),
            // A lost update.
            ("2 rc maybe", "2 rr maybe", "isolation"),
        ] {
            let text = FINE.replace(from, to);
            let violation = check_text(&text).expect_err("one thing is wrong");
            assert_eq!(violation.checker, checker, "{violation}\n{text}");
        }
    }

    #[test]
    fn what_is_no_history_is_named() {
        for line in
            ["append 1 2", "transaction 1 xx ok 1 2", "read 1", "transaction 1 rr ok 1", "look 0 9 - 5:1"]
        {
            assert_eq!(parse(line).err(), Some(format!("line 1: {line}")));
        }
    }
}
