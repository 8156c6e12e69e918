//! CREATE SEQUENCE, and the sequences behind SERIAL and identity columns.
//!
//! Owns the options' defaults and checks, and the default text that draws from a sequence.

use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, store};
use crate::bind;
use crate::catalog::Catalog;
use crate::catalog::object::{Object, Oid, Sequence};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{Name, SequenceOption, TypeName};
use crate::stop::Step;
use hexalog_engine::{SequenceId, SequenceParams};
use hexalog_protocol::PageId;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{quote_identifier, quote_literal_text};
use hexalog_sql_types::{SqlError, TypeId};
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
#[derive(Default)]
struct Written {
    increment: Option<i64>,
    min: Option<Option<i64>>,
    max: Option<Option<i64>>,
    start: Option<i64>,
    cache: Option<i64>,
    cycle: Option<bool>,
}

impl Written {
    fn of(options: &[SequenceOption]) -> Result<Written> {
        fn set<T>(place: &mut Option<T>, value: T) -> Result<()> {
            match place.replace(value) {
                None => Ok(()),
                Some(_) => Err(SqlError::syntax("conflicting or redundant options")),
            }
        }
        let mut written = Written::default();
        for option in options {
            match *option {
                SequenceOption::Increment(value) => set(&mut written.increment, value)?,
                SequenceOption::MinValue(value) => set(&mut written.min, value)?,
                SequenceOption::MaxValue(value) => set(&mut written.max, value)?,
                SequenceOption::Start(value) => set(&mut written.start, value)?,
                SequenceOption::Cache(value) => set(&mut written.cache, value)?,
                SequenceOption::Cycle(value) => set(&mut written.cycle, value)?,
                SequenceOption::Restart(_) => return Err(SqlError::unsupported("RESTART of a new sequence")),
            }
        }
        Ok(written)
    }
}

/// Fills in PostgreSQL's defaults and checks the whole.
pub(super) fn settings(type_id: TypeId, options: &[SequenceOption]) -> Result<Settings> {
    let (type_min, type_max) = bounds(type_id)
        .ok_or_else(|| SqlError::invalid_parameter("sequence type must be smallint, integer, or bigint"))?;
    let written = Written::of(options)?;
    let increment = written.increment.unwrap_or(1);
    let invalid = |message: String| Err(SqlError::invalid_parameter(message));
    if increment == 0 {
        return invalid("INCREMENT must not be zero".to_owned());
    }
    let ascending = increment > 0;
    let max = written.max.flatten().unwrap_or(if ascending { type_max } else { -1 });
    let min = written.min.flatten().unwrap_or(if ascending { 1 } else { type_min });
    for (word, value) in [("MAXVALUE", max), ("MINVALUE", min)] {
        if !(type_min..=type_max).contains(&value) {
            let name = type_id.display_name();
            return invalid(format!("{word} ({value}) is out of range for sequence data type {name}"));
        }
    }
    if min >= max {
        return invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"));
    }
    let start = written.start.unwrap_or(if ascending { min } else { max });
    if start < min {
        return invalid(format!("START value ({start}) cannot be less than MINVALUE ({min})"));
    }
    if start > max {
        return invalid(format!("START value ({start}) cannot be greater than MAXVALUE ({max})"));
    }
    let cache = written.cache.unwrap_or(1);
    if cache <= 0 {
        return invalid(format!("CACHE ({cache}) must be greater than zero"));
    }
    let cycle = written.cycle.unwrap_or(false);
    Ok(Settings { type_id, params: SequenceParams { start, increment, min, max, cycle }, cache })
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
        let params = draft.params;
        let id = replay
            .once(context, |context| Ok(context.engine.create_sequence(context.transaction, params)?))?;
        made.push(Sequence { id, ..draft.clone() });
    }
    Ok(made)
}

/// The qualified name of a sequence as a literal of type regclass, which defaults hold.
pub(super) fn literal(catalog: &Catalog, sequence: &Sequence) -> String {
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
    name: &Name,
    if_not_exists: bool,
    options: &[SequenceOption],
    type_name: Option<&TypeName>,
) -> Step<Defined> {
    let schema = lookup::creation_schema(replay, context, name)?;
    let drafted = replay.once(context, |context| {
        let before = context.newest();
        if !lookup::is_free(context, &before, schema, name.last(), if_not_exists)? {
            return Ok(None);
        }
        let type_id = match type_name {
            Some(type_name) => bind::type_of(type_name)?.0,
            None => TypeId::INT8,
        };
        let settings = settings(type_id, options)?;
        let sequence = draft(context, schema, name.last().to_owned(), settings, None)?;
        Ok(Some((before, sequence)))
    })?;
    let Some((before, sequence)) = drafted else { return Ok(Defined::nothing("CREATE SEQUENCE")) };
    let mut changes = ChangeSet::default();
    for sequence in make(replay, context, &[sequence])? {
        changes.put(Object::Sequence(Arc::new(sequence)));
    }
    Ok(Defined::plain("CREATE SEQUENCE", store(replay, context, &before, changes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use SequenceOption as O;

    #[test]
    fn options_come_to_what_postgres_makes_of_them() {
        let params = |start, increment, min, max, cycle| SequenceParams { start, increment, min, max, cycle };
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
            let found = settings(type_id, &options).map(|settings| settings.params);
            let found = found.map_err(|error| error.message().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{options:?}");
        }
    }
}
