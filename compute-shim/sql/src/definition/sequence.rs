//! CREATE and ALTER SEQUENCE, and the sequences behind SERIAL and identity columns.
//!
//! Owns the options' defaults and checks, and the default text that draws from a sequence.

use super::lookup::Found;
use super::replay::Replay;
use super::{Defined, DefinitionContext, alter_action, lookup, set_schema, store};
use crate::bind;
use crate::catalog::object::{Object, Oid, Sequence, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation};
use crate::parse::tree::{AlterSequenceAction, Name, ObjectKind, SequenceOption};
use crate::session::SessionView;
use crate::stop::Step;
use hexalog_engine::{RelationLockMode, SequenceId, SequenceParams};
use hexalog_protocol::PageId;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{quote_identifier, quote_literal_text};
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::sync::Arc;

/// What the options come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub type_id: TypeId,
    pub params: SequenceParams,
    pub cache: i64,
}

/// Bounds of a sequence's type.
fn bounds(type_id: TypeId) -> Option<(i64, i64)> {
    match type_id {
        TypeId::INT2 => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        TypeId::INT4 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        TypeId::INT8 => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

/// The options as written, each at most once.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    type_id: Option<TypeId>,
    increment: Option<i64>,
    min: Option<Option<i64>>,
    max: Option<Option<i64>>,
    start: Option<i64>,
    restart: Option<Option<i64>>,
    cache: Option<i64>,
    cycle: Option<bool>,
    pub owner: Option<Name>,
    pub name: Option<Name>,
}

impl Written {
    pub(super) fn of(view: &SessionView, options: &[SequenceOption]) -> Result<Written> {
        fn set<T>(place: &mut Option<T>, value: T) -> Result<()> {
            match place.replace(value) {
                None => Ok(()),
                Some(_) => Err(SqlError::syntax("conflicting or redundant options")),
            }
        }
        let mut written = Written::default();
        for option in options {
            match option {
                SequenceOption::As(name) => set(&mut written.type_id, bind::type_of(view, name)?.0)?,
                SequenceOption::Increment(value) => set(&mut written.increment, *value)?,
                SequenceOption::MinValue(value) => set(&mut written.min, *value)?,
                SequenceOption::MaxValue(value) => set(&mut written.max, *value)?,
                SequenceOption::Start(value) => set(&mut written.start, *value)?,
                SequenceOption::Restart(value) => set(&mut written.restart, *value)?,
                SequenceOption::Cache(value) => set(&mut written.cache, *value)?,
                SequenceOption::Cycle(value) => set(&mut written.cycle, *value)?,
                SequenceOption::OwnedBy(name) => set(&mut written.owner, name.clone())?,
                SequenceOption::Named(name) => set(&mut written.name, name.clone())?,
            }
        }
        Ok(written)
    }

    /// Whether the sequence's own page changes.
    fn is_about_values(&self) -> bool {
        self.type_id.is_some()
            || self.increment.is_some()
            || self.min.is_some()
            || self.max.is_some()
            || self.start.is_some()
            || self.restart.is_some()
            || self.cache.is_some()
            || self.cycle.is_some()
    }

    /// Fills in what `before` says, or PostgreSQL's defaults for a new sequence, and checks the whole. The second is where
    /// the sequence stands afterwards; `None`: at its start.
    fn settings(&self, type_id: TypeId, before: Option<&Before>) -> Result<(Settings, Option<i64>)> {
        let no_type = || SqlError::invalid_parameter("sequence type must be smallint, integer, or bigint");
        let (type_min, type_max) = bounds(type_id).ok_or_else(no_type)?;
        // Bounds that were those of the type follow it.
        let old =
            before.and_then(|before| bounds(before.settings.type_id).filter(|_| self.type_id.is_some()));
        let follows_max = before.is_some_and(|it| old.is_some_and(|(_, max)| max == it.settings.params.max));
        let follows_min = before.is_some_and(|it| old.is_some_and(|(min, _)| min == it.settings.params.min));
        let kept = before.map(|before| before.settings.params);
        let increment = self.increment.or(kept.map(|it| it.increment)).unwrap_or(1);
        let invalid = |message: String| Err(SqlError::invalid_parameter(message));
        if increment == 0 {
            return invalid("INCREMENT must not be zero".to_owned());
        }
        let ascending = increment > 0;
        let max = match (self.max, kept) {
            (Some(Some(max)), _) => max,
            (None, Some(kept)) if !follows_max => kept.max,
            _ if ascending || follows_max => type_max,
            _ => -1,
        };
        let min = match (self.min, kept) {
            (Some(Some(min)), _) => min,
            (None, Some(kept)) if !follows_min => kept.min,
            _ if !ascending || follows_min => type_min,
            _ => 1,
        };
        for (word, value) in [("MAXVALUE", max), ("MINVALUE", min)] {
            if !(type_min..=type_max).contains(&value) {
                let name = type_id.display_name();
                return invalid(format!("{word} ({value}) is out of range for sequence data type {name}"));
            }
        }
        if min >= max {
            return invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"));
        }
        let first = if ascending { min } else { max };
        let start = self.start.or(kept.map(|it| it.start)).unwrap_or(first);
        let stands = match (self.restart, before) {
            (Some(restart), _) => restart,
            (None, Some(before)) => Some(before.last_value),
            (None, None) => None,
        };
        for (word, value) in [("START", start), ("RESTART", stands.unwrap_or(start))] {
            if value < min {
                return invalid(format!("{word} value ({value}) cannot be less than MINVALUE ({min})"));
            }
            if value > max {
                return invalid(format!("{word} value ({value}) cannot be greater than MAXVALUE ({max})"));
            }
        }
        let cache = self.cache.or(before.map(|before| before.settings.cache)).unwrap_or(1);
        if cache <= 0 {
            return invalid(format!("CACHE ({cache}) must be greater than zero"));
        }
        let cycle = self.cycle.or(kept.map(|it| it.cycle)).unwrap_or(false);
        Ok((
            Settings { type_id, params: SequenceParams { start, increment, min, max, cycle }, cache },
            stands,
        ))
    }
}

/// A sequence that is altered, as it was.
struct Before {
    settings: Settings,
    last_value: i64,
}

/// What the options of a new sequence come to; `type_id` is for one that does not say its own.
pub(super) fn settings(view: &SessionView, type_id: TypeId, options: &[SequenceOption]) -> Result<Settings> {
    let written = Written::of(view, options)?;
    Ok(written.settings(written.type_id.unwrap_or(type_id), None)?.0)
}

/// A sequence that has no page yet.
pub(super) fn draft(
    context: &DefinitionContext<'_>,
    schema: Oid,
    name: String,
    settings: Settings,
    owned_by: Option<(Oid, usize)>,
) -> Result<Sequence> {
    let Settings { type_id, params, cache } = settings;
    let oid = context.database.allocate_oid()?;
    let owner = context.view.user_oid;
    let id = SequenceId(PageId(0));
    Ok(Sequence { oid, name, schema, owner, id, type_id, params, cache, owned_by })
}

/// Makes the pages of drafted sequences.
pub(super) fn make(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    drafts: &[Sequence],
) -> Step<Vec<Sequence>> {
    let mut made = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let Sequence { params, schema, .. } = *draft;
        let id = replay.once(context, |context| {
            let (engine, transaction) = context.home_of(schema);
            Ok(engine.create_sequence(transaction, params)?)
        })?;
        made.push(Sequence { id, ..draft.clone() });
    }
    Ok(made)
}

/// Drops a sequence with the transaction's commit.
pub(super) fn drop(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    sequence: SequenceId,
) -> Step<()> {
    replay.once(context, |context| {
        if let Some((engine, transaction)) = context.stores.of_fallen_sequence(sequence) {
            engine.drop_sequence(transaction, sequence)?;
        }
        Ok(())
    })
}

/// The qualified name of a sequence as a literal of type regclass, which defaults hold.
pub(crate) fn literal(catalog: &Catalog, sequence: &Sequence) -> String {
    let schema = quote_identifier(catalog.schema_name(sequence.schema));
    let name = quote_identifier(&sequence.name);
    format!("{}::regclass", quote_literal_text(&format!("{schema}.{name}")))
}

/// The default of a SERIAL column.
pub(super) fn default_text(catalog: &Catalog, sequence: &Sequence) -> String {
    format!("nextval({})", literal(catalog, sequence))
}

/// CREATE SEQUENCE [IF NOT EXISTS].
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    (name, temporary): (&Name, bool),
    if_not_exists: bool,
    options: &[SequenceOption],
) -> Step<Defined> {
    let schema = lookup::creation_schema(replay, context, name, temporary)?;
    let owner = owner_table(replay, context, options)?;
    let drafted = replay.once(context, |context| {
        let before = context.newest();
        if !lookup::is_free(context, &before, schema, name.last(), if_not_exists)? {
            return Ok(None);
        }
        let settings = settings(context.view, TypeId::INT8, options)?;
        let mut sequence = draft(context, schema, name.last().to_owned(), settings, None)?;
        if let Some((table, column)) = &owner {
            sequence.owned_by = owned_by(&sequence, table.as_ref(), column)?;
        }
        Ok(Some((before, sequence)))
    })?;
    let Some((before, sequence)) = drafted else { return Ok(Defined::nothing("CREATE SEQUENCE")) };
    let mut changes = ChangeSet::default();
    for sequence in make(replay, context, &[sequence])? {
        changes.put(Object::Sequence(Arc::new(sequence)));
    }
    Ok(Defined::plain("CREATE SEQUENCE", store(replay, context, &before, changes)?))
}

/// OWNED BY: the table, locked, and the column; no table for NONE.
type Owner = Option<(Option<Arc<Table>>, String)>;

fn owner_table(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    options: &[SequenceOption],
) -> Step<Owner> {
    let Some(name) = Written::of(context.view, options)?.owner else { return Ok(None) };
    let (column, table) = name.parts.split_last().expect("a name has parts");
    if table.is_empty() {
        if column == "none" {
            return Ok(Some((None, String::new())));
        }
        let error = SqlError::syntax("invalid OWNED BY option");
        return Err(error.with_hint("Specify OWNED BY table.column or OWNED BY NONE.").into());
    }
    let table = Name { parts: table.to_vec(), position: name.position };
    let mode = RelationLockMode::AccessShare;
    match lookup::locked(replay, context, &table, mode)? {
        Found::Relation(Relation::Table(table)) => Ok(Some((Some(table), column.clone()))),
        Found::Relation(relation) => {
            let message = format!("sequence cannot be owned by relation \"{}\"", relation.name());
            let detail = match lookup::kind_of(&relation) {
                ObjectKind::Index => "This operation is not supported for indexes.",
                ObjectKind::Sequence => "This operation is not supported for sequences.",
                _ => "This operation is not supported for views.",
            };
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(detail).into())
        }
        Found::Nothing => Err(lookup::no_relation(&table).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

fn owned_by(sequence: &Sequence, table: Option<&Arc<Table>>, column: &str) -> Result<Option<(Oid, usize)>> {
    let Some(table) = table else { return Ok(None) };
    let state = |message| Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    if table.owner != sequence.owner {
        return state("sequence must have same owner as table it is linked to");
    }
    if table.schema != sequence.schema {
        return state("sequence must be in same schema as table it is linked to");
    }
    let at = table.column_index(column).ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    Ok(Some((table.oid, at)))
}

/// 0A000 for what the owner of an identity or SERIAL sequence has a say in.
pub(super) fn linked(catalog: &Catalog, sequence: &Sequence, message: &'static str) -> SqlError {
    let table = sequence.owned_by.and_then(|(table, _)| catalog.table(table));
    let table = table.map_or("", |table| table.name.as_str());
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_detail(format!("Sequence \"{}\" is linked to table \"{table}\".", sequence.name))
}

/// ALTER SEQUENCE, but for its name.
pub(super) fn alter(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    if_exists: bool,
    action: &AlterSequenceAction,
) -> Step<Defined> {
    const VERB: &str = "ALTER SEQUENCE";
    let sequence = match lookup::locked(replay, context, name, RelationLockMode::AccessExclusive)? {
        Found::Relation(Relation::Sequence(sequence)) => sequence,
        Found::Relation(Relation::System(table)) => return Err(lookup::is_system(table.name).into()),
        Found::Relation(relation) => return Err(lookup::not_a("sequence", relation.name()).into()),
        Found::Nothing | Found::NoSchema(_) if if_exists => {
            lookup::notice_skipped(replay, context, name)?;
            return Ok(Defined::nothing(VERB));
        }
        Found::Nothing => return Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => return Err(lookup::no_schema(&schema).into()),
    };
    let before = replay.once(context, |context| Ok(context.newest()))?;
    context.view.check_own(&before, sequence.schema)?;
    let mut changes = ChangeSet::default();
    match action {
        AlterSequenceAction::SetSchema(schema) => {
            if sequence.owned_by.is_some() {
                let message = "cannot move an owned sequence into another schema";
                return Err(linked(&before, &sequence, message).into());
            }
            return set_schema::run(replay, context, Relation::Sequence(sequence), schema, VERB);
        }
        AlterSequenceAction::OwnerTo(role) => {
            let owner = alter_action::role_oid(context, &before, role)?;
            if owner != sequence.owner && sequence.owned_by.is_some() {
                return Err(linked(&before, &sequence, "cannot change owner of sequence").into());
            }
            let altered = Sequence { owner, ..Sequence::clone(&sequence) };
            changes.put(Object::Sequence(Arc::new(altered)));
        }
        AlterSequenceAction::Options(options) => {
            let owner = owner_table(replay, context, options)?;
            let mut altered = altered(replay, context, &sequence, options)?;
            if let Some((table, column)) = &owner {
                let is_identity = sequence.owned_by.is_some_and(|(table, column)| {
                    before.table(table).is_some_and(|table| table.columns[column].identity.is_some())
                });
                if is_identity {
                    return Err(
                        linked(&before, &sequence, "cannot change ownership of identity sequence").into()
                    );
                }
                altered.owned_by = owned_by(&sequence, table.as_ref(), column)?;
            }
            changes.put(Object::Sequence(Arc::new(altered)));
        }
    }
    Ok(Defined::plain(VERB, store(replay, context, &before, changes)?))
}

/// The sequence as its options make it. A new page takes the old one's place, so that a rollback leaves the sequence where
/// it stood.
pub(super) fn altered(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    sequence: &Sequence,
    options: &[SequenceOption],
) -> Step<Sequence> {
    let written = Written::of(context.view, options)?;
    if !written.is_about_values() {
        return Ok(sequence.clone());
    }
    let (id, Sequence { type_id, params, cache, .. }) = (sequence.id, sequence);
    let state =
        replay.once(context, |context| Ok(context.stores.of_sequence(id).0.sequence_current(id)?))?;
    let old = Settings { type_id: *type_id, params: *params, cache: *cache };
    let before = Before { settings: old, last_value: state.last_value };
    let (new, stands) = written.settings(written.type_id.unwrap_or(*type_id), Some(&before))?;
    let draft = Sequence { type_id: new.type_id, params: new.params, cache: new.cache, ..sequence.clone() };
    let made = make(replay, context, &[draft])?.pop().expect("one was made");
    let value = stands.unwrap_or(new.params.start);
    let is_called = written.restart.is_none() && state.is_called;
    if is_called || value != new.params.start {
        let id = made.id;
        replay.once(context, |context| {
            let (engine, transaction) = context.stores.of_sequence(id);
            Ok(engine.sequence_set(transaction, id, value, is_called)?)
        })?;
    }
    drop(replay, context, id)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object::DATABASE_OID;
    use crate::catalog::published::PublishedCatalog;
    use crate::session::Settings;
    use SequenceOption as O;
    use hexalog_protocol::Lsn;

    #[test]
    fn options_come_to_what_postgres_makes_of_them() {
        let params = |start, increment, min, max, cycle| SequenceParams { start, increment, min, max, cycle };
        let catalog = PublishedCatalog::new(Catalog::empty(DATABASE_OID), Lsn::ZERO);
        let view = SessionView::new("postgres", "postgres", 0, Settings::new("postgres", false), catalog);
        for (type_id, options, expected) in [
            (TypeId::INT8, vec![], Ok(params(1, 1, 1, i64::MAX, false))),
            (TypeId::INT2, vec![], Ok(params(1, 1, 1, 32_767, false))),
            (TypeId::INT4, vec![O::Increment(-1)], Ok(params(-1, -1, -2_147_483_648, -1, false))),
            (
                TypeId::INT8,
                vec![O::MinValue(Some(5)), O::MaxValue(None), O::Cycle(true)],
                Ok(params(5, 1, 5, i64::MAX, true)),
            ),
            (TypeId::INT8, vec![O::Increment(0)], Err("INCREMENT must not be zero")),
            (
                TypeId::INT2,
                vec![O::MaxValue(Some(40_000))],
                Err("MAXVALUE (40000) is out of range for sequence data type smallint"),
            ),
            (
                TypeId::INT8,
                vec![O::MinValue(Some(5)), O::MaxValue(Some(3))],
                Err("MINVALUE (5) must be less than MAXVALUE (3)"),
            ),
            (TypeId::INT8, vec![O::Start(0)], Err("START value (0) cannot be less than MINVALUE (1)")),
            (
                TypeId::INT8,
                vec![O::Start(9), O::MaxValue(Some(8))],
                Err("START value (9) cannot be greater than MAXVALUE (8)"),
            ),
            (TypeId::INT8, vec![O::Cache(0)], Err("CACHE (0) must be greater than zero")),
            (TypeId::INT8, vec![O::Cache(2), O::Cache(2)], Err("conflicting or redundant options")),
            (TypeId::TEXT, vec![], Err("sequence type must be smallint, integer, or bigint")),
        ] {
            let found = settings(&view, type_id, &options).map(|settings| settings.params);
            let found = found.map_err(|error| error.message().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{options:?}");
        }
    }
}
