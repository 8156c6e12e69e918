//! CREATE TYPE … AS ENUM and ALTER TYPE, and what keeps types from falling under those who use them.
//!
//! A value is a number that rows hold; the numbers of neighbours lie far apart, so that a value which comes between two of
//! them changes no row. Owns [`hold_types`], through which every definition goes: a table or view that comes to rest on a
//! type holds a lock on it to the end of its transaction, which DROP TYPE (`drop_type.rs`) waits for.

use super::alter_action::role_oid;
use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, store};
use crate::bind;
use crate::catalog::object::{EnumLabel, EnumType, Object, ObjectClass, Oid, PG_CATALOG_OID};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Changes, Relation, types_used};
use crate::parse::tree::{AlterTypeAction, Beside, Name, TypeName};
use crate::stop::{Step, Stop};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The distance of neighbours that are made together. A million times a million values fit on either side, and between two
/// of them a new one can come forty times at the very same place.
const SPACING: i64 = 1 << 40;

/// Bytes of a label.
const LABEL_BYTES_MAX: usize = 63;

/// Locks the type of users that a name means, and answers with it as it is once the lock is held.
pub(super) fn locked(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &TypeName,
    mode: RelationLockMode,
) -> Step<Option<TypeId>> {
    replay.once(context, |context| {
        let mut held = None;
        loop {
            let found = bind::user_type(&context.newest(), context.view.search_path(), name);
            let Some(id) = found.filter(|_| found != held) else { return Ok(found) };
            let oid = id.array_element().unwrap_or(id).0;
            context.stores.engine.lock_relation(context.stores.transaction, oid, mode)?;
            held = found;
        }
    })
}

/// Locks the types that objects come to rest on. 42704 for one that has been dropped meanwhile.
pub(super) fn hold_types(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    changes: &Changes,
) -> Step<()> {
    let mut wanted: BTreeSet<TypeId> = BTreeSet::new();
    for (&(class, oid), change) in changes {
        let Some(object) = change else { continue };
        let old = before.object(class, oid);
        check_name_of_relation(before, object, old.as_ref())?;
        let known = old.map_or_else(BTreeSet::new, |old| types_used(&old));
        wanted.extend(types_used(object).difference(&known));
    }
    for id in wanted.into_iter().filter(|id| !changes.contains_key(&(ObjectClass::Enum, id.0))) {
        lookup::lock(replay, context, id.0, RelationLockMode::AccessShare)?;
        if context.newest().enum_type(id).is_none() {
            let message = format!("type with OID {} does not exist", id.0);
            return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message).into());
        }
    }
    Ok(())
}

/// 42710 for a table or view that takes the name of a type: in PostgreSQL it has a type of its own name.
fn check_name_of_relation(before: &Catalog, object: &Object, old: Option<&Object>) -> Result<()> {
    let place = |object: &Object| match object {
        Object::Table(table) => Some((table.schema, table.name.clone())),
        Object::View(view) => Some((view.schema, view.name.clone())),
        _ => None,
    };
    let Some((schema, name)) = place(object).filter(|new| old.and_then(place).as_ref() != Some(new)) else {
        return Ok(());
    };
    match before.type_in(schema, &name) {
        Some(id) if id.is_enum() && old.is_some() => Err(exists(&name)),
        Some(id) if id.is_enum() => Err(exists(&name).with_hint(
            "A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.",
        )),
        _ => Ok(()),
    }
}

fn exists(name: &str) -> SqlError {
    SqlError::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists"))
}

/// Whether the name of a type is taken in a schema: by a type, or by what has a type of its own name.
fn is_taken(catalog: &Catalog, schema: Oid, name: &str) -> bool {
    let has_row_type = matches!(
        catalog.relation_in(schema, name),
        Some(Relation::Table(_) | Relation::View(_) | Relation::System(_))
    );
    // Types of arrays give way.
    has_row_type || catalog.type_in(schema, name).is_some_and(TypeId::is_enum)
}

const TEMPORARY: &str = "a type in a temporary schema";

fn temporary() -> Stop {
    SqlError::unsupported(TEMPORARY).into()
}

fn check_label(label: &str) -> Result<()> {
    if label.len() <= LABEL_BYTES_MAX {
        return Ok(());
    }
    let message = format!("invalid enum label \"{label}\"");
    Err(SqlError::new(SqlState::INVALID_NAME, message).with_detail("Labels must be 63 bytes or less."))
}

/// CREATE TYPE … AS ENUM.
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    labels: &[String],
) -> Step<Defined> {
    // PostgreSQL's errors about the name point nowhere.
    let name = Name { position: 0, ..name.clone() };
    if name.qualifier() == Some("pg_temp") {
        return Err(temporary());
    }
    let schema = lookup::creation_schema(replay, context, &name, false)?;
    let (before, object) = replay.once(context, |context| {
        let before = context.newest();
        if before.is_temporary(schema) {
            return Err(temporary());
        }
        if is_taken(&before, schema, name.last()) {
            return Err(exists(name.last()).into());
        }
        let oid = context.database.allocate_type_oid()?;
        let mut made: Vec<EnumLabel> = Vec::with_capacity(labels.len());
        for label in labels {
            check_label(label)?;
            if made.iter().any(|known| *known.label == **label) {
                let message = "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"";
                let detail = format!("Key (enumtypid, enumlabel)=({oid}, {label}) already exists.");
                return Err(SqlError::new(SqlState::UNIQUE_VIOLATION, message).with_detail(detail).into());
            }
            let key = beside(&made, None)?.1;
            let (oid, label) = (context.database.allocate_oid()?, label.as_str().into());
            made.push(EnumLabel { oid, key, label, is_new: false });
        }
        let (name, owner) = (name.last().to_owned(), context.view.user_oid);
        Ok((before, EnumType { oid, name, schema, owner, labels: made }))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Enum(Arc::new(object)));
    Ok(Defined::plain("CREATE TYPE", store(replay, context, &before, changes)?))
}

/// The place of a new value, and its key. 22023 if it shall stand beside one that there is not, 54000 if there is no room.
fn beside(labels: &[EnumLabel], place: Option<&Beside>) -> Result<(usize, i64)> {
    let at = match place {
        None => labels.len(),
        Some(Beside { is_before, label }) => {
            let found = labels.iter().position(|known| *known.label == **label);
            let found = found.ok_or_else(|| not_a_label(label))?;
            if *is_before { found } else { found + 1 }
        }
    };
    let below = at.checked_sub(1).map(|below| labels[below].key);
    let key = match (below, labels.get(at).map(|above| above.key)) {
        (None, None) => Some(0),
        (Some(below), None) => below.checked_add(SPACING),
        (None, Some(above)) => above.checked_sub(SPACING),
        (Some(below), Some(above)) => Some(below.midpoint(above)).filter(|key| below < *key && *key < above),
    };
    let key = key.ok_or_else(|| {
        let message = "no room for another enum value at this place";
        SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
    })?;
    Ok((at, key))
}

fn not_a_label(label: &str) -> SqlError {
    SqlError::invalid_parameter(format!("\"{label}\" is not an existing enum label"))
}

fn label_exists(label: &str) -> String {
    format!("enum label \"{label}\" already exists")
}

/// ALTER TYPE. Names and values change under those who use them: what is kept of these are numbers.
pub(super) fn alter(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    action: &AlterTypeAction,
) -> Step<Defined> {
    let schema = match action {
        AlterTypeAction::SetSchema(schema) => Some(lookup::schema_named(replay, context, schema)?),
        _ => None,
    };
    let written = type_name(context, name)?;
    let id = match locked(replay, context, &written, RelationLockMode::ShareUpdateExclusive)? {
        Some(id) if id.is_enum() => id,
        Some(id) => return Err(not_alterable(id, action).into()),
        None => {
            let (id, _) = bind::type_of(context.view, &written)?;
            return Err(not_alterable(id, action).into());
        }
    };
    let drafted = replay.once(context, |context| {
        let before = context.newest();
        let mut object = EnumType::clone(before.enum_type(id).expect("its lock is held"));
        let has_changed = change(context, &before, &mut object, action, schema)?;
        Ok(has_changed.then_some((before, object)))
    })?;
    let Some((before, object)) = drafted else { return Ok(Defined::nothing("ALTER TYPE")) };
    let mut changes = ChangeSet::default();
    changes.put(Object::Enum(Arc::new(object)));
    Ok(Defined::plain("ALTER TYPE", store(replay, context, &before, changes)?))
}

/// 42809 for a type that is no enum.
fn not_alterable(id: TypeId, action: &AlterTypeAction) -> SqlError {
    let name = id.display_name();
    match action {
        AlterTypeAction::AddValue { .. } | AlterTypeAction::RenameValue { .. } => {
            SqlError::new(SqlState::WRONG_OBJECT_TYPE, format!("{name} is not an enum"))
        }
        _ if id.is_enum_array() => {
            let element = id.array_element().map(TypeId::display_name).unwrap_or_default();
            let hint = format!("You can alter type {element}, which will alter the array type as well.");
            let message = format!("cannot alter array type {name}");
            SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint)
        }
        _ => SqlError::unsupported(format!("altering type {name}")),
    }
}

/// A name as that of a type.
pub(super) fn type_name(context: &DefinitionContext<'_>, name: &Name) -> Result<TypeName> {
    lookup::check_parts(context.view, name)?;
    let schema = name.qualifier().map(str::to_owned);
    if let Some(schema) = &schema
        && context.view.catalog().schema_by_name(schema).is_none()
    {
        return Err(lookup::no_schema(schema));
    }
    Ok(TypeName { schema, ..TypeName::single(name.last()) })
}

/// Makes the change; false if there was nothing to do.
fn change(
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    object: &mut EnumType,
    action: &AlterTypeAction,
    schema: Option<Oid>,
) -> Result<bool> {
    match action {
        AlterTypeAction::AddValue { label, if_not_exists, beside: place } => {
            return add_value(context, object, label, *if_not_exists, place.as_ref());
        }
        AlterTypeAction::RenameValue { from, to } => {
            check_label(to)?;
            let at = object.position(from).ok_or_else(|| not_a_label(from))?;
            if object.position(to).is_some() {
                return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, label_exists(to)));
            }
            object.labels[at].label = to.as_str().into();
        }
        AlterTypeAction::RenameTo(to) => {
            if is_taken(before, object.schema, to) {
                return Err(exists(to));
            }
            object.name.clone_from(to);
        }
        AlterTypeAction::SetSchema(name) => {
            let schema = schema.expect("looked up before");
            if schema == object.schema {
                return Ok(false);
            }
            assert_ne!(schema, PG_CATALOG_OID, "refused by the look-up");
            if before.is_temporary(schema) {
                return Err(SqlError::unsupported(TEMPORARY));
            }
            if is_taken(before, schema, &object.name) {
                let message = format!("type \"{}\" already exists in schema \"{name}\"", object.name);
                return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            object.schema = schema;
        }
        AlterTypeAction::OwnerTo(role) => object.owner = role_oid(context, before, role)?,
    }
    Ok(true)
}

fn add_value(
    context: &mut DefinitionContext<'_>,
    object: &mut EnumType,
    label: &str,
    if_not_exists: bool,
    place: Option<&Beside>,
) -> Result<bool> {
    check_label(label)?;
    if object.position(label).is_some() {
        if !if_not_exists {
            return Err(SqlError::new(SqlState::DUPLICATE_OBJECT, label_exists(label)));
        }
        context.notice(SqlState::DUPLICATE_OBJECT, format!("{}, skipping", label_exists(label)));
        return Ok(false);
    }
    let (at, key) = beside(&object.labels, place)?;
    let (oid, label) = (context.database.allocate_oid()?, label.into());
    object.labels.insert(at, EnumLabel { oid, key, label, is_new: true });
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(keys: &[i64]) -> Vec<EnumLabel> {
        let label = |&key: &i64| EnumLabel { oid: 1, key, label: key.to_string().into(), is_new: false };
        keys.iter().map(label).collect()
    }

    #[test]
    fn values_come_between_others() {
        let place = |is_before, label: &str| Some(Beside { is_before, label: label.to_owned() });
        for (keys, place, expected) in [
            (&[][..], None, Ok((0, 0))),
            (&[0], None, Ok((1, SPACING))),
            (&[0], place(true, "0"), Ok((0, -SPACING))),
            (&[0, 8], place(false, "0"), Ok((1, 4))),
            (&[0, 8], place(true, "8"), Ok((1, 4))),
            (&[-3, 0], place(false, "-3"), Ok((1, -1))),
            (&[0, 8], place(false, "8"), Ok((2, 8 + SPACING))),
            (&[0, 1], place(false, "0"), Err("54000")),
            (&[i64::MAX], None, Err("54000")),
            (&[i64::MIN], place(true, &i64::MIN.to_string()), Err("54000")),
            (&[0], place(true, "x"), Err("22023")),
        ] {
            let found = beside(&labels(keys), place.as_ref());
            let found = found.map_err(|error| error.sqlstate().as_str().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{keys:?} {place:?}");
        }
    }

    #[test]
    fn there_is_room_for_forty() {
        let mut made = labels(&[0, SPACING]);
        for _ in 0..40 {
            let place = Beside { is_before: false, label: "0".to_owned() };
            let (at, key) = beside(&made, Some(&place)).expect("room");
            made.insert(at, labels(&[key]).remove(0));
        }
        assert!(made.is_sorted_by(|one, other| one.key < other.key));
    }
}
