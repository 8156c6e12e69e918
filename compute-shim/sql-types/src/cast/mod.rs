//! Casts: which exist, in which context they apply, and their execution with type modifiers.
//!
//! Owns [`Cast`], the table of casts, and [`Coercion`], a conversion that the binder plans once and the executor
//! applies to every row. Read next: `resolve`, which decides where coercions are needed.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::types::{TypeId, Typmod};

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

/// How a cast does its work (`pg_cast.castmethod`).
#[derive(Clone, Copy, Debug)]
pub enum CastMethod {
    /// Same representation; only the type changes.
    Binary,
    /// A function.
    Function(CastFn),
    /// The text form of the source, read by the target.
    InOut,
}

/// One row of `pg_cast`.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Type converted from.
    pub source: TypeId,
    /// Type converted to.
    pub target: TypeId,
    /// Where it applies.
    pub context: CastContext,
    /// How it works.
    pub method: CastMethod,
}

/// Every cast of the table, without those that exist by rule (arrays, text forms, `unknown`).
pub fn casts() -> &'static [Cast] {
    &[]
}

/// The table's cast between two types.
pub fn find(source: TypeId, target: TypeId) -> Option<&'static Cast> {
    casts().iter().find(|cast| cast.source == source && cast.target == target)
}

/// A planned conversion from one type to another with a modifier.
#[derive(Clone, Debug)]
pub struct Coercion {
    source: TypeId,
    target: TypeId,
    typmod: Typmod,
    explicit: bool,
}

/// Plans the conversion of `source` to `target` with `typmod` in the given context; `None` if there is none.
///
/// Covers identity, binary-coercible types, the table, `unknown` literals, element-wise array casts and
/// conversions through text. The modifier applies as its context says: `varchar(n)` and `char(n)` refuse (22001) what
/// is too long unless asked for explicitly.
pub fn coercion(source: TypeId, target: TypeId, typmod: Typmod, context: CastContext) -> Option<Coercion> {
    (source == target).then_some(Coercion {
        source,
        target,
        typmod,
        explicit: context == CastContext::Explicit,
    })
}

impl Coercion {
    /// Whether applying it changes nothing, so that the binder can leave it out.
    pub fn is_identity(&self) -> bool {
        self.source == self.target && self.typmod == Typmod::NONE
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

    /// Whether the result depends on the session (time zone, names) or only on the value.
    pub fn is_immutable(&self) -> bool {
        true
    }

    /// Converts one value; NULL stays NULL.
    pub fn apply(&self, env: &EvalEnv<'_>, value: Datum) -> Result<Datum> {
        apply_typmod(env, self.target, self.typmod, self.explicit, value)
    }
}

/// Applies a type modifier to a value of its type: pads or cuts strings, rounds numbers and timestamps.
pub fn apply_typmod(
    env: &EvalEnv<'_>,
    id: TypeId,
    typmod: Typmod,
    explicit: bool,
    value: Datum,
) -> Result<Datum> {
    let _ = (env, explicit);
    if typmod == Typmod::NONE || value.is_null() {
        return Ok(value);
    }
    Err(SqlError::unsupported(format!("type modifier of {}", id.display_name())))
}
