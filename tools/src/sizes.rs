//! Sizes on the command line: bytes, or with KiB, MiB, GiB, TiB.

/// Parses `4096`, `16GiB`, `32 MiB`. The error is a sentence for clap.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor: u64 = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        unit => return Err(format!("unknown unit \"{unit}\": use KiB, MiB, GiB or TiB")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "more than 2^64 bytes".to_owned())
}

/// A size for people: the largest unit that keeps at least one digit before the point.
pub fn display_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("1GiB", Some(1 << 30)),
            ("32 MiB", Some(32 << 20)),
            ("2T", Some(2 << 40)),
            ("x", None),
            ("1GB", None),
            ("-1", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
        for (bytes, expected) in [(17, "17 B"), (1536, "1.5 KiB"), (16 << 30, "16.0 GiB")] {
            assert_eq!(display_bytes(bytes), expected);
        }
    }
}
