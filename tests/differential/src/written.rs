//! Texts that are themselves of a grammar: dates, numbers, patterns, paths, documents. Most can be read; some cannot, and
//! then both servers have to refuse them alike.

use crate::random::Random;

/// Writes `pieces` of a list after each other.
fn some(pieces: &[&'static str], first: usize, last: usize, random: &mut Random) -> String {
    (0..random.within(first, last)).map(|_| random.word(pieces)).collect()
}

fn number(random: &mut Random, first: i64, last: i64) -> i64 {
    first + (random.bits() % (last - first + 1) as u64) as i64
}

/// The text as a literal of SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A date: of our days, at the ends of what there is, or in another order.
pub fn date(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "infinity",
        "-infinity",
        "epoch",
        "4713-01-01 BC",
        "5874897-12-31",
        "0001-01-01",
        "0044-03-15 BC",
        "1900-02-29",
        "2000-02-29",
        "20240229",
        "2024.060",
        "99-1-2",
        "Feb 29 2024",
        "29-Feb-2024",
        "January 8, 1999",
        "1/8/1999",
        "1999-01-08 AD",
        "J2451187",
        "2024-13-01",
        "2024-00-10",
        "10000-01-01",
        "1582-10-15",
    ];
    if random.one_in(3) {
        return (random.word(ODD)).to_owned();
    }
    let year = if random.one_in(4) { number(random, 1, 9999) } else { number(random, 1990, 2030) };
    format!("{year:04}-{:02}-{:02}", number(random, 1, 12), number(random, 1, 29))
}

/// A time of day.
pub fn time(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "24:00:00",
        "00:00:00",
        "23:59:59.999999",
        "23:59:60",
        "04:05",
        "040506",
        "04:05 PM",
        "12:00 AM",
        "12:30 am",
        "allballs",
        "T040506.789",
        "25:00",
        "13:00 PM",
        "1:2:3.4567891",
        "23:59:59.9999999",
    ];
    if random.one_in(3) {
        return (random.word(ODD)).to_owned();
    }
    let fraction = random.word(&["", "", ".5", ".25", ".123456", ".000001", ".999"]);
    format!(
        "{:02}:{:02}:{:02}{fraction}",
        number(random, 0, 23),
        number(random, 0, 59),
        number(random, 0, 59)
    )
}

/// What may follow a time.
pub fn zone(random: &mut Random) -> &'static str {
    random.word(&[
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "PST8PDT",
        "EST",
        "CEST",
        "+02",
        "-07:30",
        "+05:45:10",
        "Z",
        "UTC+3",
        "<ABC>-2",
        "EST5EDT,M3.2.0,M11.1.0",
        "Pacific/Apia",
        "nowhere/at all",
    ])
}

/// A timestamp; the ends of what there is among them.
pub fn timestamp(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "infinity",
        "-infinity",
        "4713-11-24 00:00:00 BC",
        "262143-12-31 23:59:59",
        "2000-01-01",
        "epoch",
        "2023-03-26 02:30:00",
        "2023-10-29 02:30:00",
        "2023-03-12 02:30:00",
        "1883-11-18 12:03:58",
        "2011-12-30 12:00",
        "20240229T123456",
        "2024-02-29T12:34:56Z",
        "Thu Feb 29 12:34:56 2024",
        "2024-02-29 24:00:00",
        "2024-02-29 23:59:60",
        "1999-12-31 23:59:59.9999995",
    ];
    if random.one_in(4) {
        return (random.word(ODD)).to_owned();
    }
    let date = date(random);
    // Behind a letter, T would be one of a name.
    let between =
        if date.ends_with(|last: char| last.is_ascii_digit()) && random.one_in(4) { "T" } else { " " };
    format!("{date}{between}{}", time(random))
}

/// A timestamp with a zone.
pub fn timestamp_with_zone(random: &mut Random) -> String {
    if random.one_in(4) {
        return timestamp(random);
    }
    format!("{} {}", timestamp(random), zone(random))
}

/// An interval in one of the many spellings.
pub fn interval(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "1-2",
        "-1-2",
        "3 4:05:06",
        "-3 -4:05:06",
        "1-2 3 4:05:06.7",
        "P1Y2M3DT4H5M6S",
        "P-1Y-2M3DT-4H-5M-6.5S",
        "P0001-02-03T04:05:06",
        "PT36H",
        "P1W",
        "178000000 years",
        "2147483647 months",
        "2147483647 days",
        "2147483648 days",
        "1.5 years",
        "0.7 months",
        "1.3 weeks",
        "1.000001 seconds",
        "1 century 2 decades",
        "1 millennium",
        "100:00:00",
        "-00:00:00.000001",
        "04:05:06.7 ago",
        "1 day ago",
        "5",
        "1.5",
        "1 y 2 mon 3 d 4 h 5 m 6 s 7 ms 8 us",
        "@ 1 minute",
        "1 fortnight",
        "",
        "1 day 2 days",
        "256 microseconds",
        "-5 days +23:59:59",
        "12:30",
        "12:30.5",
    ];
    if random.one_in(4) {
        return (random.word(ODD)).to_owned();
    }
    const UNITS: &[&str] =
        &["year", "years", "months", "mons", "weeks", "days", "day", "hours", "minutes", "seconds"];
    let mut parts = Vec::new();
    for _ in 0..random.within(1, 3) {
        let fraction = random.word(&["", "", "", ".5", ".25", ".1"]);
        parts.push(format!("{}{fraction} {}", number(random, -40, 40), random.word(UNITS)));
    }
    if random.one_in(4) {
        parts.push(format!("{}{}", random.word(&["", "-"]), time(random)));
    }
    parts.join(" ")
}

/// A number, from the smallest scale to the largest.
/// As ISO 8601 has it, more or less: each number with a sign of its own.
pub fn iso_interval(random: &mut Random) -> String {
    const DATES: &[&str] =
        &["1Y", "-2M", "3W", "-4D", "1.5Y", "-0.5M", "+1D", "1-2-3", "-1-2", "00010203", "2Y"];
    const TIMES: &[&str] = &["4H", "-5M", "6.5S", "-.5S", "1e2S", "04:05:06", "-040506", "1:2", "7", "5H"];
    let mut text = String::from(if random.one_in(20) { "-P" } else { "P" });
    text += &some(DATES, 0, 3, random);
    if random.one_in(2) {
        text.push('T');
        text += &some(TIMES, 0, 3, random);
    }
    text
}

/// A date beside words, of which some fit. Nothing in it hangs on the current time.
pub fn worded_date(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "2020-02-29 ",
        "20200229 ",
        "Feb 29 2020 ",
        "12:30 ",
        "BC ",
        "AD ",
        "PM ",
        "AM ",
        "Mon ",
        "epoch ",
        "infinity ",
        "-infinity ",
        "UTC ",
        "EST ",
        "EDT ",
        "dst ",
        "GMT+0100 ",
        "+05 ",
        "-08:30 ",
        "at ",
        "on ",
        "J2451545 ",
        "allballs ",
        "America/New_York ",
        "T12:30 ",
    ];
    some(PIECES, 1, 4, random)
}

/// A number.
pub fn numeric(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "NaN",
        "Infinity",
        "-Infinity",
        "inf",
        "1e100",
        "1e-100",
        "-1e50",
        "9.99e-20",
        "0.5",
        "-0.5",
        "1.5",
        "2.5",
        "-2.5",
        "0.00",
        "-0",
        ".5",
        "5.",
        " 7 ",
        "1e3",
        "1E+3",
        "12345678901234567890.12345678901234567890",
        "99999999999999999999",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808.5",
        "2147483647.5",
        "32767.4",
        "0.49999999999999999999",
    ];
    if random.one_in(3) {
        return (random.word(ODD)).to_owned();
    }
    let whole = some(&["0", "1", "9", "5", "42", "10", "000", "7"], 1, 6, random);
    let sign = random.word(&["", "", "-"]);
    match random.below(3) {
        0 => format!("{sign}{whole}"),
        1 => format!("{sign}{whole}.{}", some(&["0", "1", "9", "5", "00", "49"], 1, 6, random)),
        _ => format!("{sign}0.{}{whole}", some(&["0", "000", "00000"], 0, 4, random)),
    }
}

/// A number of double precision.
pub fn float(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "NaN",
        "Infinity",
        "-Infinity",
        "0",
        "-0",
        "1e308",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "0.1",
        "1e15",
        "1e16",
        "123456789012345678",
        "1e-5",
        "0.0001",
        "2.5",
        "3.5",
        "-0.5",
        "3.4028235e38",
        "1e-45",
        "16777217",
        "9007199254740993",
        "0.3",
        "100",
    ];
    if random.one_in(2) {
        return (random.word(ODD)).to_owned();
    }
    format!("{}e{}", number(random, -99999, 99999), number(random, -12, 12))
}

/// Letters, digits and what stands between them.
pub fn text(random: &mut Random) -> String {
    const ODD: &[&str] = &[
        "",
        " ",
        "abc",
        "ABC",
        "äöü",
        "ß",
        "日本",
        "a%b_c",
        "back\\slash",
        "it's",
        "\"quoted\"",
        "line\nfeed",
        "tab\tbed",
        "a,b,,c",
        "😀x",
        "İi",
        "1",
        "-1",
        "1.5",
        "true",
        "null",
        "{a,b}",
        "hello world foo-bar",
        "e\u{301}",
    ];
    if random.one_in(2) {
        return (random.word(ODD)).to_owned();
    }
    some(&["a", "b", "ab", "B", " ", "c", ",", "é", "1", "_", "aa", "."], 0, 7, random)
}

/// A pattern of `to_char` for times; nearly any is valid.
pub fn time_format(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "HH", "HH12", "HH24", "MI", "SS", "MS", "US", "FF1", "FF3", "FF6", "SSSS", "SSSSS", "AM", "pm",
        "A.M.", "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "I", "BC", "ad", "B.C.", "MONTH",
        "Month", "month", "MON", "Mon", "mon", "MM", "DAY", "Day", "day", "DY", "Dy", "dy", "DDD", "IDDD",
        "DD", "D", "ID", "W", "WW", "IW", "CC", "J", "Q", "RM", "rm", "TZ", "tz", "TZH", "TZM", "OF", "FM",
        "TM", "SP", "FX",
    ];
    const SUFFIXES: &[&str] = &["", "", "", "", "th", "TH"];
    const BETWEEN: &[&str] = &[" ", "-", ":", "/", ".", "", "T", "\"of\"", "\\\"", "é", ", ", "x"];
    let mut format = String::new();
    for _ in 0..random.within(1, 4) {
        let prefix = if random.one_in(6) { "FM" } else { "" };
        let parts = [prefix, random.word(PIECES), random.word(SUFFIXES), random.word(BETWEEN)];
        format.extend(parts);
    }
    format
}

/// A pattern for times that are to be read, and a text that fits it more or less.
pub fn time_format_and_text(random: &mut Random) -> (String, String) {
    let pieces: [(&str, &[&str]); 26] = [
        ("YYYY", &["2024", "0044", "12345", "7"]),
        ("YYY", &["024", "999"]),
        ("YY", &["24", "69", "70"]),
        ("Y", &["4"]),
        ("Y,YYY", &["2,024"]),
        ("IYYY", &["2020"]),
        ("IW", &["53", "1"]),
        ("ID", &["7", "1"]),
        ("MM", &["02", "12", "13", "3"]),
        ("Mon", &["Feb", "DEC", "xyz"]),
        ("Month", &["February", "mar", "DECEMBER"]),
        ("DD", &["29", "31", "1", "00"]),
        ("DDD", &["060", "366", "1"]),
        ("Day", &["Sunday", "tuesday"]),
        ("Dy", &["Mon", "fri"]),
        ("HH24", &["23", "24", "0"]),
        ("HH12", &["12", "13", "1"]),
        ("MI", &["59", "60", "5"]),
        ("SS", &["59", "7"]),
        ("MS", &["5", "123", "12"]),
        ("US", &["5", "123456"]),
        ("AM", &["PM", "am", "p.m."]),
        ("BC", &["BC", "ad"]),
        ("J", &["2460370"]),
        ("TZH", &["+02", "-7", "5"]),
        ("RM", &["IV", "xii"]),
    ];
    let (mut format, mut text) = (String::new(), String::new());
    for _ in 0..random.within(1, 5) {
        let (piece, values) = random.pick(&pieces);
        format += piece;
        text += random.word(values);
        if random.one_in(8) {
            format += "th";
            text += random.word(&["th", "st", ""]);
        }
        let between = random.word(&[" ", "-", "/", ":", "", ".", "  "]);
        format += between;
        text += if random.one_in(5) { random.word(&[" ", "-", ",", "x", ""]) } else { between };
    }
    if random.one_in(6) {
        format.insert_str(0, "FX");
    }
    (format, text)
}

/// A pattern for numbers.
pub fn number_format(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "9", "9", "99", "999", "0", "00", "D", ".", ",", "G", "9,999", "99.99", "0.0", "FM", "S", "MI", "PL",
        "SG", "PR", "TH", "th", "V", "V9", "L", " ", "RN", "rn", "EEEE", "9.99EEEE", "\"x\"", "x", "B",
    ];
    if random.one_in(2) {
        const PLAIN: &[&str] = &[
            "999",
            "FM999.99",
            "0000.000",
            "S999",
            "999S",
            "9G999D99",
            "FM9,999,999",
            "999PR",
            "MI999.9",
            "SG99.9",
            "9.999EEEE",
            "RN",
            "FMRN",
            "99V99",
            "999th",
            "FM0999.0990",
            "PL999",
            "L999",
            "99999999999999999999.9999999999",
        ];
        return (random.word(PLAIN)).to_owned();
    }
    some(PIECES, 1, 5, random)
}

/// A regular expression; most are well-formed.
pub fn pattern(random: &mut Random) -> String {
    const ATOMS: &[&str] = &[
        "a",
        "b",
        "c",
        ".",
        "[ab]",
        "[^a]",
        "(a|b)",
        "(ab)",
        "(a)(b)",
        "(?:a|bc)",
        "\\d",
        "\\w",
        "\\s",
        "\\D",
        "\\W",
        "[[:alpha:]]",
        "[[:digit:]_]",
        "[a-c1]",
        "\\.",
        "(a*)",
        "((a)|b)",
        "()",
        "é",
        "[é-ü]",
        "\\m",
        "\\M",
        "\\y",
        "\\Y",
        "^",
        "$",
        "\\A",
        "\\Z",
        "(?=a)",
        "(?!b)",
        "(?<=a)",
        "(?<!b)",
        "[]a]",
        "[a-]",
        "[\\w-]",
        "[^\\W_]",
        "\\061",
        "\\cA",
        "[[:<:]]",
        "\\x61",
        "\\u00e9",
        "(b|)",
        "\\1",
    ];
    const TIMES: &[&str] = &[
        "", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}?", "{,2}", "{2,}", "{0}",
        "{0,3}", "{2,5}",
    ];
    if random.one_in(12) {
        return (random.word(&[
            "(",
            ")",
            "[",
            "a**",
            "*a",
            "a{2,1}",
            "\\",
            "(?i)A",
            "***=a.",
            "***:a",
            "(?x) a b",
            "a|",
            "|",
            "[b-a]",
            "a{300}",
            "a{255}",
            "a{256}",
            "(?:ab){0,255}",
            "a{0,256}",
            "[\\w-.]",
            "[a\\d-z]",
            "[a-b-c]",
            "[[:alpha:]-z]",
            "[--a]",
            "(?z)a",
            "(?n)a.b",
            "(?q)a.",
            "(?ic)A",
            "(?i",
            "[[.a.]-c]",
            "[[=a=]]",
        ]))
        .to_owned();
    }
    let mut pattern = String::new();
    for _ in 0..random.within(1, 4) {
        pattern += random.word(ATOMS);
        pattern += random.word(TIMES);
        if random.one_in(8) {
            pattern.push('|');
        }
    }
    pattern
}

/// Options of functions of regular expressions.
pub fn flags(random: &mut Random) -> &'static str {
    random.word(&["", "", "g", "i", "gi", "n", "s", "x", "ig", "m", "w", "p", "q", "c", "e", "b", "z"])
}

/// A JSON document.
pub fn document(depth: usize, random: &mut Random) -> String {
    const PLAIN: &[&str] = &[
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "1.50",
        "1e2",
        "12345678901234567890",
        "\"\"",
        "\"a\"",
        "\"b c\"",
        "\"\\u00e9\\n\"",
        "\"2024-02-29\"",
        "\"12:34:56 +02:00\"",
        "\"2024-02-29T12:34:56\"",
        "\"1\"",
    ];
    if depth == 0 || random.one_in(3) {
        return (random.word(PLAIN)).to_owned();
    }
    let items: Vec<String> = (0..random.below(4)).map(|_| document(depth - 1, random)).collect();
    if random.one_in(2) {
        return format!("[{}]", items.join(", "));
    }
    let pair = |item: String| format!("\"{}\": {item}", random.word(&["a", "b", "c", "", "a b", "1"]));
    format!("{{{}}}", items.into_iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// A path of SQL/JSON.
pub fn path(random: &mut Random) -> String {
    const STEPS: &[&str] = &[
        ".a",
        ".b",
        ".*",
        "[*]",
        "[0]",
        "[last]",
        "[0 to 1]",
        "[last - 1]",
        "[1, 0]",
        ".**",
        ".**{1}",
        ".**{1 to last}",
        ".\"a b\"",
        ".type()",
        ".size()",
        ".double()",
        ".abs()",
        ".floor()",
        ".ceiling()",
        ".keyvalue()",
        ".datetime()",
        ".keyvalue().key",
        "[$[0]]",
        "[10]",
        "[1.7]",
    ];
    const FILTERS: &[&str] = &[
        "@ > 1",
        "@ == \"a\"",
        "@.a == 1",
        "@.b > @.a",
        "exists (@.a)",
        "!(@ == null)",
        "@ != 1 && @ != 2",
        "@ like_regex \"^[ab]\"",
        "@ starts with \"b\"",
        "(@ > 0) is unknown",
        "@.type() == \"number\"",
        "@ <> 0 || @.c == true",
        "@ >= $x",
        "@ * 2 > 1",
        "@.datetime() < \"2024-12-01\".datetime()",
    ];
    let mode = random.word(&["", "", "", "strict ", "lax "]);
    let mut path = String::from("$");
    for _ in 0..random.within(0, 3) {
        path += random.word(STEPS);
        if random.one_in(4) {
            path += &format!(" ? ({})", random.word(FILTERS));
        }
    }
    let path = match random.below(10) {
        0 => format!("{path} + 1"),
        1 => format!("-{path}"),
        2 => format!("{path} == 1"),
        3 => format!("{path} * {path}"),
        4 => format!("{path} > \"a\""),
        5 => format!("({path}).type()"),
        6 if random.one_in(3) => format!("{path}."),
        _ => path,
    };
    format!("{mode}{path}")
}

/// An array in text form.
pub fn array(elements: &[&'static str], random: &mut Random) -> String {
    let row = |random: &mut Random, count: usize| {
        let items: Vec<&str> = (0..count).map(|_| random.word(elements)).collect();
        format!("{{{}}}", items.join(","))
    };
    match random.below(8) {
        0 => "{}".into(),
        1 | 2 => {
            let count = random.within(1, 2);
            format!("{{{},{}}}", row(random, count), row(random, count))
        }
        3 => {
            let count = random.within(1, 3);
            let first = random.below(3);
            format!("[{first}:{}]={}", first + count - 1, row(random, count))
        }
        _ => {
            let count = random.within(1, 4);
            row(random, count)
        }
    }
}

/// Bytes in text form.
pub fn bytes(random: &mut Random) -> String {
    match random.below(5) {
        0 => (random.word(&["abc", "\\000\\377", "a\\\\b", "\\x", "\\x0", "\\xzz", "\\400", "é"])).to_owned(),
        _ => format!("\\x{}", some(&["00", "ff", "61", "80", "0a", "c3a9"], 0, 5, random)),
    }
}
