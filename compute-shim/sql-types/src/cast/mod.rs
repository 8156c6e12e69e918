//! Casts: which exist, in which context they apply, and their execution with type modifiers.
//!
//! Owns [`Cast`] and [`Coercion`], a conversion that the binder plans once and the executor applies to every row.
//! `table.rs` holds the casts, `convert.rs` their code, `typmod.rs` the modifiers. Read next: `resolve`, which decides
//! where coercions are needed.

mod convert;
mod json;
mod table;
mod typmod;

use std::sync::Arc;

use crate::datum::{Array, Datum};
use crate::env::EvalEnv;
use crate::error::Result;
use crate::text;
use crate::types::{TypeCategory, TypeId, Typmod};

pub(crate) use convert::{float_overflow, float_underflow};

/// How a conversion was asked for; each context allows all that the one before it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CastContext {
    /// Without being asked for, in expressions.
    Implicit,
    /// Storing into a column.
    Assignment,
    /// `CAST(x AS t)`, `x::t`.
    Explicit,
}

/// The code of a cast between two types. Never sees NULL.
pub type CastFn = fn(&EvalEnv<'_>, &Datum) -> Result<Datum>;

/// One row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Type converted from.
    pub source: TypeId,
    /// Type converted to; equal to `source` for casts that apply a type modifier.
    pub target: TypeId,
    /// Where it applies.
    pub context: CastContext,
    /// `castfunc`: oid of the function, 0 for binary-coercible types.
    pub function: u32,
    /// The code.
    pub call: CastFn,
}

/// Every cast of the table, by source and target, without those that exist by rule (arrays, text forms, `unknown`).
pub fn casts() -> &'static [Cast] {
    table::casts()
}

/// The table's cast between two types.
pub fn find(source: TypeId, target: TypeId) -> Option<&'static Cast> {
    let casts = casts();
    let at = casts.binary_search_by_key(&(source, target), |cast| (cast.source, cast.target)).ok()?;
    Some(&casts[at])
}

/// Whether values of `source` are values of `target` without a function, implicitly (`IsBinaryCoercible`).
pub fn is_binary_coercible(source: TypeId, target: TypeId) -> bool {
    if source == target {
        return true;
    }
    match target {
        TypeId::ANY | TypeId::ANYELEMENT | TypeId::ANYCOMPATIBLE => return true,
        TypeId::ANYARRAY | TypeId::ANYCOMPATIBLEARRAY if source.array_element().is_some() => return true,
        TypeId::ANYNONARRAY | TypeId::ANYCOMPATIBLENONARRAY if source.array_element().is_none() => {
            return true;
        }
        TypeId::ANYENUM if source.is_enum() => return true,
        _ => {}
    }
    find(source, target).is_some_and(|cast| cast.function == 0 && cast.context == CastContext::Implicit)
}

/// The way a conversion goes.
#[derive(Clone, Debug)]
enum Path {
    /// Nothing changes but the type.
    Identity,
    /// The text of an untyped literal is read by the target.
    Literal,
    /// The table's code.
    Table(CastFn),
    /// Element by element.
    Elements(Box<Coercion>),
    /// The source's text form read by the target.
    Text,
}

/// A planned conversion from one type to another with a modifier.
#[derive(Clone, Debug)]
pub struct Coercion {
    source: TypeId,
    target: TypeId,
    typmod: Typmod,
    explicit: bool,
    path: Path,
}

/// Plans the conversion of `source` to `target` with `typmod` in the given context; `None` if there is none.
///
/// Covers identity, binary-coercible types, the table, `unknown` literals, element-wise array casts and
/// conversions through text. The modifier applies as its context says: `varchar(n)` and `char(n)` refuse (22001) what
/// is too long unless asked for explicitly.
pub fn coercion(source: TypeId, target: TypeId, typmod: Typmod, context: CastContext) -> Option<Coercion> {
    let path = path(source, target, context)?;
    Some(Coercion { source, target, typmod, explicit: context == CastContext::Explicit, path })
}

fn path(source: TypeId, target: TypeId, context: CastContext) -> Option<Path> {
    if source == target {
        return Some(Path::Identity);
    }
    if source == TypeId::UNKNOWN {
        let readable = !target.is_pseudo() || matches!(target, TypeId::CSTRING | TypeId::RECORD);
        return Some(if readable { Path::Literal } else { Path::Identity });
    }
    if let Some(cast) = find(source, target) {
        return (cast.context <= context).then_some(Path::Table(cast.call));
    }
    if is_binary_coercible(source, target) {
        return Some(Path::Identity);
    }
    if let (Some(from), Some(to)) = (source.array_element(), target.array_element())
        && !target.is_vector()
    {
        let elements = coercion(from, to, Typmod::NONE, context)?;
        return Some(match elements.path {
            Path::Text => Path::Text,
            _ => Path::Elements(Box::new(elements)),
        });
    }
    // Values that are there have text forms, whatever their type is called.
    if source.is_pseudo()
        && !matches!(source, TypeId::RECORD | TypeId::CSTRING | TypeId::ANYARRAY | TypeId::VOID)
    {
        return None;
    }
    let to_string = context >= CastContext::Assignment && target.category() == TypeCategory::String;
    let from_string = context == CastContext::Explicit && source.category() == TypeCategory::String;
    (to_string || from_string).then_some(Path::Text)
}

impl Coercion {
    /// Whether applying it changes nothing, so that the binder can leave it out.
    pub fn is_identity(&self) -> bool {
        matches!(self.path, Path::Identity) && self.typmod == Typmod::NONE
    }

    /// Whether the value stays what it is and only its type has another name: `varchar` and `text` have one representation and
    /// one order, so what is known of a column (an index, statistics) holds for it as the other type too.
    pub fn is_relabelling(&self) -> bool {
        let is_string = |id| matches!(id, TypeId::TEXT | TypeId::VARCHAR);
        is_string(self.source) && is_string(self.target) && self.typmod == Typmod::NONE
    }

    /// The type converted from.
    pub fn source(&self) -> TypeId {
        self.source
    }

    /// The type converted to.
    pub fn target(&self) -> TypeId {
        self.target
    }

    /// The modifier applied at the end.
    pub fn typmod(&self) -> Typmod {
        self.typmod
    }

    /// Whether the result hangs on the value alone; otherwise on the session's time zone or on names in the catalog too.
    pub fn is_immutable(&self) -> bool {
        let element = |id: TypeId| id.array_element().unwrap_or(id);
        let session =
            |id: TypeId| id == TypeId::TIMESTAMPTZ || id.is_registry_alias() || element(id).is_enum();
        match &self.path {
            Path::Identity => true,
            Path::Elements(elements) => elements.is_immutable(),
            // Words such as 'now' make the input of dates depend on the time.
            Path::Literal | Path::Text => {
                let dated = matches!(self.target, TypeId::DATE | TypeId::TIMESTAMP);
                !session(self.source) && !session(self.target) && !dated
            }
            Path::Table(_) => {
                let zoned = (self.source == TypeId::TIMESTAMPTZ) != (self.target == TypeId::TIMESTAMPTZ);
                let named = self.source.is_text_like() && self.target == TypeId::REGCLASS;
                !zoned && !named
            }
        }
    }

    /// Converts one value; NULL stays NULL.
    pub fn apply(&self, env: &EvalEnv<'_>, value: Datum) -> Result<Datum> {
        if value.is_null() {
            return Ok(value);
        }
        let value = match (&self.path, value) {
            (Path::Identity, value) => value,
            (Path::Literal, Datum::Text(literal)) => {
                // How an interval is read hangs on its fields.
                let typmod = if self.target == TypeId::INTERVAL { self.typmod } else { Typmod::NONE };
                text::input(env, self.target, typmod, &literal)?
            }
            (Path::Literal, other) => panic!("an untyped literal is text, not {other:?}"),
            (Path::Table(call), value) => call(env, &value)?,
            (Path::Elements(elements), Datum::Array(array)) => elements.apply_to_array(env, &array)?,
            (Path::Elements(_), other) => panic!("an array cast was given {other:?}"),
            (Path::Text, value) => {
                let form = text::output_string(env, self.source, &value);
                text::input(env, self.target, Typmod::NONE, &form)?
            }
        };
        apply_typmod(self.target, self.typmod, self.explicit, value)
    }

    fn apply_to_array(&self, env: &EvalEnv<'_>, array: &Array) -> Result<Datum> {
        let values =
            array.values.iter().map(|value| self.apply(env, value.clone())).collect::<Result<Vec<_>>>()?;
        Ok(Datum::Array(Arc::new(Array {
            element: self.target,
            dimensions: array.dimensions.clone(),
            values,
        })))
    }
}

/// A number as `integer`, rounded; 22003 if it does not fit.
pub(crate) fn number_to_int4(value: &Datum) -> Result<i32> {
    match convert::to_int4(&EvalEnv::without_session(), value)? {
        Datum::Int4(value) => Ok(value),
        other => panic!("an integer was made: {other:?}"),
    }
}

/// Applies a type modifier to a value of its type: pads or cuts strings, rounds numbers and timestamps.
pub fn apply_typmod(id: TypeId, typmod: Typmod, explicit: bool, value: Datum) -> Result<Datum> {
    if typmod == Typmod::NONE || value.is_null() {
        return Ok(value);
    }
    typmod::apply(id, typmod, explicit, value)
}
