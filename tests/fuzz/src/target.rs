//! What is fuzzed.

/// A decoder with what it takes to fuzz it.
pub struct Target {
    /// Names its folder in the corpus.
    pub name: &'static str,
    /// Valid inputs, each with a name: what mutation starts from. They come from the encoders.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
    /// Makes the checksums and lengths of a mutant right again in place, as far as they can be found.
    pub mend: fn(&mut [u8]),
    /// Decodes, and checks what was decoded. The answer names how the decoder answered: an input with a new answer is
    /// mutated further.
    ///
    /// # Panics
    /// If a property does not hold.
    pub check: fn(&[u8]) -> &'static str,
    /// All that a check of so many bytes may allocate, freed or not: the decoder's own and the check's.
    pub allocated_bytes_max: fn(usize) -> usize,
}

/// The answer to an input that was taken.
pub const TAKEN: &str = "taken";
