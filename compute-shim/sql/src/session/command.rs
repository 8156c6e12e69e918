//! Statements that neither read nor change rows: transactions, settings, prepared statements, upkeep, EXPLAIN.
//!
//! Owns [`Command`], one of them under way, and the columns that some of them answer with.

use super::extension;
use super::portal::Named;
use super::prepared;
use super::settings::Settings;
use super::statement::{Columns, Prepared, Statements};
use super::transaction::{Scope, Status};
use crate::answer::{ColumnDescription, CommandTag, Severity};
use crate::bind;
use crate::catalog::Relation;
use crate::catalog::object::Oid;
use crate::catalog::system::DEFAULT_COLLATION_OID;
use crate::definition::skipped;
use crate::execute::{Row, constraints_named};
use crate::parse::at;
use crate::parse::tree::{
    DiscardTarget, ExplainFormat, Maintenance, Name, SavepointCommand, SettingValue, Statement,
    TransactionCommand, TransactionModes, TypeName,
};
use crate::relation_statistics::Upkeep;
use crate::stop::{Step, Stop};
use hexalog_engine::{Isolation, Need, RelationLockMode};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// What a command came to.
pub(super) enum Answer {
    Tag(CommandTag),
    /// Rows of the command's columns.
    Rows {
        columns: Arc<[ColumnDescription]>,
        rows: Vec<Row>,
        tag: CommandTag,
    },
}

fn tag(verb: &'static str) -> Step<Answer> {
    Ok(Answer::Tag(CommandTag::plain(verb)))
}

fn text_column(name: &str) -> ColumnDescription {
    ColumnDescription {
        name: name.into(),
        table_oid: 0,
        column_number: 0,
        type_id: TypeId::TEXT,
        type_size: -1,
        typmod: Typmod::NONE,
        collation: Some(DEFAULT_COLLATION_OID),
    }
}

/// The columns of a statement without a plan.
pub(super) fn columns(scope: &Scope, named: &Named, statement: &Statement) -> Result<Columns> {
    Ok(match statement {
        Statement::Show { name } if is_all(name) => {
            Some(["name", "setting", "description"].map(text_column).into())
        }
        Statement::Show { name } => Some([text_column(&scope.view.settings.show(name)?.0)].into()),
        Statement::Explain { options, .. } => {
            let column = text_column("QUERY PLAN");
            // Clients are told that it is JSON, as in PostgreSQL.
            let type_id = match options.format {
                ExplainFormat::Json => TypeId::JSON,
                _ => TypeId::TEXT,
            };
            Some([ColumnDescription { type_id, ..column }].into())
        }
        Statement::Execute { name, .. } => {
            let prepared = named.statements.get(name)?;
            if prepared.is_data() { prepared.plan(scope, true)?.columns.clone() } else { None }
        }
        // That there is no such cursor is said once it is asked for rows.
        Statement::Fetch(fetch) if !fetch.is_move => match named.portals.find(&fetch.cursor) {
            // FETCH from a FETCH is refused when it runs; here each could be the other, without end.
            Some(portal) if portal.execution.is_fetch() => None,
            Some(portal) => portal.execution.columns(scope, named)?,
            None => None,
        },
        _ => None,
    })
}

fn is_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("all")
}

/// Runs a command; call again after a need.
pub(super) fn step(
    scope: &mut Scope,
    named: &mut Named,
    prepared: &Prepared,
    statement: &Statement,
) -> Step<Answer> {
    let statements = &mut named.statements;
    match statement {
        Statement::Transaction { command, modes, verb } => transaction(scope, named, *command, *modes, verb),
        Statement::Savepoint { command, name } => savepoint(scope, *command, name),
        Statement::PreparedTransaction { command, identifier } => {
            tag(prepared::step(scope, named, *command, identifier)?)
        }
        Statement::SetTransaction { modes, session } => set_transaction(scope, *modes, *session),
        Statement::Set { name, value, local } => set(scope, name, value, *local),
        Statement::Reset { name } => reset(scope, name.as_deref()),
        Statement::SetConstraints { names, deferred } => {
            set_constraints(scope, named, names.as_deref(), *deferred)
        }
        Statement::Show { name } => show(scope, name),
        Statement::Prepare { name, types, statement } => {
            prepare(scope, statements, prepared, name, types, statement)
        }
        Statement::Deallocate { name, verb } => deallocate(statements, name.as_deref(), verb),
        Statement::Maintenance(maintenance) => vacuum(scope, maintenance),
        Statement::Discard { target } => discard(scope, named, *target),
        Statement::CloseCursor { cursor } => {
            named.portals.close(cursor.as_deref())?;
            tag(if cursor.is_some() { "CLOSE CURSOR" } else { "CLOSE CURSOR ALL" })
        }
        Statement::CreateExtension(create) => {
            extension::create(scope, create)?;
            tag("CREATE EXTENSION")
        }
        Statement::DropExtension { names, if_exists } => {
            extension::drop(scope, names, *if_exists)?;
            tag("DROP EXTENSION")
        }
        Statement::Lock { tables, mode, nowait } => lock(scope, tables, *mode, *nowait),
        _ => unreachable!("other statements have machines of their own"),
    }
}

fn transaction(
    scope: &mut Scope,
    named: &mut Named,
    command: TransactionCommand,
    modes: TransactionModes,
    verb: &'static str,
) -> Step<Answer> {
    match command {
        TransactionCommand::Begin | TransactionCommand::Start => {
            scope.begin_block(modes)?;
            tag(verb)
        }
        TransactionCommand::Commit if scope.status() == Status::Failed => {
            scope.abort()?;
            tag("ROLLBACK")
        }
        TransactionCommand::Commit | TransactionCommand::Rollback => {
            let is_block = matches!(scope.status(), Status::Block | Status::Failed);
            match command {
                TransactionCommand::Commit => {
                    scope.begin_commit();
                    named.before_commit(scope)?;
                    scope.commit()?;
                }
                _ => scope.abort()?,
            }
            if !is_block {
                scope.notices.push((Severity::Warning, Scope::no_transaction()));
            }
            tag(verb)
        }
    }
}

fn savepoint(scope: &mut Scope, command: SavepointCommand, name: &str) -> Step<Answer> {
    match command {
        SavepointCommand::Set => {
            scope.set_savepoint(name)?;
            tag("SAVEPOINT")
        }
        SavepointCommand::Release => {
            scope.release_savepoint(name)?;
            tag("RELEASE")
        }
        SavepointCommand::RollBackTo => {
            scope.roll_back_to_savepoint(name)?;
            tag("ROLLBACK")
        }
    }
}

fn set_transaction(scope: &mut Scope, modes: TransactionModes, session: bool) -> Step<Answer> {
    if session {
        let settings = &mut scope.view.settings;
        if let Some(level) = modes.isolation {
            let name = match level {
                crate::parse::tree::IsolationLevel::ReadCommitted => "read committed",
                crate::parse::tree::IsolationLevel::RepeatableRead => "repeatable read",
                crate::parse::tree::IsolationLevel::Serializable => "serializable",
            };
            settings.set("default_transaction_isolation", Some(name), false)?;
        }
        if let Some(read_only) = modes.read_only {
            let value = if read_only { "on" } else { "off" };
            settings.set("default_transaction_read_only", Some(value), false)?;
        }
        if let Some(deferrable) = modes.deferrable {
            let value = if deferrable { "on" } else { "off" };
            settings.set("default_transaction_deferrable", Some(value), false)?;
        }
        return tag("SET");
    }
    if !scope.is_in_block() {
        scope.notices.push((Severity::Warning, Scope::no_block("SET TRANSACTION")));
    }
    scope.set_modes(modes)?;
    tag("SET")
}

fn set(scope: &mut Scope, name: &str, value: &SettingValue, local: bool) -> Step<Answer> {
    if local && !scope.is_in_block() {
        scope.notices.push((Severity::Warning, Scope::no_block("SET LOCAL")));
    }
    let value = match value {
        SettingValue::Default => None,
        SettingValue::Values(values) => Some(Settings::written(name, values)?),
    };
    if !set_mode(scope, name, value.as_deref())? {
        scope.view.settings.set(name, value.as_deref(), local)?;
    }
    tag("SET")
}

/// SET of what is a mode of the transaction; false if the name is another one.
fn set_mode(scope: &mut Scope, name: &str, value: Option<&str>) -> Result<bool> {
    let lower = name.to_ascii_lowercase();
    let default = |scope: &Scope, name: &str| scope.view.settings.get(name).to_owned();
    match lower.as_str() {
        "transaction_isolation" => {
            let level = value.map_or_else(|| default(scope, "default_transaction_isolation"), str::to_owned);
            // The default's own check knows the values and those that are not implemented.
            let level =
                scope.view.settings.check("default_transaction_isolation", &level).map_err(|mut error| {
                    let message =
                        error.message().replace("default_transaction_isolation", "transaction_isolation");
                    error.fields_mut().message = message;
                    error
                })?;
            match level.as_str() {
                "serializable" => scope.set_isolation(Isolation::Serializable, "serializable")?,
                "repeatable read" => scope.set_isolation(Isolation::RepeatableRead, "repeatable read")?,
                "read uncommitted" => scope.set_isolation(Isolation::ReadCommitted, "read uncommitted")?,
                _ => scope.set_isolation(Isolation::ReadCommitted, "read committed")?,
            }
        }
        "transaction_read_only" | "transaction_deferrable" => {
            let value = value.map_or_else(|| default(scope, &format!("default_{lower}")), str::to_owned);
            let on = Settings::boolean(&lower, &value)?;
            match lower.as_str() {
                "transaction_read_only" => scope.set_read_only(on)?,
                _ => scope.set_deferrable(on)?,
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// SET CONSTRAINTS. What is to be immediate from now on is looked at now.
fn set_constraints(
    scope: &mut Scope,
    named: &mut Named,
    names: Option<&[Name]>,
    deferred: bool,
) -> Step<Answer> {
    if !scope.is_in_block() {
        scope.notices.push((Severity::Warning, Scope::no_block("SET CONSTRAINTS")));
    }
    scope.refresh_durable()?;
    let keys = match names {
        None => None,
        Some(names) => {
            let mut keys = Vec::new();
            for name in names {
                keys.extend(constraint_keys(scope, name, deferred)?);
            }
            Some(keys)
        }
    };
    scope.effects.deferred.set(keys.as_deref(), deferred);
    if !deferred {
        named.settle(scope, keys.as_deref())?;
    }
    tag("SET CONSTRAINTS")
}

/// The foreign keys that a name means: of its schema, or of the first of the search path that has it.
fn constraint_keys(scope: &Scope, name: &Name, deferred: bool) -> Result<Vec<Oid>> {
    let catalog = scope.view.catalog();
    let schemas = match name.qualifier() {
        None => scope.view.search_path().to_vec(),
        Some(schema) => match scope.view.schema_in(catalog, schema) {
            Some(schema) => vec![schema.oid],
            None => {
                let message = format!("schema \"{schema}\" does not exist");
                return Err(SqlError::new(SqlState::INVALID_SCHEMA_NAME, message));
            }
        },
    };
    for schema in schemas {
        let (is_there, keys) = constraints_named(catalog, schema, name.last());
        if is_there && keys.is_empty() && deferred {
            let message = format!("constraint \"{}\" is not deferrable", name.last());
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        if is_there {
            return Ok(keys);
        }
    }
    let message = format!("constraint \"{}\" does not exist", name.last());
    Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
}

fn reset(scope: &mut Scope, name: Option<&str>) -> Step<Answer> {
    match name {
        None => scope.view.settings.reset_all(),
        Some(name) => {
            if !set_mode(scope, name, None)? {
                scope.view.settings.set(name, None, false)?;
            }
        }
    }
    tag("RESET")
}

fn show(scope: &Scope, name: &str) -> Step<Answer> {
    let rows = if is_all(name) {
        let all = scope.view.settings.show_all().into_iter();
        all.map(|(name, value, text)| vec![Datum::text(name), Datum::text(value), Datum::text(text)])
            .collect()
    } else {
        vec![vec![Datum::text(scope.view.settings.show(name)?.1)]]
    };
    let statement = Statement::Show { name: name.to_owned() };
    let columns = columns(scope, &Named::default(), &statement)?.expect("SHOW has columns");
    Ok(Answer::Rows { columns, rows, tag: CommandTag::plain("SHOW") })
}

fn prepare(
    scope: &mut Scope,
    statements: &mut Statements,
    whole: &Prepared,
    name: &str,
    types: &[TypeName],
    statement: &Statement,
) -> Step<Answer> {
    statements.check_free(name)?;
    scope.refresh_durable()?;
    let mut declared = Vec::with_capacity(types.len());
    for written in types {
        let found = bind::type_of(&scope.view, written).map_err(|error| at(error, written.position))?;
        declared.push(found.0);
    }
    let (text, shape) = (whole.text(), whole.shape().clone());
    let prepared = Prepared::shaped(Some(statement.clone()), text, shape, Some(&declared));
    prepared.plan(scope, true)?;
    statements.add(name, Arc::new(prepared), scope.statement_us(), true)?;
    tag("PREPARE")
}

fn deallocate(statements: &mut Statements, name: Option<&str>, verb: &'static str) -> Step<Answer> {
    match name {
        None => statements.clear(),
        Some(name) => {
            statements.get(name)?;
            statements.remove(name);
        }
    }
    tag(verb)
}

/// VACUUM without ANALYZE: storage reclaims space by itself, so nothing is left to do but to look at the names.
fn vacuum(scope: &mut Scope, maintenance: &Maintenance) -> Step<Answer> {
    scope.check_outside_block("VACUUM")?;
    scope.refresh_durable()?;
    let mut vacuumed: Vec<Oid> = Vec::new();
    if maintenance.targets.is_empty() {
        vacuumed.extend(scope.view.catalog().tables().map(|table| table.oid));
    }
    for target in &maintenance.targets {
        match scope.view.find_relation(&target.name)? {
            Relation::Table(table) => vacuumed.push(table.oid),
            Relation::System(table) if !table.is_view => {}
            relation => scope.notices.push((Severity::Warning, skipped(relation.name(), "vacuum"))),
        }
    }
    let now_us = scope.environment.wall_clock_us();
    for table in vacuumed {
        scope.database.relations.kept_up(table, Upkeep::Vacuum, now_us);
    }
    tag("VACUUM")
}

fn discard(scope: &mut Scope, named: &mut Named, target: DiscardTarget) -> Step<Answer> {
    match target {
        // Plans are made anew by themselves when they no longer fit.
        DiscardTarget::Plans => tag("DISCARD PLANS"),
        // Temporary objects have been dropped ahead of this, in `run.rs`.
        DiscardTarget::Temporary => tag("DISCARD TEMP"),
        DiscardTarget::Sequences => {
            forget_sequences(scope);
            tag("DISCARD SEQUENCES")
        }
        DiscardTarget::All => {
            named.statements.clear();
            named.portals.close(None)?;
            scope.view.settings.reset_all();
            forget_sequences(scope);
            scope.unlock_all_advisory();
            tag("DISCARD ALL")
        }
    }
}

fn forget_sequences(scope: &mut Scope) {
    scope.effects.sequence_values.clear();
    scope.effects.last_sequence = None;
}

/// One relation of LOCK TABLE. NOWAIT: 55P03 instead of a wait, and nobody waits any more.
fn lock_one(scope: &mut Scope, oid: Oid, mode: RelationLockMode, nowait: bool) -> Step<()> {
    match scope.lock_relation(oid, mode) {
        Err(Stop::Need(need @ Need::Lock(_))) if nowait => {
            scope.engine().cancel_need(&need);
            let relation = scope.view.catalog().relation(oid);
            let name = relation.as_ref().map_or("", Relation::name);
            let message = format!("could not obtain lock on relation \"{name}\"");
            Err(SqlError::new(SqlState::LOCK_NOT_AVAILABLE, message).into())
        }
        other => other,
    }
}

/// LOCK TABLE. Names are looked up again if the catalog has changed while a lock was waited for.
fn lock(scope: &mut Scope, tables: &[Name], mode: RelationLockMode, nowait: bool) -> Step<Answer> {
    if !scope.is_in_block() {
        return Err(Scope::no_block("LOCK TABLE").into());
    }
    loop {
        scope.refresh_durable()?;
        for name in tables {
            match scope.view.find_relation(name)? {
                Relation::Table(table) => lock_one(scope, table.oid, mode, nowait)?,
                Relation::View(view) => {
                    lock_one(scope, view.oid, mode, nowait)?;
                    for oid in scope.view.catalog().tables_below(view.oid) {
                        lock_one(scope, oid, mode, nowait)?;
                    }
                }
                // Made anew for every statement: there is nothing that could change under a reader.
                Relation::System(_) => {}
                relation @ (Relation::Index(..) | Relation::Sequence(_)) => {
                    let kinds = if matches!(relation, Relation::Index(..)) { "indexes" } else { "sequences" };
                    let message = format!("cannot lock relation \"{}\"", name.last());
                    return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                        .with_detail(format!("This operation is not supported for {kinds}."))
                        .into());
                }
            }
        }
        if scope.is_current() {
            scope.fence_snapshot();
            return tag("LOCK TABLE");
        }
    }
}
