//! Printing of floats: the digits that PostgreSQL's shortest-precise output chooses, plain or with an exponent.
//!
//! Owns the choice of digits. Rust prints the shortest digits that read back as the same value; PostgreSQL differs in two
//! corners, and both are mended here. A decimal that lies exactly halfway between two floats does not count as reading back
//! (whoever reads might round the other way), so one more digit is printed. And of two shortest decimals that are equally
//! near, the one with the even last digit is taken. Read next: `number.rs` for the way in.

use std::io::Write;

use num_bigint::BigInt;

/// What distinguishes the two widths.
struct Float {
    nan: bool,
    infinite: bool,
    negative: bool,
    /// The absolute value is `mantissa * 2^exponent`, the mantissa as wide as the format has it.
    mantissa: u64,
    exponent: i32,
    /// Whether the mantissa is the smallest of its exponent, so that the float below is nearer than the one above.
    power_of_two: bool,
    /// Digits that any value of the width can be told by.
    digits_max: usize,
    /// Digits that every decimal keeps: exponents below print plainly, and shorter output has no corner.
    digits_min: usize,
}

/// Appends a `double precision`.
pub(crate) fn write_f64(value: f64, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let (fraction, raw) = (bits & ((1 << 52) - 1), i32::try_from(bits >> 52 & 0x7ff).expect("11 bits"));
    let float = Float {
        nan: value.is_nan(),
        infinite: value.is_infinite(),
        negative: value.is_sign_negative(),
        mantissa: if raw == 0 { fraction } else { fraction | 1 << 52 },
        exponent: raw.max(1) - 1075,
        power_of_two: fraction == 0 && raw > 1,
        digits_max: 17,
        digits_min: 15,
    };
    let value = value.abs();
    write(
        &float,
        &format!("{value:e}"),
        |digits| format!("{value:.*e}", digits - 1),
        |text| text.parse() == Ok(value),
        out,
    );
}

/// Appends a `real`.
pub(crate) fn write_f32(value: f32, out: &mut Vec<u8>) {
    let bits = value.to_bits();
    let (fraction, raw) = (bits & ((1 << 23) - 1), i32::try_from(bits >> 23 & 0xff).expect("8 bits"));
    let float = Float {
        nan: value.is_nan(),
        infinite: value.is_infinite(),
        negative: value.is_sign_negative(),
        mantissa: u64::from(if raw == 0 { fraction } else { fraction | 1 << 23 }),
        exponent: raw.max(1) - 150,
        power_of_two: fraction == 0 && raw > 1,
        digits_max: 9,
        digits_min: 6,
    };
    let value = value.abs();
    write(
        &float,
        &format!("{value:e}"),
        |digits| format!("{value:.*e}", digits - 1),
        |text| text.parse() == Ok(value),
        out,
    );
}

/// Splits `d.ddde±x` into its digits and the exponent of the first.
fn split(text: &str) -> (Vec<u8>, i32) {
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    (digits, exponent.parse().expect("the format's exponent is a small integer"))
}

fn write(
    float: &Float,
    shortest: &str,
    exact: impl Fn(usize) -> String,
    reads_back: impl Fn(&str) -> bool,
    out: &mut Vec<u8>,
) {
    if float.nan {
        return out.extend_from_slice(b"NaN");
    }
    if float.negative {
        out.push(b'-');
    }
    if float.infinite {
        return out.extend_from_slice(b"Infinity");
    }
    let (mut digits, mut exponent) = split(shortest);
    if digits.len() >= float.digits_min || exponent >= i32::try_from(float.digits_min).expect("small") {
        // The nearest decimal first; beside a power of two only one further off may read back, which Rust has found.
        let nearest = (digits.len()..=float.digits_max).map(&exact);
        let candidates = nearest.clone().take(1).chain([shortest.to_owned()]).chain(nearest.skip(1));
        let chosen = candidates
            .filter(|text| reads_back(text))
            .map(|text| split(&text))
            .find(|(digits, exponent)| !float.is_halfway(digits, *exponent));
        (digits, exponent) = chosen.unwrap_or((digits, exponent));
        while digits.len() > 1 && digits.last() == Some(&b'0') {
            digits.pop();
        }
    }
    let plain_below = i32::try_from(float.digits_min).expect("small");
    write_digits(&digits, exponent, plain_below, out);
}

impl Float {
    /// Whether a decimal lies exactly between this float and a neighbour. Such a decimal is an integer or nearly one: its
    /// odd part has to hold the odd number `2 * mantissa ± 1`.
    fn is_halfway(&self, digits: &[u8], exponent: i32) -> bool {
        let power = exponent + 1 - i32::try_from(digits.len()).expect("at most 17");
        if !(-2..=23).contains(&power) {
            return false;
        }
        let number = BigInt::parse_bytes(digits, 10).expect("only digits");
        // All in units of 10^-2 * 2^-1100, so that no fraction remains.
        let decimal = ((number
            * BigInt::from(10u32).pow(power.unsigned_abs().min(23) * u32::from(power > 0)))
            * BigInt::from(10u32).pow(if power < 0 { 2 - power.unsigned_abs() } else { 2 }))
            << 1100;
        let scaled = |mantissa: u64, exponent: i32| {
            let shift = u32::try_from(exponent + 1100).expect("exponents are above -1080");
            (BigInt::from(mantissa) * 100u32) << shift
        };
        let above = scaled(2 * self.mantissa + 1, self.exponent - 1);
        let below = if self.power_of_two {
            scaled(4 * self.mantissa - 1, self.exponent - 2)
        } else {
            scaled((2 * self.mantissa).saturating_sub(1), self.exponent - 1)
        };
        decimal == above || decimal == below
    }
}

/// Exponents from -4 to below `plain_below` print plainly, others as `d.ddde+XX`.
fn write_digits(digits: &[u8], exponent: i32, plain_below: i32, out: &mut Vec<u8>) {
    if !(-4..plain_below).contains(&exponent) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "e{sign}{:02}", exponent.abs()).expect("writing into memory cannot fail");
        return;
    }
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
        return out.extend_from_slice(digits);
    }
    let whole = exponent.unsigned_abs() as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.resize(out.len() + whole - digits.len(), b'0');
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}
