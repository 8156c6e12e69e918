//! Values as fio writes them: sizes, times, percentiles, yes and no.

use std::time::Duration;

/// A size. As in fio, `k`, `m`, `g` and `t` are powers of 1024, with or without a `b` or `ib` behind them.
pub fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = lower.split_at(digits);
    let shift = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit) {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("\"{text}\" is not a size; write 4096, 4k, 16m or 1g")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("\"{text}\" is not a size; write 4096, 4k or 16m"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("\"{text}\" is too large"))
}

/// A time; seconds if it has no unit.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a time; write 10, 10s, 20ms or 2m");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = lower.split_at(digits);
    let unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds * unit).map_err(|_| wrong())
}

/// A whole number within bounds.
pub fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number: u64 = text.trim().parse().map_err(|_| format!("\"{text}\" is not a whole number"))?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("{number} is out of range: {least} to {most}"))
}

/// 1 or 0; alone, an option of this kind means 1.
pub fn flag(text: &str) -> Result<bool, String> {
    match text.trim() {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("\"{text}\" is neither 0 nor 1")),
    }
}

/// Percentiles, parted by colons, rising.
pub fn percentiles(text: &str) -> Result<Vec<f64>, String> {
    let parse = |part: &str| part.trim().parse::<f64>().ok().filter(|p| (0.0..=100.0).contains(p));
    let list = text
        .split(':')
        .map(|part| parse(part).ok_or_else(|| format!("\"{part}\" is not a percentile from 0 to 100")))
        .collect::<Result<Vec<_>, _>>()?;
    if list.is_sorted_by(|a, b| a < b) { Ok(list) } else { Err("percentiles must rise".to_owned()) }
}

/// `left SEPARATOR right`, both there.
pub fn pair<'a>(text: &'a str, separator: char, example: &str) -> Result<(&'a str, &'a str), String> {
    let parts = text.split_once(separator).map(|(left, right)| (left.trim(), right.trim()));
    parts
        .filter(|(left, right)| !left.is_empty() && !right.is_empty())
        .ok_or_else(|| format!("\"{text}\" should look like {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_fio_reads_them() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("4k", Some(4096)),
            ("4K", Some(4096)),
            ("64MiB", Some(64 << 20)),
            ("1g", Some(1 << 30)),
            ("2tb", Some(2 << 40)),
            ("", None),
            ("k", None),
            ("4x", None),
            ("-1", None),
            ("99999999t", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("10", Some(10_000)),
            ("10s", Some(10_000)),
            ("20ms", Some(20)),
            ("2m", Some(120_000)),
            ("0.5", Some(500)),
            ("", None),
            ("ten", None),
            ("5d", None),
        ] {
            assert_eq!(time(text).ok().map(|time| time.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn lists_and_pairs_say_what_is_wrong() {
        assert_eq!(percentiles("50:99:99.9"), Ok(vec![50.0, 99.0, 99.9]));
        assert!(percentiles("99:50").unwrap_err().contains("rise"));
        assert!(percentiles("50:x").unwrap_err().contains("\"x\""));
        assert_eq!(pair("3=20ms", '=', "N=20ms"), Ok(("3", "20ms")));
        assert!(pair("3", '=', "N=20ms").unwrap_err().contains("N=20ms"));
    }
}
