//! Inputs that are kept: `corpus/TARGET/NAME.hex`, hexadecimal with `#` comments, since people read them in reviews.
//!
//! `valid-*` are the inputs of [`crate::target::Target::seeds`], one of each kind: bytes that this version must go on
//! accepting, and writing. `broke-*` once broke something; the comment says what.

use crate::target::Target;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a target's inputs are kept.
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Name and bytes of each input kept for a target, by name.
///
/// # Panics
/// If a file does not read.
pub fn read(target: &Target) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder(target)) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a folder that reads").path());
    let mut inputs: Vec<(String, Vec<u8>)> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a file that reads");
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name");
            (name.to_owned(), from_hex(&text))
        })
        .collect();
    inputs.sort();
    inputs
}

/// Keeps an input; returns its file.
///
/// # Panics
/// If the file cannot be written.
pub fn write(target: &Target, name: &str, comment: &str, bytes: &[u8]) -> PathBuf {
    let folder = folder(target);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    let path = folder.join(format!("{name}.hex"));
    fs::write(&path, to_hex(comment, bytes)).expect("the corpus can be written");
    path
}

fn to_hex(comment: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    comment.lines().for_each(|line| writeln!(text, "# {line}").expect("a string grows"));
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a string grows"));
        text.push('\n');
    }
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.trim().chars())
        .map(|digit| digit.to_digit(16).expect("hexadecimal") as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "two digits a byte");
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
