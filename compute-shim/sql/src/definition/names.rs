//! Names that PostgreSQL makes for constraints, indexes and sequences.
//!
//! Owns their form, `table_column_label`, cut to fit a name, and the numbers behind taken ones. Names that the same
//! statement has given are remembered, since they are not in the catalog yet.

use crate::catalog::Catalog;
use crate::catalog::object::Oid;
use std::collections::BTreeSet;

/// Bytes of a name (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;

/// The longest prefix of at most `bytes` bytes that ends between characters.
fn clip(name: &str, bytes: usize) -> &str {
    let mut end = name.len().min(bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// PostgreSQL's `makeObjectName`: the label is kept whole, the longer of the two names is cut first.
fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(second.is_some());
    let available = NAME_BYTES_MAX - overhead;
    let (mut first_bytes, mut second_bytes) = (first.len(), second.map_or(0, str::len));
    while first_bytes + second_bytes > available {
        if first_bytes > second_bytes {
            first_bytes -= 1;
        } else {
            second_bytes -= 1;
        }
    }
    match second {
        Some(second) => format!("{}_{}_{label}", clip(first, first_bytes), clip(second, second_bytes)),
        None => format!("{}_{label}", clip(first, first_bytes)),
    }
}

/// The columns' part of an index's name.
pub(super) fn joined_columns<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(column);
        // PostgreSQL stops here too: more could not be kept anyway.
        if joined.len() > NAME_BYTES_MAX {
            break;
        }
    }
    joined
}

/// The names of one schema, with those that the statement adds.
pub(super) struct Names<'a> {
    catalog: &'a Catalog,
    schema: Oid,
    relations: BTreeSet<String>,
    constraints: BTreeSet<String>,
    /// Names of stored indexes and constraints that fall in this statement.
    freed: BTreeSet<String>,
}

impl Names<'_> {
    pub(super) fn new(catalog: &Catalog, schema: Oid) -> Names<'_> {
        let (relations, constraints, freed) = Default::default();
        Names { catalog, schema, relations, constraints, freed }
    }

    /// Whether a relation has the name.
    pub(super) fn is_relation(&self, name: &str) -> bool {
        let stored = || !self.freed.contains(name) && self.catalog.relation_in(self.schema, name).is_some();
        self.relations.contains(name) || stored()
    }

    fn is_constraint(&self, name: &str) -> bool {
        let stored = || {
            self.catalog.tables().filter(|table| table.schema == self.schema).any(|table| {
                table.checks.iter().any(|check| check.name == name)
                    || table.foreign_keys.iter().any(|key| key.name == name)
                    || table.indexes.iter().any(|index| index.constraint != 0 && index.name == name)
            })
        };
        self.constraints.contains(name) || (!self.freed.contains(name) && stored())
    }

    /// Notes that a stored index or constraint of this name falls.
    pub(super) fn free(&mut self, name: &str) {
        self.freed.insert(name.to_owned());
    }

    /// Notes a relation of this statement.
    pub(super) fn take_relation(&mut self, name: &str) {
        self.relations.insert(name.to_owned());
    }

    /// Notes a constraint of this statement.
    pub(super) fn take_constraint(&mut self, name: &str) {
        self.constraints.insert(name.to_owned());
    }

    fn choose(first: &str, second: Option<&str>, label: &str, is_taken: impl Fn(&str) -> bool) -> String {
        let mut name = object_name(first, second, label);
        let mut pass = 0u32;
        while is_taken(&name) {
            pass += 1;
            name = object_name(first, second, &format!("{label}{pass}"));
        }
        name
    }

    /// A name for a relation.
    pub(super) fn choose_relation(&mut self, first: &str, second: Option<&str>, label: &str) -> String {
        let name = Names::choose(first, second, label, |name| self.is_relation(name));
        self.take_relation(&name);
        name
    }

    /// A name for a constraint and its index.
    pub(super) fn choose_key(&mut self, first: &str, second: Option<&str>, label: &str) -> String {
        let taken = |name: &str| self.is_relation(name) || self.is_constraint(name);
        let name = Names::choose(first, second, label, taken);
        self.take_relation(&name);
        self.take_constraint(&name);
        name
    }

    /// A name for a constraint without an index.
    pub(super) fn choose_constraint(&mut self, first: &str, second: Option<&str>, label: &str) -> String {
        let name = Names::choose(first, second, label, |name| self.is_constraint(name));
        self.take_constraint(&name);
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object::{DATABASE_OID, PUBLIC_OID};

    #[test]
    fn names_are_cut_as_postgres_cuts_them() {
        let long = "x".repeat(63);
        for (first, second, label, expected) in [
            ("t", None, "pkey", "t_pkey".to_owned()),
            ("t", Some("a"), "key", "t_a_key".to_owned()),
            (&long, None, "pkey", format!("{}_pkey", "x".repeat(58))),
            (&long, Some("a"), "seq", format!("{}_a_seq", "x".repeat(57))),
            (&long, Some(&long), "key", format!("{}_{}_key", "x".repeat(29), "x".repeat(29))),
            ("ééééééééééééééééééééééééééééééé", None, "check", format!("{}_check", "é".repeat(28))),
        ] {
            assert_eq!(object_name(first, second, label), expected);
        }
    }

    #[test]
    fn taken_names_get_numbers() {
        let catalog = Catalog::empty(DATABASE_OID);
        let mut names = Names::new(&catalog, PUBLIC_OID);
        names.take_relation("t_a_key");
        assert_eq!(names.choose_key("t", Some("a"), "key"), "t_a_key1");
        assert_eq!(names.choose_key("t", Some("a"), "key"), "t_a_key2");
        assert_eq!(names.choose_constraint("t", Some("a"), "check"), "t_a_check");
        assert_eq!(names.choose_constraint("t", Some("a"), "check"), "t_a_check1");
        // A check does not take a relation's name, but a constraint's.
        assert_eq!(names.choose_constraint("t", Some("a"), "key"), "t_a_key");
    }

    #[test]
    fn columns_are_joined() {
        assert_eq!(joined_columns(["a", "b"].into_iter()), "a_b");
    }
}
