//! EXPLAIN: a plan as text.
use super::Plan;

/// The lines of EXPLAIN's answer.
pub(crate) fn explain(plan: &Plan) -> Vec<String> {
    let _ = plan;
    Vec::new()
}
