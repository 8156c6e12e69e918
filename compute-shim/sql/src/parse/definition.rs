//! CREATE and ALTER: the grammar of definitions.
//!
//! Owns tables, indexes, sequences and schemas as far as they are supported; every other object and every other
//! clause is refused by name. Expressions and types inside are parsed by the parser crate. Read next: `catalog` for
//! what a definition becomes.

use super::constraint::{
    begins_table_constraint, characteristics, column_constraint, generated, nulls_distinct, table_constraint,
};
use super::statement::drop_behavior;
use super::tree::{
    AlterSchemaAction, AlterTableAction, ColumnConstraint, ColumnDefinition, CreateIndex, CreateTable,
    IndexElement, IndexTarget, NamedConstraint, ObjectKind, OnCommit, Statement, StorageParameter,
    TableConstraint,
};
use super::{Reader, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// CREATE …
pub(super) fn create(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("create")?;
    let or_replace = reader.eat(&["or", "replace"]);
    let temporary = is_temporary(reader);
    if reader.eat(&["view"]) {
        return super::view::create_view(reader, or_replace, temporary);
    }
    if or_replace || (temporary && reader.peek_words(&["recursive"])) {
        return Err(refused_object(reader, if or_replace { "OR REPLACE " } else { "TEMPORARY " }));
    }
    if reader.eat(&["table"]) {
        return create_table(reader, temporary);
    }
    if reader.eat(&["sequence"]) {
        return super::sequence::create(reader, temporary);
    }
    if temporary {
        return Err(reader.unexpected());
    }
    if reader.eat(&["unique", "index"]) {
        return create_index(reader, true);
    }
    if reader.eat(&["index"]) {
        return create_index(reader, false);
    }
    if reader.eat(&["schema"]) {
        return create_schema(reader);
    }
    if reader.eat(&["database"]) {
        return super::database::create(reader);
    }
    if reader.eat(&["type"]) {
        return super::enumeration::create_type(reader);
    }
    if reader.eat(&["extension"]) {
        return super::extension::create(reader);
    }
    Err(refused_object(reader, ""))
}

/// The refusal of an object of a kind that there is not.
fn refused_object(reader: &Reader<'_>, prefix: &str) -> SqlError {
    let Some(word) = reader.peek_word_nth(0) else { return reader.unexpected() };
    if !is_kind(word, !prefix.is_empty()) {
        return reader.unexpected();
    }
    let mut feature = format!("CREATE {prefix}{}", word.to_uppercase());
    let prefixes = ["global", "unlogged", "materialized", "foreign"];
    if let Some(next) = reader.peek_word_nth(1)
        && prefixes.contains(&word.to_ascii_lowercase().as_str())
    {
        feature = format!("{feature} {}", next.to_uppercase());
    }
    refuse(feature)
}

/// Whether PostgreSQL has such objects, here those that can be replaced or are temporary.
fn is_kind(word: &str, is_special: bool) -> bool {
    const SPECIAL: [&str; 8] =
        ["aggregate", "function", "language", "procedure", "recursive", "rule", "transform", "trigger"];
    const OTHERS: [&str; 30] = [
        "access",
        "cast",
        "collation",
        "constraint",
        "conversion",
        "default",
        "domain",
        "event",
        "foreign",
        "global",
        "group",
        "materialized",
        "operator",
        "policy",
        "procedural",
        "publication",
        "role",
        "server",
        "statistics",
        "subscription",
        "tablespace",
        "text",
        "trusted",
        "unlogged",
        "user",
        "index",
        "schema",
        "table",
        "type",
        "view",
    ];
    let is_among = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    is_among(&SPECIAL)
        || !is_special && is_among(&OTHERS)
        || is_special && is_among(&["trusted", "procedural"])
}

/// TEMPORARY, and LOCAL before it, which says nothing.
fn is_temporary(reader: &mut Reader<'_>) -> bool {
    [&["temp"][..], &["temporary"], &["local", "temp"], &["local", "temporary"]]
        .iter()
        .any(|words| reader.eat(words))
}

/// ON COMMIT. What it says of a table that is not temporary is refused once that is known.
fn on_commit(reader: &mut Reader<'_>) -> Result<Option<OnCommit>> {
    if !reader.eat(&["on", "commit"]) {
        return Ok(None);
    }
    for (words, action) in [
        (&["preserve", "rows"][..], OnCommit::PreserveRows),
        (&["delete", "rows"], OnCommit::DeleteRows),
        (&["drop"], OnCommit::Drop),
    ] {
        if reader.eat(words) {
            return Ok(Some(action));
        }
    }
    Err(reader.unexpected())
}

fn create_schema(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_not_exists = reader.eat(&["if", "not", "exists"]);
    if reader.peek_words(&["authorization"]) {
        return Err(refuse("CREATE SCHEMA AUTHORIZATION"));
    }
    let name = reader.identifier()?;
    if reader.peek_words(&["authorization"]) {
        return Err(refuse("CREATE SCHEMA AUTHORIZATION"));
    }
    if !reader.at_end() {
        return Err(refuse("CREATE SCHEMA with elements"));
    }
    Ok(Statement::CreateSchema { name, if_not_exists })
}

fn create_table(reader: &mut Reader<'_>, temporary: bool) -> Result<Statement> {
    let if_not_exists = reader.eat(&["if", "not", "exists"]);
    let name = reader.name()?;
    if reader.peek_words(&["of"]) {
        return Err(refuse("CREATE TABLE OF a type"));
    }
    if reader.peek_words(&["partition", "of"]) {
        return Err(refuse("PARTITION OF"));
    }
    if ["as", "on"].iter().any(|word| reader.peek_words(&[word])) || is_column_name_list(reader) {
        return create_table_as(reader, name, temporary, if_not_exists);
    }
    let (columns, constraints) = table_elements(reader)?;
    if reader.peek_words(&["inherits"]) {
        return Err(refuse("INHERITS"));
    }
    if reader.peek_words(&["partition", "by"]) {
        return Err(refuse("PARTITION BY"));
    }
    if reader.peek_words(&["using"]) {
        return Err(refuse("a table access method"));
    }
    let parameters = storage_clause(reader)?;
    let on_commit = on_commit(reader)?;
    if reader.peek_words(&["tablespace"]) {
        return Err(refuse("TABLESPACE"));
    }
    let table = CreateTable { name, temporary, on_commit, if_not_exists, columns, constraints, parameters };
    Ok(Statement::CreateTable(table))
}

/// `(a, b) AS`, as against column definitions: a name is followed by a comma or the closing parenthesis.
fn is_column_name_list(reader: &Reader<'_>) -> bool {
    let token = |nth| &reader.parser.peek_nth_token_ref(nth).token;
    *token(0) == Token::LParen
        && matches!(token(1), Token::Word(_))
        && matches!(token(2), Token::Comma | Token::RParen)
}

fn create_table_as(
    reader: &mut Reader<'_>,
    name: super::tree::Name,
    temporary: bool,
    if_not_exists: bool,
) -> Result<Statement> {
    let columns = match reader.parser.peek_token_ref().token {
        Token::LParen => reader.column_list()?,
        _ => Vec::new(),
    };
    let on_commit = on_commit(reader)?;
    reader.expect("as")?;
    if reader.peek_words(&["execute"]) {
        return Err(refuse("CREATE TABLE AS EXECUTE"));
    }
    let query = reader.query()?;
    let with_data = match reader.eat(&["with", "no", "data"]) {
        true => false,
        false => {
            let _ = reader.eat(&["with", "data"]);
            true
        }
    };
    let is_select_into = false;
    Ok(Statement::CreateTableAs {
        name,
        temporary,
        on_commit,
        if_not_exists,
        columns,
        query,
        with_data,
        is_select_into,
    })
}

type Elements = (Vec<ColumnDefinition>, Vec<NamedConstraint<TableConstraint>>);

fn table_elements(reader: &mut Reader<'_>) -> Result<Elements> {
    let (mut columns, mut constraints) = (Vec::new(), Vec::new());
    reader.expect_token(&Token::LParen)?;
    if reader.eat_token(&Token::RParen) {
        return Ok((columns, constraints));
    }
    loop {
        if reader.peek_words(&["like"]) {
            return Err(refuse("CREATE TABLE LIKE"));
        }
        if begins_table_constraint(reader) {
            constraints.push(table_constraint(reader, true)?);
        } else {
            columns.push(column_definition(reader)?);
        }
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    Ok((columns, constraints))
}

pub(super) fn storage_clause(reader: &mut Reader<'_>) -> Result<Vec<StorageParameter>> {
    match reader.eat(&["with"]) {
        true => storage_parameters(reader),
        false => Ok(Vec::new()),
    }
}

/// `(fillfactor=90, …)`.
fn storage_parameters(reader: &mut Reader<'_>) -> Result<Vec<StorageParameter>> {
    let mut parameters = Vec::new();
    reader.expect_token(&Token::LParen)?;
    loop {
        let name = reader.name()?.to_string();
        let value = match reader.eat_token(&Token::Eq) {
            true => Some(parameter_value(reader)?),
            false => None,
        };
        parameters.push(StorageParameter { name, value });
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    Ok(parameters)
}

fn parameter_value(reader: &mut Reader<'_>) -> Result<String> {
    match reader.parser.peek_token_ref().token.clone() {
        Token::Number(digits, _) => {
            reader.parser.next_token();
            Ok(digits)
        }
        Token::Minus => reader.integer().map(|value| value.to_string()),
        Token::SingleQuotedString(_) => reader.string(),
        _ => reader.word(),
    }
}

fn column_definition(reader: &mut Reader<'_>) -> Result<ColumnDefinition> {
    let name = reader.identifier()?;
    let type_position = reader.position();
    let type_name = reader.type_name()?;
    let mut constraints = Vec::<NamedConstraint<ColumnConstraint>>::new();
    while let Some(constraint) = column_constraint(reader)? {
        let is_collation = |it: &NamedConstraint<_>| matches!(it.constraint, ColumnConstraint::Collate(_));
        if is_collation(&constraint) && constraints.iter().any(is_collation) {
            let error = SqlError::syntax("multiple COLLATE clauses not allowed");
            return Err(at(error, constraint.position));
        }
        constraints.push(constraint);
    }
    Ok(ColumnDefinition { name, type_name, type_position, constraints })
}

fn create_index(reader: &mut Reader<'_>, unique: bool) -> Result<Statement> {
    let concurrently = reader.eat(&["concurrently"]);
    let if_not_exists = reader.eat(&["if", "not", "exists"]);
    let name = match reader.peek_words(&["on"]) {
        // IF NOT EXISTS asks for a name.
        true if if_not_exists => return Err(reader.unexpected()),
        true => None,
        false => Some(reader.identifier()?),
    };
    reader.expect("on")?;
    let _ = reader.eat(&["only"]);
    let table = reader.name()?;
    if reader.eat(&["using"]) {
        let method = reader.identifier()?;
        if method != "btree" {
            return Err(refuse(format!("index access method \"{method}\"")));
        }
    }
    reader.expect_token(&Token::LParen)?;
    let elements = index_elements(reader)?;
    let mut included = Vec::new();
    if reader.eat(&["include"]) {
        reader.expect_token(&Token::LParen)?;
        included = index_elements(reader)?;
    }
    nulls_distinct(reader)?;
    let parameters = storage_clause(reader)?;
    if reader.peek_words(&["tablespace"]) {
        return Err(refuse("TABLESPACE"));
    }
    let predicate = if reader.eat(&["where"]) { Some(reader.expr()?) } else { None };
    Ok(Statement::CreateIndex(CreateIndex {
        name,
        table,
        unique,
        concurrently,
        if_not_exists,
        elements,
        included,
        parameters,
        predicate,
    }))
}

/// The elements up to the closing parenthesis.
pub(super) fn index_elements(reader: &mut Reader<'_>) -> Result<Vec<IndexElement>> {
    let mut elements = vec![index_element(reader)?];
    while reader.eat_token(&Token::Comma) {
        elements.push(index_element(reader)?);
    }
    reader.expect_token(&Token::RParen)?;
    Ok(elements)
}

/// A column, a call, or any expression in parentheses.
fn index_target(reader: &mut Reader<'_>) -> Result<IndexTarget> {
    if reader.eat_token(&Token::LParen) {
        if ["select", "values", "with", "table"].iter().any(|word| reader.peek_words(&[word])) {
            return Err(reader.unexpected());
        }
        let expr = reader.expr()?;
        reader.expect_token(&Token::RParen)?;
        return Ok(IndexTarget::Expr(expr));
    }
    if reader.parser.peek_nth_token_ref(1).token != Token::LParen {
        return Ok(IndexTarget::Column(reader.identifier()?));
    }
    Ok(IndexTarget::Expr(reader.call()?))
}

fn index_element(reader: &mut Reader<'_>) -> Result<IndexElement> {
    let target = index_target(reader)?;
    let collation = if reader.eat(&["collate"]) { Some(reader.name()?) } else { None };
    let begins_order = ["asc", "desc", "nulls"].iter().any(|word| reader.peek_words(&[word]));
    let class = match reader.parser.peek_token_ref().token {
        Token::Word(_) if !begins_order => Some(reader.name()?),
        _ => None,
    };
    let descending = match reader.eat(&["desc"]) {
        true => Some(true),
        false => reader.eat(&["asc"]).then_some(false),
    };
    let nulls_first = if reader.eat(&["nulls", "first"]) {
        Some(true)
    } else if reader.eat(&["nulls", "last"]) {
        Some(false)
    } else {
        None
    };
    match reader.parser.peek_token_ref().token {
        Token::Comma | Token::RParen => {
            Ok(IndexElement { target, collation, class, descending, nulls_first })
        }
        Token::LParen if class.is_some() => Err(refuse("parameters of an operator class")),
        _ => Err(reader.unexpected()),
    }
}

/// ALTER …
pub(super) fn alter(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("alter")?;
    if reader.eat(&["view"]) {
        return super::view::alter_view(reader);
    }
    if reader.eat(&["index"]) {
        return alter_index(reader);
    }
    if reader.eat(&["sequence"]) {
        return super::sequence::alter(reader);
    }
    if reader.eat(&["type"]) {
        return super::enumeration::alter_type(reader);
    }
    if reader.eat(&["database"]) {
        return super::database::alter(reader);
    }
    if reader.eat(&["schema"]) {
        let name = reader.identifier()?;
        let action = if reader.eat(&["rename", "to"]) {
            AlterSchemaAction::Rename(reader.identifier()?)
        } else {
            reader.expect("owner")?;
            reader.expect("to")?;
            AlterSchemaAction::OwnerTo(reader.word()?)
        };
        return Ok(Statement::AlterSchema { name, action });
    }
    if !reader.eat(&["table"]) {
        let what = reader.peek_word_nth(0).ok_or_else(|| reader.unexpected())?.to_uppercase();
        return Err(refuse(format!("ALTER {what}")));
    }
    let if_exists = reader.eat(&["if", "exists"]);
    let _ = reader.eat(&["only"]);
    let name = reader.name()?;
    let _ = reader.eat_token(&Token::Mul);
    let mut actions = vec![alter_action(reader)?];
    let is_rename = |action: &AlterTableAction| {
        matches!(
            action,
            AlterTableAction::RenameTable(_)
                | AlterTableAction::RenameColumn { .. }
                | AlterTableAction::RenameConstraint { .. }
                | AlterTableAction::SetSchema(_)
        )
    };
    // A rename stands alone.
    while !is_rename(&actions[0]) && reader.eat_token(&Token::Comma) {
        if reader.peek_words(&["rename"]) {
            return Err(reader.unexpected());
        }
        actions.push(alter_action(reader)?);
    }
    Ok(Statement::AlterTable { name, if_exists, actions })
}

fn alter_action(reader: &mut Reader<'_>) -> Result<AlterTableAction> {
    if reader.eat(&["add"]) {
        if begins_table_constraint(reader) {
            return table_constraint(reader, false).map(AlterTableAction::AddConstraint);
        }
        let _ = reader.eat(&["column"]);
        let if_not_exists = reader.eat(&["if", "not", "exists"]);
        return Ok(AlterTableAction::AddColumn { definition: column_definition(reader)?, if_not_exists });
    }
    if reader.eat(&["drop", "constraint"]) {
        let if_exists = reader.eat(&["if", "exists"]);
        let name = reader.identifier()?;
        let cascade = drop_behavior(reader);
        return Ok(AlterTableAction::DropConstraint { name, if_exists, cascade });
    }
    if reader.eat(&["drop"]) {
        let _ = reader.eat(&["column"]);
        let if_exists = reader.eat(&["if", "exists"]);
        let name = reader.identifier()?;
        return Ok(AlterTableAction::DropColumn { name, if_exists, cascade: drop_behavior(reader) });
    }
    if reader.eat(&["rename"]) {
        return rename(reader);
    }
    if reader.eat(&["alter", "constraint"]) {
        let name = reader.identifier()?;
        let said = characteristics(reader, false)?;
        if said.not_valid {
            let message = "FOREIGN KEY constraints cannot be marked NOT VALID";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        return Ok(AlterTableAction::AlterConstraint { name, deferral: said.deferral });
    }
    if reader.eat(&["validate", "constraint"]) {
        return Ok(AlterTableAction::ValidateConstraint(reader.identifier()?));
    }
    if reader.eat(&["alter"]) {
        let _ = reader.eat(&["column"]);
        return alter_column(reader);
    }
    if reader.eat(&["owner", "to"]) {
        return Ok(AlterTableAction::OwnerTo(reader.word()?));
    }
    if reader.eat(&["set"]) {
        if reader.parser.peek_token_ref().token == Token::LParen {
            return Ok(AlterTableAction::SetParameters(storage_parameters(reader)?));
        }
        if reader.eat(&["schema"]) {
            return Ok(AlterTableAction::SetSchema(reader.identifier()?));
        }
        let what = reader.peek_word_nth(0).ok_or_else(|| reader.unexpected())?.to_uppercase();
        return Err(refuse(format!("ALTER TABLE SET {what}")));
    }
    if reader.eat(&["reset"]) {
        return Ok(AlterTableAction::ResetParameters(storage_parameters(reader)?));
    }
    match reader.peek_word_nth(0) {
        Some(word) => Err(refuse(format!("ALTER TABLE {}", word.to_uppercase()))),
        None => Err(reader.unexpected()),
    }
}

/// ALTER INDEX, of which renaming and storage parameters are there.
fn alter_index(reader: &mut Reader<'_>) -> Result<Statement> {
    let kind = ObjectKind::Index;
    let if_exists = reader.eat(&["if", "exists"]);
    let name = reader.name()?;
    if reader.eat(&["rename", "to"]) {
        return Ok(Statement::RenameRelation { kind, name, if_exists, to: reader.identifier()? });
    }
    let mut actions = Vec::new();
    loop {
        let is_set =
            reader.peek_words(&["set"]) && reader.parser.peek_nth_token_ref(1).token == Token::LParen;
        if !is_set && !reader.peek_words(&["reset"]) {
            return Err(refuse(format!("ALTER {}", kind.word().to_uppercase())));
        }
        actions.push(alter_action(reader)?);
        if !reader.eat_token(&Token::Comma) {
            return Ok(Statement::AlterIndex { name, if_exists, actions });
        }
    }
}

fn rename(reader: &mut Reader<'_>) -> Result<AlterTableAction> {
    if reader.eat(&["to"]) {
        return Ok(AlterTableAction::RenameTable(reader.identifier()?));
    }
    if reader.eat(&["constraint"]) {
        let from = reader.identifier()?;
        reader.expect("to")?;
        return Ok(AlterTableAction::RenameConstraint { from, to: reader.identifier()? });
    }
    let _ = reader.eat(&["column"]);
    let from = reader.identifier()?;
    reader.expect("to")?;
    Ok(AlterTableAction::RenameColumn { from, to: reader.identifier()? })
}

/// SET GENERATED, or SET with an option of a sequence.
fn is_identity_option(reader: &Reader<'_>) -> bool {
    const WORDS: [&str; 9] =
        ["generated", "increment", "minvalue", "maxvalue", "no", "start", "restart", "cache", "cycle"];
    reader.peek_words(&["set"]) && WORDS.iter().any(|word| reader.peek_words(&["set", word]))
}

fn alter_column(reader: &mut Reader<'_>) -> Result<AlterTableAction> {
    let column = reader.identifier()?;
    if reader.eat(&["set", "default"]) {
        return Ok(AlterTableAction::SetDefault { column, value: Some(reader.expr()?) });
    }
    if reader.eat(&["drop", "default"]) {
        return Ok(AlterTableAction::SetDefault { column, value: None });
    }
    if reader.eat(&["set", "not", "null"]) {
        return Ok(AlterTableAction::SetNotNull { column, not_null: true });
    }
    if reader.eat(&["drop", "not", "null"]) {
        return Ok(AlterTableAction::SetNotNull { column, not_null: false });
    }
    if reader.eat(&["type"]) || reader.eat(&["set", "data", "type"]) {
        let type_name = reader.type_name()?;
        let collation = match reader.eat(&["collate"]) {
            true => Some(reader.name()?),
            false => None,
        };
        let using = match reader.eat(&["using"]) {
            true => Some(reader.expr()?),
            false => None,
        };
        return Ok(AlterTableAction::SetType { column, type_name, collation, using });
    }
    if reader.eat(&["drop", "expression"]) {
        let if_exists = reader.eat(&["if", "exists"]);
        return Ok(AlterTableAction::DropExpression { column, if_exists });
    }
    if reader.eat(&["drop", "identity"]) {
        let if_exists = reader.eat(&["if", "exists"]);
        return Ok(AlterTableAction::DropIdentity { column, if_exists });
    }
    if reader.peek_words(&["add", "generated"]) {
        reader.expect("add")?;
        reader.expect("generated")?;
        return match generated(reader)? {
            ColumnConstraint::Identity { always, options } => {
                Ok(AlterTableAction::AddIdentity { column, always, options })
            }
            _ => Err(reader.unexpected()),
        };
    }
    if reader.peek_words(&["restart"]) || is_identity_option(reader) {
        return super::sequence::identity_action(reader, column);
    }
    match reader.at_end() {
        true => Err(SqlError::syntax("syntax error at end of input")),
        false => Err(refuse("this ALTER COLUMN action")),
    }
}
