//! The syntax tree that the binder reads: PostgreSQL's statements as far as they are supported.
//!
//! Owns the tree's types, a file for each part of the language; names and types, which stand everywhere, are here.
//! Whatever the parser crate can express and this tree cannot is refused while the tree is built (see `parse/query.rs`,
//! `parse/expression.rs`), so no clause is ever dropped in silence. Identifiers are folded already.

mod cursor;
mod database;
mod definition;
mod expression;
mod modify;
mod query;
mod statement;
mod window;

pub(crate) use cursor::*;
pub(crate) use database::*;
pub(crate) use definition::*;
pub(crate) use expression::*;
pub(crate) use modify::*;
pub(crate) use query::*;
pub(crate) use statement::*;
pub(crate) use window::*;

/// A possibly qualified name with the character position of its first part (1-based, 0 unknown).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub parts: Vec<String>,
    pub position: u32,
}

impl Name {
    pub(crate) fn single(name: &str) -> Name {
        Name { parts: vec![name.to_owned()], position: 0 }
    }

    /// The last part.
    pub(crate) fn last(&self) -> &str {
        self.parts.last().expect("a name has at least one part")
    }

    /// The part before the last: the schema of a relation.
    pub(crate) fn qualifier(&self) -> Option<&str> {
        self.parts.len().checked_sub(2).map(|at| self.parts[at].as_str())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// A type as written: name, modifiers, array or not.
#[derive(Clone, Debug)]
pub(crate) struct TypeName {
    /// `pg_catalog` or nothing; other schemas have no types.
    pub schema: Option<String>,
    /// Folded name as `type_from_name` takes it.
    pub name: String,
    pub modifiers: Vec<i64>,
    pub array: bool,
    /// Where the name begins; 0 if unknown, as for types that are words of the grammar.
    pub position: u32,
}

impl TypeName {
    /// A name alone, at no known place.
    pub(crate) fn single(name: &str) -> TypeName {
        TypeName { schema: None, name: name.to_owned(), modifiers: Vec::new(), array: false, position: 0 }
    }
}
