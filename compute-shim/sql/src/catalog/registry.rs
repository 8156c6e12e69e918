//! `reg…` values: the text of an object's number and back.
//!
//! Owns what `EvalEnv`'s host answers for a session: `regclass`, `regtype`, `regproc`, `regprocedure`, `regnamespace`,
//! `regrole`, and the splitting of qualified names that stand in text values. Numbers and `-` never come here: `sql-types`
//! reads and prints them.

use super::object::{EnumLabel, Oid};
use super::system::{Routine, foreign_type_name, routine_by_name, routine_name, routines};
use super::{Catalog, Relation, type_shown};
use crate::session::SessionView;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::{format_type, marked_value};
use hexalog_sql_types::{EnumValue, SqlError, SqlState, TypeId};
use std::sync::Arc;

/// How PostgreSQL prints the object, quoted and qualified where needed; `None` if there is none.
pub(crate) fn registry_name(view: &SessionView, id: TypeId, oid: u32) -> Option<String> {
    let catalog = view.catalog();
    match id {
        TypeId::REGCLASS => catalog.relation(oid).map(|relation| relation_name(view, &relation)),
        TypeId::REGTYPE => {
            let known = TypeId(oid).info().map(|_| format_type(TypeId(oid), None));
            let known = known.or_else(|| type_shown(view, TypeId(oid)));
            known.or_else(|| foreign_type_name(oid).map(str::to_owned))
        }
        TypeId::REGPROC => procedure_name(oid),
        TypeId::REGPROCEDURE => match routines().find(|routine| routine.oid == oid) {
            Some(routine) => Some(signature(&routine)),
            None => routine_name(oid).map(quote_identifier),
        },
        TypeId::REGNAMESPACE => catalog.schema(oid).map(|schema| quote_identifier(&schema.name)),
        TypeId::REGROLE => catalog.role(oid).map(|role| quote_identifier(&role.name)),
        _ => None,
    }
}

/// The object that a text names; 42P01 and the like if there is none.
pub(crate) fn registry_oid(view: &SessionView, id: TypeId, name: &str) -> Result<u32> {
    match id {
        TypeId::REGCLASS => relation_by_name(view, name).map(|relation| relation.oid()),
        TypeId::REGTYPE => type_by_name(view, name),
        TypeId::REGPROC => procedure_by_name(view, name),
        TypeId::REGPROCEDURE => procedure_by_signature(view, name),
        TypeId::REGNAMESPACE => schema_by_name(view, &single_name(name)?),
        TypeId::REGROLE => role_by_name(view, &single_name(name)?),
        _ => Err(SqlError::unsupported(format!("looking up {} values", id.display_name()))),
    }
}

/// The label of a value of an enum type.
pub(crate) fn enum_label(catalog: &Catalog, value: EnumValue) -> Option<Arc<str>> {
    let label = catalog.enum_type(value.id)?.by_key(value.key)?;
    Some(label.label.clone())
}

/// The value that a label means in an enum type, or that a mark in a text of the catalog stands for. 22P02, 55P04.
pub(crate) fn enum_key(view: &SessionView, id: TypeId, label: &str) -> Result<i64> {
    let object = view
        .catalog()
        .enum_type(id)
        .ok_or_else(|| SqlError::internal(format!("cache lookup failed for type {}", id.0)))?;
    let found = match marked_value(label) {
        Some(key) => object.by_key(key),
        None => object.position(label).map(|at| &object.labels[at]),
    };
    let found = found.ok_or_else(|| {
        let message = format!("invalid input value for enum {}: \"{label}\"", id.display_name());
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })?;
    check_usable(id, found)?;
    Ok(found.key)
}

/// 55P04 for a value that its transaction has yet to commit.
pub(crate) fn check_usable(id: TypeId, label: &EnumLabel) -> Result<()> {
    if !label.is_new {
        return Ok(());
    }
    let message = format!("unsafe use of new value \"{}\" of enum type {}", label.label, id.display_name());
    Err(SqlError::new(SqlState::UNSAFE_NEW_ENUM_VALUE_USAGE, message)
        .with_hint("New enum values must be committed before they can be used."))
}

/// A relation's name as it must be written in this session: qualified unless the search path leads to it.
pub(crate) fn relation_name(view: &SessionView, relation: &Relation) -> String {
    match view.catalog().is_visible(view.search_path(), relation) {
        true => quote_identifier(relation.name()),
        false => qualified_name(view, relation),
    }
}

/// A relation's name with its schema.
pub(crate) fn qualified_name(view: &SessionView, relation: &Relation) -> String {
    let schema = view.catalog().schema_name(relation.schema());
    format!("{}.{}", quote_identifier(schema), quote_identifier(relation.name()))
}

/// The relation that a text names, folded and quoted as identifiers are. 42P01, 3F000, 42602, 0A000.
pub(crate) fn relation_by_name(view: &SessionView, text: &str) -> Result<Relation> {
    let catalog = view.catalog();
    let parts = split_name(text)?;
    let missing = || {
        let message = format!("relation \"{}\" does not exist", parts.join("."));
        SqlError::new(SqlState::UNDEFINED_TABLE, message)
    };
    let (schema, name) = match &*parts {
        [name] => return catalog.relation_on_path(view.search_path(), name).ok_or_else(missing),
        [schema, name] => (schema, name),
        [database, schema, name] if *database == view.database => (schema, name),
        [_, _, _] => {
            let message = format!("cross-database references are not implemented: \"{}\"", parts.join("."));
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        _ => {
            let message = format!("improper relation name (too many dotted names): {}", parts.join("."));
            return Err(SqlError::syntax(message));
        }
    };
    catalog.relation_in(schema_by_name(view, schema)?, name).ok_or_else(missing)
}

/// 3F000 if there is no such schema.
pub(crate) fn schema_by_name(view: &SessionView, name: &str) -> Result<Oid> {
    let found = view.schema_in(view.catalog(), name).map(|schema| schema.oid);
    found.ok_or_else(|| {
        SqlError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    })
}

/// 42704 if there is no such role.
pub(crate) fn role_by_name(view: &SessionView, name: &str) -> Result<Oid> {
    let found = view.catalog().role_by_name(name).map(|role| role.oid);
    found.ok_or_else(|| SqlError::undefined_object("role", name))
}

fn type_by_name(view: &SessionView, text: &str) -> Result<Oid> {
    let name = crate::parse::type_name(text)?;
    if let Some(schema) = &name.schema {
        schema_by_name(view, schema)?;
    }
    crate::bind::type_of(view, &name).map(|(id, _)| id.0)
}

/// Qualified where the name alone would not lead back to this one.
fn procedure_name(oid: Oid) -> Option<String> {
    let name = match routines().find(|routine| routine.oid == oid) {
        Some(routine) => routine.name,
        None => routine_name(oid)?,
    };
    let quoted = quote_identifier(name);
    Some(if procedures(name).len() == 1 { quoted } else { format!("pg_catalog.{quoted}") })
}

/// All routines of a name, those without a row in `pg_proc` included.
fn procedures(name: &str) -> Vec<Oid> {
    let mut found: Vec<Oid> =
        routines().filter(|routine| routine.name == name).map(|routine| routine.oid).collect();
    found.extend(routine_by_name(name));
    found.sort_unstable();
    found.dedup();
    found
}

fn procedure_by_name(view: &SessionView, text: &str) -> Result<Oid> {
    let name = procedure_part(view, text)?;
    match &*name.map_or_else(Vec::new, |name| procedures(&name)) {
        [] => {
            let message = format!("function \"{text}\" does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
        }
        [oid] => Ok(*oid),
        _ => {
            let message = format!("more than one function named \"{text}\"");
            Err(SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message))
        }
    }
}

/// The name without its schema; `None` if the schema is not the one that all routines are in.
fn procedure_part(view: &SessionView, text: &str) -> Result<Option<String>> {
    let mut parts = split_name(text)?;
    let name = parts.pop();
    match &*parts {
        [] => Ok(name),
        [schema] => {
            schema_by_name(view, schema)?;
            Ok(name.filter(|_| schema == "pg_catalog"))
        }
        _ => Err(SqlError::new(SqlState::INVALID_NAME, "invalid name syntax")),
    }
}

fn procedure_by_signature(view: &SessionView, text: &str) -> Result<Oid> {
    let invalid = |message: &str| SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message);
    let open = text.find('(').ok_or_else(|| invalid("expected a left parenthesis"))?;
    let inner = text[open + 1..].trim_end();
    let inner = inner.strip_suffix(')').ok_or_else(|| invalid("expected a right parenthesis"))?;
    let mut arguments = Vec::new();
    if !inner.trim().is_empty() {
        for argument in inner.split(',') {
            arguments.push(TypeId(type_by_name(view, argument.trim())?));
        }
    }
    let name = procedure_part(view, &text[..open])?;
    let found =
        routines().find(|routine| Some(routine.name) == name.as_deref() && routine.arguments == arguments);
    found.map(|routine| routine.oid).ok_or_else(|| {
        SqlError::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))
    })
}

/// `name(type,type)`, as `regprocedure` prints.
fn signature(routine: &Routine) -> String {
    let arguments: Vec<String> = routine.arguments.iter().map(|&id| format_type(id, None)).collect();
    format!("{}({})", quote_identifier(routine.name), arguments.join(","))
}

/// A text that must be one identifier.
fn single_name(text: &str) -> Result<String> {
    let mut parts = split_name(text)?;
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Err(SqlError::new(SqlState::INVALID_NAME, "invalid name syntax")),
    }
}

/// Splits `a."B c".d` into its identifiers, those without quotes folded to lower case. 42602.
pub(crate) fn split_name(text: &str) -> Result<Vec<String>> {
    let invalid = || SqlError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let part = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (part, behind) = quoted_part(quoted).ok_or_else(invalid)?;
                rest = behind;
                part
            }
            None => {
                let end = rest.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(rest.len());
                let (part, behind) = rest.split_at(end);
                rest = behind;
                part.to_lowercase()
            }
        };
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// The identifier up to its closing quote, two quotes standing for one, and what follows.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('"')?;
        part.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                part.push('"');
                rest = behind;
            }
            None => return Some((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_identifiers() {
        for (text, expected) in [
            ("a", Some(vec!["a"])),
            (" Ab . \"C d\" ", Some(vec!["ab", "C d"])),
            ("\"a\"\"b\".c", Some(vec!["a\"b", "c"])),
            ("a.b.c", Some(vec!["a", "b", "c"])),
            ("", None),
            ("\"", None),
            ("\"\"", None),
            ("a b", None),
            ("a..b", None),
            ("a.", None),
        ] {
            match (split_name(text), expected) {
                (Ok(parts), Some(expected)) => assert_eq!(parts, expected, "{text}"),
                (Err(error), None) => assert_eq!(error.to_string(), "ERROR 42602: invalid name syntax"),
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
    }
}
