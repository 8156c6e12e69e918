//! Long values: the text of a document follows from its version, so that any of it can be told from any other's.

use super::script::{Statement, What};
use crate::history::DocumentVersion;
use crate::random::Random;

/// Documents: few, so that transactions meet, and so that all of them fit the smallest volume at their longest.
pub(super) const DOCUMENT_IDS: u64 = 8;
/// Bytes of the longest.
const LONG_MAX: u64 = 40_000;
/// Alphabet of what does not compress well.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// All of a version's text. One in three stays in its row, one fills a page or two, one many; some compress.
pub fn text_of(version: DocumentVersion) -> String {
    let mut random = Random::new(version ^ 0xd0c5);
    let length = match random.range(0, 3) {
        0 => random.range(0, 200),
        1 => random.range(1_500, 18_000),
        _ => random.range(18_000, LONG_MAX),
    };
    let does_compress = random.one_in(3);
    let mut text = format!("{version}:");
    let mut bits = 0;
    for at in 0..length {
        bits = if at % 10 == 0 && (!does_compress || at == 0) { random.bits() } else { bits.rotate_right(6) };
        text.push(char::from(LETTERS[(bits & 63) as usize]));
    }
    text
}

/// The version that a text is; `None` if it is none.
pub fn version_of(text: &str) -> Option<DocumentVersion> {
    let version = text.split(':').next()?.parse().ok()?;
    (text == text_of(version)).then_some(version)
}

impl Statement {
    pub(super) fn write_document(id: u32, version: DocumentVersion) -> Statement {
        let text =
            "INSERT INTO documents VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body";
        Statement::with(text, &[&id, &text_of(version)], What::WriteDocument(id, version))
    }

    pub(super) fn delete_document(id: u32) -> Statement {
        Statement::with("DELETE FROM documents WHERE id = $1", &[&id], What::DeleteDocument(id))
    }

    pub(super) fn read_documents(from: u32, to: u32) -> Statement {
        let text = "SELECT id, body FROM documents WHERE id >= $1 AND id < $2";
        Statement::with(text, &[&from, &to], What::ReadDocuments(from, to))
    }
}
