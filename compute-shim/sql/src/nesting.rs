//! Room on the stack for what nests deep.
//!
//! A worker's stack is small, and what a statement asks for decides how deep its plan nests, or how long a chain of boxes
//! the parser crate makes of it. Each level costs a few frames; whoever walks such a thing asks for room first, which
//! costs nothing where there is enough. Read next: `parse` for the bounds.

use crate::plan::Node;

/// What a level of a plan may cost the pass over it that costs most: a guess with room to spare, tried on plans of 350 joins.
/// Frames of release builds are a third as large; what fits the worker's stack there costs nothing.
const LEVEL_BYTES: usize = if cfg!(debug_assertions) { 32 << 10 } else { 12 << 10 };

/// Runs `inner` with at least so much of the stack left.
pub(crate) fn with_room<T>(bytes: usize, inner: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(bytes, bytes, inner)
}

/// Runs `inner`, which goes over a plan of so many levels.
pub(crate) fn with_room_for_levels<T>(levels: usize, inner: impl FnOnce() -> T) -> T {
    with_room(levels * LEVEL_BYTES, inner)
}

/// How many nodes stand above each other.
pub(crate) fn levels(root: &Node) -> usize {
    let (mut deepest, mut ahead) = (0, vec![(root, 1)]);
    while let Some((node, level)) = ahead.pop() {
        deepest = deepest.max(level);
        ahead.extend(node.inputs().into_iter().map(|input| (&**input, level + 1)));
    }
    deepest
}
