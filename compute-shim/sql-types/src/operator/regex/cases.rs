//! Cases of characters, for patterns that ignore them.
//!
//! PostgreSQL adds the lower and the upper case of each character of the pattern, and no more: `'ſ' ~* 's'` is false, though both
//! are an S in capitals. The crate's own flag takes all that have a case in common, so the cases are written out.

use std::sync::OnceLock;

use crate::function::{lower_char, upper_char};

/// Every character that has other cases, in order, with its lower and its upper case.
fn all() -> &'static [(u32, [u32; 2])] {
    static ALL: OnceLock<Vec<(u32, [u32; 2])>> = OnceLock::new();
    ALL.get_or_init(|| {
        let cased = |character: char| {
            let code = u32::from(character);
            let cases = [u32::from(lower_char(character)), u32::from(upper_char(character))];
            (cases != [code; 2]).then_some((code, cases))
        };
        ('\0'..=char::MAX).filter_map(cased).collect()
    })
}

/// The other cases of the characters of a range of codes, as far as they are not in it.
pub(super) fn others(low: u32, high: u32) -> impl Iterator<Item = u32> {
    let all = all();
    let from = all.partition_point(|(code, _)| *code < low);
    let within = all[from..].iter().take_while(move |(code, _)| *code <= high);
    within.flat_map(|(_, cases)| *cases).filter(move |code| !(low..=high).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_only() {
        for (character, expected) in
            [('k', "K"), ('K', "k"), ('\u{212a}', "k"), ('ſ', "S"), ('ß', ""), ('ǅ', "ǆǄ"), ('1', "")]
        {
            let others: String =
                others(u32::from(character), u32::from(character)).filter_map(char::from_u32).collect();
            assert_eq!(others, expected, "{character}");
        }
        assert_eq!(others(u32::from('b'), u32::from('d')).count(), 3);
        assert_eq!(others(0, u32::from(char::MAX)).count(), 0);
    }
}
