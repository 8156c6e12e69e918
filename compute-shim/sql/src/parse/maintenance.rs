//! The grammar of VACUUM and ANALYZE, in both spellings of their options, and of REINDEX.

use super::explain::boolean;
use super::statement::setting_word;
use super::tree::{Maintenance, MaintenanceTarget, ObjectKind, ReindexOptions, ReindexedWhole, Statement};
use super::{Reader, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::tokenizer::Token;

/// What VACUUM is told of what it has not got here: storage reclaims space by itself, page by page. The options are held to
/// PostgreSQL's rules all the same.
#[derive(Default)]
struct Vacuum {
    full: bool,
    parallel: bool,
    disable_page_skipping: bool,
    without_toast: bool,
}

/// VACUUM …
pub(super) fn vacuum(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("vacuum")?;
    let mut maintenance = Maintenance { is_vacuum: true, ..Maintenance::default() };
    let mut vacuum = Vacuum::default();
    if is_option_list(reader) {
        options(reader, &mut maintenance, &mut vacuum)?;
    } else {
        for (word, place) in [
            ("full", &mut vacuum.full),
            ("freeze", &mut false),
            ("verbose", &mut maintenance.verbose),
            ("analyze", &mut maintenance.analyze),
        ] {
            *place = reader.eat(&[word]);
        }
        maintenance.analyze |= reader.eat(&["analyse"]);
    }
    maintenance.targets = targets(reader)?;
    let refused = |message: &str| Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    if vacuum.full && vacuum.parallel {
        return refused("VACUUM FULL cannot be performed in parallel");
    }
    if !maintenance.analyze && maintenance.targets.iter().any(|target| !target.columns.is_empty()) {
        return refused("ANALYZE option must be specified when a column list is provided");
    }
    if vacuum.full && vacuum.disable_page_skipping {
        return refused("VACUUM option DISABLE_PAGE_SKIPPING cannot be used with FULL");
    }
    if vacuum.full && vacuum.without_toast {
        return refused("PROCESS_TOAST required with VACUUM FULL");
    }
    Ok(Statement::Maintenance(maintenance))
}

/// ANALYZE …
pub(super) fn analyze(reader: &mut Reader<'_>) -> Result<Statement> {
    assert!(reader.eat(&["analyze"]) || reader.eat(&["analyse"]), "the caller has seen the word");
    let mut maintenance = Maintenance { analyze: true, ..Maintenance::default() };
    if is_option_list(reader) {
        options(reader, &mut maintenance, &mut Vacuum::default())?;
    } else {
        maintenance.verbose = reader.eat(&["verbose"]);
    }
    maintenance.targets = targets(reader)?;
    Ok(Statement::Maintenance(maintenance))
}

/// REINDEX …
pub(super) fn reindex(reader: &mut Reader<'_>) -> Result<Statement> {
    reader.expect("reindex")?;
    let mut options = ReindexOptions::default();
    if is_option_list(reader) {
        loop {
            let position = reader.position();
            let name = reader.word()?;
            match name.as_str() {
                "verbose" => options.verbose = boolean(reader, &name)?,
                "concurrently" => options.concurrently = boolean(reader, &name)?,
                "tablespace" => return Err(refuse("TABLESPACE")),
                other => {
                    let message = format!("unrecognized REINDEX option \"{other}\"");
                    return Err(at(SqlError::syntax(message), position));
                }
            }
            if !reader.eat_token(&Token::Comma) {
                break;
            }
        }
        reader.expect_token(&Token::RParen)?;
    }
    let wholes = [ReindexedWhole::Schema, ReindexedWhole::Database, ReindexedWhole::System];
    let whole =
        wholes.into_iter().zip(["schema", "database", "system"]).find(|(_, word)| reader.eat(&[word]));
    let kind = match whole {
        Some(_) => ObjectKind::Schema,
        None if reader.eat(&["table"]) => ObjectKind::Table,
        None if reader.eat(&["index"]) => ObjectKind::Index,
        None => return Err(reader.unexpected()),
    };
    options.concurrently |= reader.eat(&["concurrently"]);
    match whole {
        Some((of, _)) => Ok(Statement::ReindexAll { of, name: reader.identifier()?, options }),
        None => Ok(Statement::Reindex { kind, name: reader.name()?, options }),
    }
}

fn is_option_list(reader: &mut Reader<'_>) -> bool {
    reader.eat_token(&Token::LParen)
}

fn options(reader: &mut Reader<'_>, maintenance: &mut Maintenance, vacuum: &mut Vacuum) -> Result<()> {
    loop {
        option(reader, maintenance, vacuum)?;
        if !reader.eat_token(&Token::Comma) {
            return reader.expect_token(&Token::RParen);
        }
    }
}

fn option(reader: &mut Reader<'_>, maintenance: &mut Maintenance, vacuum: &mut Vacuum) -> Result<()> {
    let position = reader.position();
    let name = reader.word()?;
    match name.as_str() {
        "verbose" => maintenance.verbose = boolean(reader, &name)?,
        "skip_locked" => maintenance.skip_locked = boolean(reader, &name)?,
        other if !maintenance.is_vacuum => {
            let message = format!("unrecognized ANALYZE option \"{other}\"");
            return Err(at(SqlError::syntax(message), position));
        }
        "analyze" | "analyse" => maintenance.analyze = boolean(reader, "analyze")?,
        "full" => vacuum.full = boolean(reader, &name)?,
        "disable_page_skipping" => vacuum.disable_page_skipping = boolean(reader, &name)?,
        "process_toast" => vacuum.without_toast = !boolean(reader, &name)?,
        "freeze" | "truncate" => drop(boolean(reader, &name)?),
        "index_cleanup" if reader.eat(&["auto"]) => {}
        "index_cleanup" => drop(boolean(reader, &name)?),
        "parallel" => vacuum.parallel = workers(reader, position)? > 0,
        other => {
            let message = format!("unrecognized VACUUM option \"{other}\"");
            return Err(at(SqlError::syntax(message), position));
        }
    }
    Ok(())
}

fn workers(reader: &mut Reader<'_>, position: u32) -> Result<i64> {
    if matches!(reader.parser.peek_token_ref().token, Token::Comma | Token::RParen) {
        let message = "parallel option requires a value between 0 and 1024";
        return Err(at(SqlError::syntax(message), position));
    }
    let value = setting_word(reader)?;
    let workers = value.parse().map_err(|_| SqlError::syntax("parallel requires an integer value"))?;
    if (0..=1024).contains(&workers) {
        return Ok(workers);
    }
    Err(at(SqlError::syntax("parallel workers for vacuum must be between 0 and 1024"), position))
}

fn targets(reader: &mut Reader<'_>) -> Result<Vec<MaintenanceTarget>> {
    let mut targets = Vec::new();
    if reader.at_end() {
        return Ok(targets);
    }
    loop {
        let name = reader.name()?;
        let columns = match reader.parser.peek_token_ref().token {
            Token::LParen => reader.column_list()?,
            _ => Vec::new(),
        };
        targets.push(MaintenanceTarget { name, columns });
        if !reader.eat_token(&Token::Comma) {
            return Ok(targets);
        }
    }
}
