//! The window functions proper: they look at their row's place among others.
//!
//! Owns their signatures, PostgreSQL's. How they are computed is told in `execute/window.rs`.

use hexalog_sql_types::TypeId;
use hexalog_sql_types::resolve::Signature;

/// What a window function computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
}

/// A function that only makes sense with OVER.
#[derive(Debug)]
pub(crate) struct WindowRoutine {
    /// `pg_proc.oid`, PostgreSQL's own number.
    pub oid: u32,
    pub name: &'static str,
    pub arguments: &'static [TypeId],
    pub result: TypeId,
    pub kind: WindowKind,
}

impl Signature for WindowRoutine {
    fn arguments(&self) -> &[TypeId] {
        self.arguments
    }

    fn result(&self) -> TypeId {
        self.result
    }
}

const fn window(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    result: TypeId,
    kind: WindowKind,
) -> WindowRoutine {
    WindowRoutine { oid, name, arguments, result, kind }
}

const ELEMENT: TypeId = TypeId::ANYELEMENT;
const COMPATIBLE: TypeId = TypeId::ANYCOMPATIBLE;

static WINDOW_FUNCTIONS: &[WindowRoutine] = &[
    window(3100, "row_number", &[], TypeId::INT8, WindowKind::RowNumber),
    window(3101, "rank", &[], TypeId::INT8, WindowKind::Rank),
    window(3102, "dense_rank", &[], TypeId::INT8, WindowKind::DenseRank),
    window(3103, "percent_rank", &[], TypeId::FLOAT8, WindowKind::PercentRank),
    window(3104, "cume_dist", &[], TypeId::FLOAT8, WindowKind::CumeDist),
    window(3105, "ntile", &[TypeId::INT4], TypeId::INT4, WindowKind::Ntile),
    window(3106, "lag", &[ELEMENT], ELEMENT, WindowKind::Lag),
    window(3107, "lag", &[ELEMENT, TypeId::INT4], ELEMENT, WindowKind::Lag),
    window(3108, "lag", &[COMPATIBLE, TypeId::INT4, COMPATIBLE], COMPATIBLE, WindowKind::Lag),
    window(3109, "lead", &[ELEMENT], ELEMENT, WindowKind::Lead),
    window(3110, "lead", &[ELEMENT, TypeId::INT4], ELEMENT, WindowKind::Lead),
    window(3111, "lead", &[COMPATIBLE, TypeId::INT4, COMPATIBLE], COMPATIBLE, WindowKind::Lead),
    window(3112, "first_value", &[ELEMENT], ELEMENT, WindowKind::FirstValue),
    window(3113, "last_value", &[ELEMENT], ELEMENT, WindowKind::LastValue),
    window(3114, "nth_value", &[ELEMENT, TypeId::INT4], ELEMENT, WindowKind::NthValue),
];

/// The window functions of a name.
pub(crate) fn window_by_name(name: &str) -> Vec<&'static WindowRoutine> {
    WINDOW_FUNCTIONS.iter().filter(|function| function.name == name).collect()
}

/// Every window function, for `pg_proc`.
pub(crate) fn window_functions() -> impl Iterator<Item = &'static WindowRoutine> {
    WINDOW_FUNCTIONS.iter()
}
