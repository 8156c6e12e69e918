//! Where a statement asks for a collation, and what is refused or marked since there is none.
//!
//! Owns 42P21, for a statement that asks for one order of values which have none, and the marks of calls that raise 42P22 when
//! they are called. Which collation a value has is [`Collation`]'s.

use super::{Binder, OutputColumn};
use crate::catalog::object::Oid;
use crate::catalog::system::{collation_name, collation_named};
use crate::definition::no_schema;
use crate::expression::{Collation, Expr, Kind, is_collatable, need, no_collation_for};
use crate::parse::at;
use crate::parse::tree::Name;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

fn mismatch(kind: &str, first: Oid, second: Oid) -> SqlError {
    let (first, second) = (collation_name(first), collation_name(second));
    let message = format!("collation mismatch between {kind} collations \"{first}\" and \"{second}\"");
    SqlError::new(SqlState::COLLATION_MISMATCH, message)
}

/// 42P21 if COLLATE has given two collations to these: the one that stands first is named first.
pub(super) fn check_explicit(collations: impl IntoIterator<Item = Collation> + Clone) -> Result<()> {
    let asked = |collation| match collation {
        Collation::Explicit { oid, position } => Some((oid, position)),
        _ => None,
    };
    let Some((first, _)) = collations.clone().into_iter().filter_map(asked).min_by_key(|asked| asked.1)
    else {
        return Ok(());
    };
    match collations.into_iter().filter_map(asked).find(|asked| asked.0 != first) {
        Some((other, position)) => Err(at(mismatch("explicit", first, other), position)),
        None => Ok(()),
    }
}

pub(super) fn check_explicit_of(exprs: &[Expr]) -> Result<()> {
    check_explicit(exprs.iter().map(|expr| expr.collation))
}

/// 42P21 for a value that is to be ordered or grouped by and is made of columns that differ.
pub(super) fn check_one(collation: Collation) -> Result<()> {
    let Collation::Conflict { first, second, position } = collation else { return Ok(()) };
    let hint = "You can choose the collation by applying the COLLATE clause to one or both expressions.";
    Err(at(mismatch("implicit", first, second).with_hint(hint), position))
}

/// The same for a key of a sort, and 42P22 for one that has come without a collation.
pub(super) fn check_sort_key(key: &Expr) -> Result<()> {
    check_one(key.collation)?;
    match key.collation {
        Collation::Missing if is_collatable(key.type_id) => Err(no_collation_for("string comparison")),
        _ => Ok(()),
    }
}

/// What a column of a set operation has; `is_merged`: its values are told apart.
pub(super) fn of_set_operation(
    left: &OutputColumn,
    right: &OutputColumn,
    is_merged: bool,
) -> Result<Collation> {
    check_explicit([left.collation, right.collation])?;
    let side = |column: &OutputColumn| (column.type_id, column.collation, column.position);
    let collation = Collation::of_sides(side(left), side(right));
    if is_merged {
        check_one(collation)?;
    }
    Ok(collation.outside())
}

/// 42P21 for a column of a recursive query whose rounds would have another collation than its first term.
pub(super) fn check_recursive(
    name: &str,
    number: usize,
    base: &OutputColumn,
    overall: Collation,
) -> Result<()> {
    let (there, overall) = (base.collation.oid(base.type_id), overall.oid(base.type_id));
    if there == overall {
        return Ok(());
    }
    let shown = |oid: Option<Oid>| oid.map_or("(null)", collation_name);
    let message = format!(
        "recursive query \"{name}\" column {number} has collation \"{}\" in non-recursive term but collation \"{}\" overall",
        shown(there),
        shown(overall)
    );
    let error = SqlError::new(SqlState::COLLATION_MISMATCH, message)
        .with_hint("Use the COLLATE clause to set the collation of the non-recursive term.");
    Err(at(error, base.position))
}

impl Binder<'_> {
    /// The collation that is asked for by name.
    pub(super) fn collation_asked(&self, name: &Name) -> Result<Oid> {
        let view = self.context.view;
        match name.qualifier() {
            Some(schema) if view.schema_in(view.catalog(), schema).is_none() => Err(no_schema(schema)),
            _ => collation_named(name),
        }
    }

    /// A call, computed if it is one of constants, and marked if it needs a collation which its operands do not have together.
    pub(super) fn called(&self, call: Expr) -> Expr {
        let call = self.fold(call);
        let Some(what) = need(&call.kind) else { return call };
        let is_missing = match &call.kind {
            Kind::Operator { operands: parts, .. }
            | Kind::Function { arguments: parts, .. }
            | Kind::Extreme { items: parts, .. } => lacks_collation(&**parts),
            Kind::IsDistinct { sides, .. } => lacks_collation(&**sides),
            Kind::NullIf { comparison, .. } => lacks_collation(&**comparison),
            Kind::AnyAll { left, array, .. } => lacks_collation([&**left, &**array]),
            _ => false,
        };
        if !is_missing {
            return call;
        }
        let (type_id, typmod, position) = (call.type_id, call.typmod, call.position);
        Expr::new(Kind::WithoutCollation { call: Box::new(call), what }, type_id)
            .with_typmod(typmod)
            .at(position)
    }
}

/// Whether these are of types with collations, and have none together.
pub(super) fn lacks_collation<'e>(parts: impl IntoIterator<Item = &'e Expr> + Clone) -> bool {
    let has_one = matches!(
        Collation::together(parts.clone()),
        Some(Collation::Implicit { .. } | Collation::Explicit { .. } | Collation::Own)
    );
    !has_one && parts.into_iter().any(|part| is_collatable(part.type_id))
}
