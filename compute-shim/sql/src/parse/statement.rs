//! Statements: queries go to the parser crate, all others have their grammar here or in `definition.rs`.
//!
//! Owns transaction control, settings, prepared statements and upkeep. A statement that PostgreSQL has and we
//! have not is refused by its name; anything else is a syntax error.

use super::keyword::is_reserved;
use super::tree::{
    DiscardTarget, IsolationLevel, Name, ObjectKind, PreparedCommand, SavepointCommand, SettingValue,
    Statement, TransactionCommand, TransactionModes,
};
use super::{Reader, refuse};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use sqlparser::tokenizer::{Token, Word};

/// First words of PostgreSQL's commands that answer 0A000.
const UNSUPPORTED: &[&str] = &[
    "call",
    "checkpoint",
    "do",
    "grant",
    "import",
    "listen",
    "load",
    "merge",
    "notify",
    "reassign",
    "refresh",
    "revoke",
    "security",
    "unlisten",
];

/// One statement.
pub(super) fn statement(reader: &mut Reader<'_>) -> Result<Statement> {
    if reader.parser.peek_token_ref().token == Token::LParen {
        return data(reader);
    }
    let Some(word) = reader.peek_word_nth(0).map(str::to_ascii_lowercase) else {
        return Err(reader.unexpected());
    };
    match word.as_str() {
        "select" | "values" | "with" | "table" | "insert" | "update" | "delete" => data(reader),
        "create" => super::definition::create(reader),
        "alter" => super::definition::alter(reader),
        "drop" => drop(reader),
        "truncate" => truncate(reader),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" => transaction(reader, &word),
        "savepoint" | "release" => savepoint(reader, &word),
        "set" => set(reader),
        "reset" => reset(reader),
        "show" => show(reader),
        "prepare" => prepare(reader),
        "execute" => execute(reader),
        "deallocate" => deallocate(reader),
        "declare" => super::cursor::declare(reader),
        "fetch" | "move" => super::cursor::fetch(reader, &word),
        "close" => super::cursor::close(reader),
        "copy" => super::copy::copy(reader),
        "vacuum" => super::maintenance::vacuum(reader),
        "analyze" | "analyse" => super::maintenance::analyze(reader),
        "reindex" => super::maintenance::reindex(reader),
        "cluster" => Err(refuse(word.to_uppercase())),
        "explain" => super::explain::explain(reader),
        "comment" => super::comment::comment(reader),
        "discard" => discard(reader),
        "lock" => lock(reader),
        unsupported if UNSUPPORTED.contains(&unsupported) => Err(refuse(unsupported.to_uppercase())),
        _ => Err(reader.unexpected()),
    }
}

pub(super) fn data(reader: &mut Reader<'_>) -> Result<Statement> {
    let statement = reader.parser.parse_statement().map_err(|error| reader.failure(error))?;
    let mut statement = reader.lower().data_statement(statement)?;
    match (&mut statement, reader.overriding) {
        (Statement::Insert(insert), overriding) => insert.overriding = overriding,
        (_, Some(_)) => return Err(refuse("OVERRIDING in an INSERT inside another statement")),
        (_, None) => {}
    }
    Ok(statement)
}

/// A statement that has a plan; `into` names SELECT INTO, which has none, where it is refused.
pub(super) fn plannable(reader: &mut Reader<'_>, into: &str) -> Result<Statement> {
    match data(reader)? {
        Statement::CreateTableAs { .. } => Err(refuse(into)),
        statement => Ok(statement),
    }
}

fn drop(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("drop")?;
    if reader.eat(&["type"]) {
        return super::enumeration::drop_type(reader);
    }
    if reader.eat(&["database"]) {
        return super::database::drop(reader);
    }
    if reader.eat(&["extension"]) {
        return super::extension::drop(reader);
    }
    let mut concurrently = false;
    let kind = if reader.eat(&["table"]) {
        ObjectKind::Table
    } else if reader.eat(&["index"]) {
        concurrently = reader.eat(&["concurrently"]);
        ObjectKind::Index
    } else if reader.eat(&["sequence"]) {
        ObjectKind::Sequence
    } else if reader.eat(&["schema"]) {
        ObjectKind::Schema
    } else if reader.eat(&["view"]) {
        ObjectKind::View
    } else {
        let what = reader.peek_word_nth(0).ok_or_else(|| reader.unexpected())?.to_uppercase();
        return Err(refuse(format!("DROP {what}")));
    };
    let if_exists = reader.eat(&["if", "exists"]);
    let names = reader.names()?;
    let cascade = drop_behavior(reader);
    Ok(Statement::Drop { kind, names, if_exists, cascade, concurrently })
}

/// CASCADE, or RESTRICT which is the default.
pub(super) fn drop_behavior(reader: &mut Reader<'_>) -> bool {
    let cascade = reader.eat(&["cascade"]);
    if !cascade {
        let _ = reader.eat(&["restrict"]);
    }
    cascade
}

fn truncate(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("truncate")?;
    let _ = reader.eat(&["table"]);
    let mut tables = Vec::new();
    loop {
        let _ = reader.eat(&["only"]);
        tables.push(reader.name()?);
        let _ = reader.eat_token(&Token::Mul);
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    let restart_identity = reader.eat(&["restart", "identity"]);
    if !restart_identity {
        let _ = reader.eat(&["continue", "identity"]);
    }
    Ok(Statement::Truncate { tables, restart_identity, cascade: drop_behavior(reader) })
}

fn transaction(reader: &mut Reader<'_>, word: &str) -> Result<Statement> {
    reader.expect(word)?;
    let of_prepared = match word {
        "commit" => Some(PreparedCommand::Commit),
        "rollback" => Some(PreparedCommand::Rollback),
        _ => None,
    };
    if let Some(command) = of_prepared
        && reader.eat(&["prepared"])
    {
        return Ok(Statement::PreparedTransaction { command, identifier: reader.string()? });
    }
    let (command, verb) = match word {
        "begin" => (TransactionCommand::Begin, "BEGIN"),
        "start" => {
            reader.expect("transaction")?;
            (TransactionCommand::Start, "START TRANSACTION")
        }
        "commit" | "end" => (TransactionCommand::Commit, "COMMIT"),
        _ => (TransactionCommand::Rollback, "ROLLBACK"),
    };
    if word != "start" && !reader.eat(&["work"]) {
        let _ = reader.eat(&["transaction"]);
    }
    let mut modes = TransactionModes::default();
    match command {
        TransactionCommand::Begin | TransactionCommand::Start => modes = transaction_modes(reader)?,
        TransactionCommand::Commit | TransactionCommand::Rollback => {
            if reader.eat(&["and", "chain"]) {
                return Err(refuse("AND CHAIN"));
            }
            let _ = reader.eat(&["and", "no", "chain"]);
            if word == "rollback" && reader.eat(&["to"]) {
                return savepoint_named(reader, SavepointCommand::RollBackTo);
            }
        }
    }
    Ok(Statement::Transaction { command, modes, verb })
}

fn savepoint(reader: &mut Reader<'_>, word: &str) -> Result<Statement> {
    reader.expect(word)?;
    if word == "release" {
        return savepoint_named(reader, SavepointCommand::Release);
    }
    Ok(Statement::Savepoint { command: SavepointCommand::Set, name: reader.identifier()? })
}

/// The name behind RELEASE and ROLLBACK TO, and the word SAVEPOINT in front of it, which may be a name itself.
fn savepoint_named(reader: &mut Reader<'_>, command: SavepointCommand) -> Result<Statement> {
    if reader.eat(&["savepoint"]) && reader.at_end() {
        return Ok(Statement::Savepoint { command, name: "savepoint".to_owned() });
    }
    Ok(Statement::Savepoint { command, name: reader.identifier()? })
}

fn transaction_modes(reader: &mut Reader<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    while !reader.at_end() {
        if reader.eat(&["isolation", "level"]) {
            modes.isolation = Some(isolation_level(reader)?);
        } else if reader.eat(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if reader.eat(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if reader.eat(&["deferrable"]) {
            modes.deferrable = Some(true);
        } else if reader.eat(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else {
            return Err(reader.unexpected());
        }
        let _ = reader.eat_token(&Token::Comma);
    }
    Ok(modes)
}

fn isolation_level(reader: &mut Reader<'_>) -> Result<IsolationLevel> {
    if reader.eat(&["read", "committed"]) || reader.eat(&["read", "uncommitted"]) {
        Ok(IsolationLevel::ReadCommitted)
    } else if reader.eat(&["repeatable", "read"]) {
        Ok(IsolationLevel::RepeatableRead)
    } else if reader.eat(&["serializable"]) {
        Ok(IsolationLevel::Serializable)
    } else {
        Err(reader.unexpected())
    }
}

fn set(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("set")?;
    if reader.eat(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Statement::SetTransaction { modes: transaction_modes(reader)?, session: true });
    }
    if reader.eat(&["transaction"]) {
        if reader.peek_words(&["snapshot"]) {
            return Err(refuse("SET TRANSACTION SNAPSHOT"));
        }
        return Ok(Statement::SetTransaction { modes: transaction_modes(reader)?, session: false });
    }
    if reader.eat(&["constraints"]) {
        let names = if reader.eat(&["all"]) { None } else { Some(reader.names()?) };
        let deferred = reader.eat(&["deferred"]);
        if !deferred {
            reader.expect("immediate")?;
        }
        return Ok(Statement::SetConstraints { names, deferred });
    }
    let local = reader.eat(&["local"]);
    if !local {
        let _ = reader.eat(&["session"]);
    }
    for (words, feature) in [(&["authorization"][..], "SET SESSION AUTHORIZATION"), (&["role"], "SET ROLE")] {
        if reader.peek_words(words) {
            return Err(refuse(feature));
        }
    }
    let (name, value) = setting_of(reader)?;
    Ok(Statement::Set { name, value, local })
}

/// A setting and what it is set to.
pub(super) fn setting_of(reader: &mut Reader<'_>) -> Result<(String, SettingValue)> {
    if reader.eat(&["time", "zone"]) {
        return Ok(("timezone".to_owned(), time_zone(reader)?));
    }
    if reader.eat(&["names"]) {
        let value = match reader.at_end() || reader.eat(&["default"]) {
            true => SettingValue::Default,
            false => SettingValue::Values(vec![reader.string()?]),
        };
        return Ok(("client_encoding".to_owned(), value));
    }
    Ok((setting_parts(reader)?, assigned(reader)?))
}

/// A setting's own name: unlike a table's, its later parts are no reserved words either (`var_name` of PostgreSQL's grammar).
fn setting_parts(reader: &mut Reader<'_>) -> Result<String> {
    let position = reader.position();
    let mut parts = vec![reader.identifier()?];
    while reader.eat_token(&Token::Period) {
        parts.push(reader.identifier()?);
    }
    Ok(Name { parts, position }.to_string())
}

/// `TO value` or `= value`.
pub(super) fn assigned(reader: &mut Reader<'_>) -> Result<SettingValue> {
    if !reader.eat_token(&Token::Eq) {
        reader.expect("to")?;
    }
    setting_value(reader)
}

fn time_zone(reader: &mut Reader<'_>) -> Result<SettingValue> {
    if reader.eat(&["local"]) || reader.eat(&["default"]) {
        return Ok(SettingValue::Default);
    }
    if reader.peek_words(&["interval"]) {
        return Err(refuse("SET TIME ZONE INTERVAL"));
    }
    setting_value(reader)
}

fn setting_value(reader: &mut Reader<'_>) -> Result<SettingValue> {
    if reader.eat(&["default"]) {
        return Ok(SettingValue::Default);
    }
    let mut values = vec![set_word(reader)?];
    while reader.eat_token(&Token::Comma) {
        values.push(set_word(reader)?);
    }
    Ok(SettingValue::Values(values))
}

/// A value of a setting: no reserved word but a boolean.
fn set_word(reader: &mut Reader<'_>) -> Result<String> {
    match &reader.parser.peek_token_ref().token {
        Token::Word(Word { value, quote_style: None, .. })
            if is_reserved(&value.to_lowercase())
                && !["true", "false", "on"].contains(&value.to_lowercase().as_str()) =>
        {
            Err(reader.unexpected())
        }
        _ => setting_word(reader),
    }
}

pub(super) fn setting_word(reader: &mut Reader<'_>) -> Result<String> {
    let sign = match reader.eat_token(&Token::Minus) {
        true => "-",
        false => {
            let _ = reader.eat_token(&Token::Plus);
            ""
        }
    };
    match reader.parser.peek_token_ref().token.clone() {
        Token::Number(digits, _) => {
            reader.parser.next_token();
            Ok(format!("{sign}{digits}"))
        }
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) if sign.is_empty() => reader.string(),
        Token::Word(_) if sign.is_empty() => reader.word(),
        _ => Err(reader.unexpected()),
    }
}

/// The name behind SHOW and RESET, with the spellings of SQL.
pub(super) fn setting_name(reader: &mut Reader<'_>) -> Result<String> {
    if reader.eat(&["time", "zone"]) {
        return Ok("timezone".to_owned());
    }
    if reader.eat(&["transaction", "isolation", "level"]) {
        return Ok("transaction_isolation".to_owned());
    }
    if reader.eat(&["session", "authorization"]) {
        return Ok("session_authorization".to_owned());
    }
    if reader.eat(&["all"]) {
        return Ok("all".to_owned());
    }
    setting_parts(reader)
}

fn reset(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("reset")?;
    if reader.eat(&["all"]) {
        return Ok(Statement::Reset { name: None });
    }
    Ok(Statement::Reset { name: Some(setting_name(reader)?) })
}

fn show(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("show")?;
    let name = setting_name(reader)?;
    Ok(Statement::Show { name })
}

fn prepare(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("prepare")?;
    if reader.eat(&["transaction"]) {
        let (command, identifier) = (PreparedCommand::Prepare, reader.string()?);
        return Ok(Statement::PreparedTransaction { command, identifier });
    }
    let name = reader.identifier()?;
    let mut types = Vec::new();
    if reader.eat_token(&Token::LParen) {
        types.push(reader.type_name()?);
        while reader.eat_token(&Token::Comma) {
            types.push(reader.type_name()?);
        }
        reader.expect_token(&Token::RParen)?;
    }
    reader.expect("as")?;
    let statement = Box::new(plannable(reader, "PREPARE of SELECT INTO")?);
    Ok(Statement::Prepare { name, types, statement })
}

pub(super) fn execute(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("execute")?;
    let name = reader.identifier()?;
    let mut arguments = Vec::new();
    if reader.eat_token(&Token::LParen) {
        arguments.push(reader.expr()?);
        while reader.eat_token(&Token::Comma) {
            arguments.push(reader.expr()?);
        }
        reader.expect_token(&Token::RParen)?;
    }
    Ok(Statement::Execute { name, arguments })
}

fn deallocate(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("deallocate")?;
    let _ = reader.eat(&["prepare"]);
    if reader.eat(&["all"]) {
        return Ok(Statement::Deallocate { name: None, verb: "DEALLOCATE ALL" });
    }
    Ok(Statement::Deallocate { name: Some(reader.identifier()?), verb: "DEALLOCATE" })
}

/// VACUUM, ANALYZE, CLUSTER and REINDEX: options are checked for shape, the tables must exist, and nothing is done:
/// storage collects garbage by itself, and there are no statistics to gather yet.
fn discard(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("discard")?;
    let target = if reader.eat(&["all"]) {
        DiscardTarget::All
    } else if reader.eat(&["plans"]) {
        DiscardTarget::Plans
    } else if reader.eat(&["sequences"]) {
        DiscardTarget::Sequences
    } else if reader.eat(&["temp"]) || reader.eat(&["temporary"]) {
        DiscardTarget::Temporary
    } else {
        return Err(reader.unexpected());
    };
    Ok(Statement::Discard { target })
}

fn lock(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("lock")?;
    let _ = reader.eat(&["table"]);
    let _ = reader.eat(&["only"]);
    let tables = reader.names()?;
    let mut mode = RelationLockMode::AccessExclusive;
    if reader.eat(&["in"]) {
        mode = lock_mode(reader)?;
        reader.expect("mode")?;
    }
    let nowait = reader.eat(&["nowait"]);
    Ok(Statement::Lock { tables, mode, nowait })
}

fn lock_mode(reader: &mut Reader<'_>) -> Result<RelationLockMode> {
    use RelationLockMode as M;
    for (words, mode) in [
        (&["access", "share"][..], M::AccessShare),
        (&["row", "share"], M::RowShare),
        (&["row", "exclusive"], M::RowExclusive),
        (&["share", "update", "exclusive"], M::ShareUpdateExclusive),
        (&["share", "row", "exclusive"], M::ShareRowExclusive),
        (&["share"], M::Share),
        (&["exclusive"], M::Exclusive),
        (&["access", "exclusive"], M::AccessExclusive),
    ] {
        if reader.eat(words) {
            return Ok(mode);
        }
    }
    Err(reader.unexpected())
}
