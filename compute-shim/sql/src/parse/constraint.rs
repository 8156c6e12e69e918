//! Constraints of columns and tables, as CREATE TABLE and ALTER TABLE have them.
//!
//! Owns their grammar up to what may be said of each behind it. What a reference is stands in `foreign_key.rs`.

use super::definition::storage_clause;
use super::tree::{ColumnConstraint, Deferral, Expr, KeyOptions, NamedConstraint, TableConstraint};
use super::{Reader, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

pub(super) fn begins_table_constraint(reader: &Reader<'_>) -> bool {
    ["constraint", "primary", "unique", "check", "foreign", "exclude"]
        .iter()
        .any(|word| reader.peek_words(&[word]))
}

fn constraint_name(reader: &mut Reader<'_>) -> Result<Option<String>> {
    match reader.eat(&["constraint"]) {
        true => reader.identifier().map(Some),
        false => Ok(None),
    }
}

/// A constraint of a table; `is_new` if the table is made with it.
pub(super) fn table_constraint(
    reader: &mut Reader<'_>,
    is_new: bool,
) -> Result<NamedConstraint<TableConstraint>> {
    let position = reader.position();
    let name = constraint_name(reader)?;
    let mut constraint = if reader.eat(&["primary", "key"]) {
        key(reader, true, is_new.then_some(position))?
    } else if reader.eat(&["unique"]) {
        key(reader, false, is_new.then_some(position))?
    } else if reader.eat(&["check"]) {
        TableConstraint::Check { expr: check(reader)?, validated: true }
    } else if reader.eat(&["foreign", "key"]) {
        let columns = reader.column_list()?;
        let references = super::foreign_key::references(reader)?;
        TableConstraint::ForeignKey { columns, references, validated: true }
    } else if reader.peek_words(&["exclude"]) {
        return Err(refuse("EXCLUDE"));
    } else {
        return Err(reader.unexpected());
    };
    let said = characteristics(reader, false)?;
    // What is new has no row that it could not be valid for.
    let is_valid = is_new || !said.not_valid;
    match &mut constraint {
        TableConstraint::ForeignKey { references, validated, .. } => {
            (references.deferral, *validated) = (said.deferral, is_valid);
        }
        TableConstraint::PrimaryKey { options: KeyOptions { deferral, .. }, .. }
        | TableConstraint::Unique { options: KeyOptions { deferral, .. }, .. }
        | TableConstraint::KeyOfIndex { deferral, .. } => *deferral = said.deferral,
        TableConstraint::Check { validated, .. } => *validated = is_valid,
    }
    let kind = match &constraint {
        TableConstraint::ForeignKey { .. } => None,
        TableConstraint::Check { .. } => Some("CHECK"),
        TableConstraint::PrimaryKey { .. } | TableConstraint::KeyOfIndex { primary: true, .. } => {
            Some("PRIMARY KEY")
        }
        TableConstraint::Unique { .. } | TableConstraint::KeyOfIndex { .. } => Some("UNIQUE"),
    };
    let mark = match kind {
        Some("CHECK") if said.deferral != Deferral::Never => Some("DEFERRABLE"),
        Some(kind) if said.not_valid && kind != "CHECK" => Some("NOT VALID"),
        _ => None,
    };
    if let (Some(kind), Some(mark)) = (kind, mark) {
        let message = format!("{kind} constraints cannot be marked {mark}");
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(NamedConstraint { name, constraint, position })
}

/// A key of columns, or of an index that is there. `new_at`: where the constraint stands in a table that is being made.
fn key(reader: &mut Reader<'_>, primary: bool, new_at: Option<u32>) -> Result<TableConstraint> {
    if reader.eat(&["using", "index"]) {
        let index = reader.identifier()?;
        if let Some(position) = new_at {
            let message = "cannot use an existing index in CREATE TABLE";
            return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), position));
        }
        return Ok(TableConstraint::KeyOfIndex { primary, index, deferral: Deferral::Never });
    }
    if !primary {
        nulls_distinct(reader)?;
    }
    let columns = reader.column_list()?;
    let included = included_columns(reader)?;
    let options = key_options(reader)?;
    Ok(match primary {
        true => TableConstraint::PrimaryKey { columns, included, options },
        false => TableConstraint::Unique { columns, included, options },
    })
}

pub(super) fn nulls_distinct(reader: &mut Reader<'_>) -> Result<()> {
    if reader.eat(&["nulls", "not", "distinct"]) {
        return Err(refuse("NULLS NOT DISTINCT"));
    }
    let _ = reader.eat(&["nulls", "distinct"]);
    Ok(())
}

fn check(reader: &mut Reader<'_>) -> Result<Expr> {
    reader.expect_token(&Token::LParen)?;
    let expr = reader.expr()?;
    reader.expect_token(&Token::RParen)?;
    // Without inheritance NO INHERIT says nothing.
    let _ = reader.eat(&["no", "inherit"]);
    Ok(expr)
}

/// INCLUDE behind the columns of a key.
fn included_columns(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    if reader.eat(&["include"]) { reader.column_list() } else { Ok(Vec::new()) }
}

/// WITH and TABLESPACE behind a key.
fn key_options(reader: &mut Reader<'_>) -> Result<KeyOptions> {
    let parameters = storage_clause(reader)?;
    if reader.peek_words(&["using", "index", "tablespace"]) {
        return Err(refuse("TABLESPACE"));
    }
    Ok(KeyOptions { parameters, deferral: Deferral::Never })
}

/// What may be said of a constraint behind it.
#[derive(Clone, Copy)]
pub(super) struct Characteristics {
    pub deferral: Deferral,
    pub not_valid: bool,
}

/// DEFERRABLE, INITIALLY DEFERRED and their opposites, and behind what is no column's NOT VALID.
pub(super) fn characteristics(reader: &mut Reader<'_>, of_column: bool) -> Result<Characteristics> {
    let (mut deferrable, mut deferred, mut not_valid) = (None, None, false);
    loop {
        let position = reader.position();
        if !of_column && reader.eat(&["not", "valid"]) {
            not_valid = true;
            continue;
        }
        let (slot, value, words) = if reader.eat(&["not", "deferrable"]) {
            (&mut deferrable, false, "DEFERRABLE/NOT DEFERRABLE")
        } else if reader.eat(&["deferrable"]) {
            (&mut deferrable, true, "DEFERRABLE/NOT DEFERRABLE")
        } else if reader.eat(&["initially", "deferred"]) {
            (&mut deferred, true, "INITIALLY IMMEDIATE/DEFERRED")
        } else if reader.eat(&["initially", "immediate"]) {
            (&mut deferred, false, "INITIALLY IMMEDIATE/DEFERRED")
        } else {
            break;
        };
        if slot.replace(value).is_some() {
            return Err(at(SqlError::syntax(format!("multiple {words} clauses not allowed")), position));
        }
        if deferrable == Some(false) && deferred == Some(true) {
            let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
            return Err(at(SqlError::syntax(message), position));
        }
    }
    let deferral = match (deferrable, deferred) {
        (_, Some(true)) => Deferral::Deferred,
        (Some(true), _) => Deferral::Immediate,
        _ => Deferral::Never,
    };
    Ok(Characteristics { deferral, not_valid })
}

/// 42601 behind what of a column is neither a key nor a reference.
fn refuse_characteristics(reader: &Reader<'_>) -> Result<()> {
    const CLAUSES: [&[&str]; 4] =
        [&["not", "deferrable"], &["deferrable"], &["initially", "deferred"], &["initially", "immediate"]];
    match CLAUSES.iter().find(|words| reader.peek_words(words)) {
        None => Ok(()),
        Some(words) => {
            let message = format!("misplaced {} clause", words.join(" ").to_uppercase());
            Err(at(SqlError::syntax(message), reader.position()))
        }
    }
}

pub(super) fn column_constraint(
    reader: &mut Reader<'_>,
) -> Result<Option<NamedConstraint<ColumnConstraint>>> {
    for word in ["storage", "compression"] {
        if reader.peek_words(&[word]) {
            return Err(refuse(format!("{} of a column", word.to_uppercase())));
        }
    }
    let position = reader.position();
    if reader.eat(&["collate"]) {
        let constraint = ColumnConstraint::Collate(reader.name()?);
        return Ok(Some(NamedConstraint { name: None, constraint, position }));
    }
    let name = constraint_name(reader)?;
    let constraint = if reader.eat(&["not", "null"]) {
        ColumnConstraint::NotNull
    } else if reader.eat(&["null"]) {
        ColumnConstraint::Null
    } else if reader.eat(&["default"]) {
        ColumnConstraint::Default(reader.restricted_expr()?)
    } else if reader.eat(&["primary", "key"]) {
        ColumnConstraint::PrimaryKey(key_options(reader)?)
    } else if reader.eat(&["unique"]) {
        nulls_distinct(reader)?;
        ColumnConstraint::Unique(key_options(reader)?)
    } else if reader.eat(&["check"]) {
        ColumnConstraint::Check(check(reader)?)
    } else if reader.eat(&["generated"]) {
        generated(reader)?
    } else if reader.peek_words(&["references"]) {
        ColumnConstraint::References(super::foreign_key::references(reader)?)
    } else if name.is_some() {
        return Err(reader.unexpected());
    } else {
        return Ok(None);
    };
    let mut constraint = constraint;
    match &mut constraint {
        ColumnConstraint::References(references) => {
            references.deferral = characteristics(reader, true)?.deferral
        }
        ColumnConstraint::PrimaryKey(options) | ColumnConstraint::Unique(options) => {
            options.deferral = characteristics(reader, true)?.deferral;
        }
        _ => refuse_characteristics(reader)?,
    }
    if reader.peek_words(&["not", "valid"]) {
        reader.expect("not")?;
        return Err(reader.unexpected());
    }
    Ok(Some(NamedConstraint { name, constraint, position }))
}

pub(super) fn generated(reader: &mut Reader<'_>) -> Result<ColumnConstraint> {
    let position = reader.position();
    let always = reader.eat(&["always"]);
    if !always {
        reader.expect("by")?;
        reader.expect("default")?;
    }
    reader.expect("as")?;
    if !reader.eat(&["identity"]) {
        reader.expect_token(&Token::LParen)?;
        let expr = reader.expr()?;
        reader.expect_token(&Token::RParen)?;
        reader.expect("stored")?;
        if !always {
            let message = "for a generated column, GENERATED ALWAYS must be specified";
            return Err(at(SqlError::syntax(message), position));
        }
        return Ok(ColumnConstraint::Generated(expr));
    }
    let options = super::sequence::in_parentheses(reader)?;
    Ok(ColumnConstraint::Identity { always, options })
}
