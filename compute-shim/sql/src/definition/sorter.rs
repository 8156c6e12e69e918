//! Sorting the entries of a table's rows in bounded memory.
//!
//! Owns [`EntrySorter`]. There is nowhere to spill to (the volume's log is no place for it), so a table whose entries do
//! not fit memory is read more than once: each pass keeps the smallest entries above those of the passes before, and
//! forgets the greater ones when it is full. Passes are as many as the entries are larger than half of the memory.

/// An entry: two keys, one behind the other, in the sorter's bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u32,
    bytes: u16,
    key_bytes: u16,
    has_null: bool,
}

/// An entry in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub key: &'a [u8],
    pub row_key: &'a [u8],
    /// A column of the key is NULL, so that it equals no other.
    pub has_null: bool,
}

/// The smallest entries of a pass over the rows.
pub(super) struct EntrySorter {
    /// Bytes of entries, with what the list of them takes.
    bytes_max: usize,
    arena: Vec<u8>,
    places: Vec<Place>,
    /// Entries of earlier passes: up to this one.
    floor: Option<Box<[u8]>>,
    /// Entries were forgotten in this pass: they lie at or above this one.
    ceiling: Option<Box<[u8]>>,
    /// Entries came in their order so far.
    is_sorted: bool,
}

impl EntrySorter {
    pub(super) fn new(bytes_max: usize) -> EntrySorter {
        assert!(bytes_max <= u32::MAX as usize / 2, "places have four bytes");
        EntrySorter {
            bytes_max,
            arena: Vec::new(),
            places: Vec::new(),
            floor: None,
            ceiling: None,
            is_sorted: true,
        }
    }

    fn bytes(&self, place: &Place) -> &[u8] {
        &self.arena[place.at as usize..][..usize::from(place.bytes)]
    }

    /// Takes an entry in, unless it is of another pass.
    pub(super) fn push(&mut self, key: &[u8], row_key: &[u8], has_null: bool) {
        let at = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(row_key);
        let new = &self.arena[at..];
        let is_of_another_pass = self.floor.as_deref().is_some_and(|floor| new <= floor)
            || self.ceiling.as_deref().is_some_and(|ceiling| new >= ceiling);
        if is_of_another_pass {
            self.arena.truncate(at);
            return;
        }
        if self.places.last().is_some_and(|last| self.bytes(last) > new) {
            self.is_sorted = false;
        }
        let length = |bytes: usize| u16::try_from(bytes).expect("keys are bounded");
        self.places.push(Place {
            at: u32::try_from(at).expect("bounded by bytes_max"),
            bytes: length(key.len() + row_key.len()),
            key_bytes: length(key.len()),
            has_null,
        });
        if self.arena.len() + self.places.len() * size_of::<Place>() > self.bytes_max {
            self.forget_greater_half();
        }
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            let arena = &self.arena;
            let bytes = |place: &Place| &arena[place.at as usize..][..usize::from(place.bytes)];
            self.places.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
            self.is_sorted = true;
        }
    }

    fn forget_greater_half(&mut self) {
        self.sort();
        let kept = self.places.len().div_ceil(2);
        if let Some(first) = self.places.get(kept) {
            self.ceiling = Some(self.bytes(first).into());
        }
        self.places.truncate(kept);
        let mut arena = Vec::with_capacity(self.arena.len());
        for place in &mut self.places {
            let at = arena.len() as u32;
            arena.extend_from_slice(&self.arena[place.at as usize..][..usize::from(place.bytes)]);
            place.at = at;
        }
        self.arena = arena;
    }

    /// The pass is over: entries can be asked for.
    pub(super) fn end_pass(&mut self) {
        self.sort();
    }

    /// The `n`-th entry of the pass.
    pub(super) fn entry(&self, n: usize) -> Option<Entry<'_>> {
        let place = self.places.get(n)?;
        let (key, row_key) = self.bytes(place).split_at(usize::from(place.key_bytes));
        Some(Entry { key, row_key, has_null: place.has_null })
    }

    /// Forgets the pass's entries, which have been used. True: the rows are to be read again for further ones.
    pub(super) fn begin_pass(&mut self) -> bool {
        if let Some(last) = self.places.last() {
            self.floor = Some(self.bytes(last).into());
        }
        self.arena.clear();
        self.places.clear();
        self.is_sorted = true;
        self.ceiling.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts numbers, reading them as often as it takes; answers them and the number of passes.
    fn sorted(numbers: &[u32], bytes_max: usize) -> (Vec<u32>, u32) {
        let mut sorter = EntrySorter::new(bytes_max);
        let (mut out, mut passes) = (Vec::new(), 0);
        loop {
            passes += 1;
            for (row, number) in (0u32..).zip(numbers) {
                sorter.push(&number.to_be_bytes(), &row.to_be_bytes(), number % 7 == 0);
            }
            sorter.end_pass();
            let mut n = 0;
            while let Some(entry) = sorter.entry(n) {
                let number = u32::from_be_bytes(*entry.key.first_chunk().expect("four bytes"));
                assert_eq!(entry.has_null, number % 7 == 0);
                out.push(number);
                n += 1;
            }
            if !sorter.begin_pass() {
                return (out, passes);
            }
        }
    }

    #[test]
    fn every_entry_comes_once_and_in_order_whatever_fits() {
        let scattered: Vec<u32> = (0..1000u32).map(|n| n.wrapping_mul(2_654_435_761) % 500).collect();
        let mut expected = scattered.clone();
        expected.sort_unstable();
        let each = 8 + size_of::<Place>();
        for (entries_fit, passes_most) in [(2_000, 1), (1_000, 1), (999, 2), (300, 7), (10, 200), (1, 1_000)]
        {
            let (out, passes) = sorted(&scattered, entries_fit * each);
            assert_eq!(out, expected);
            assert!(passes <= passes_most, "{entries_fit} fit: {passes} passes");
        }
        assert_eq!(sorted(&[], 100), (Vec::new(), 1));
        let ascending: Vec<u32> = (0..100).collect();
        assert_eq!(sorted(&ascending, 20 * each).0, ascending);
    }
}
