//! Canonical JSON: RFC 8785 (JSON Canonicalization Scheme). One form of one value, so that equal data has equal bytes
//! and one hash.

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

/// The largest integer that every JSON reader keeps exactly (2^53 - 1, RFC 8785 appendix D).
pub(crate) const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

/// The canonical JSON text of a value.
///
/// Object members in the order of their UTF-16 code units, no white space, the shortest escapes, numbers as ECMAScript
/// writes them.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::with_capacity(1024);
    write_value(value, &mut out);
    out
}

/// SHA-256 of a text.
#[must_use]
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Lower-case hexadecimal.
#[must_use]
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| {
        DIGITS
            .get(usize::from(nibble))
            .copied()
            .map_or('0', char::from)
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

pub(crate) fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let mut first = true;
            let mut member = |name: &str, value: &Value| {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_value(value, out);
            };
            // The map is sorted by bytes unless another crate of the build asks serde_json to keep insertion order;
            // byte order and UTF-16 order are the same as long as the names are ASCII.
            if in_order(members) {
                for (name, value) in members {
                    member(name, value);
                }
            } else {
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                for (name, value) in sorted {
                    member(name, value);
                }
            }
            out.push('}');
        }
    }
}

/// Whether the members come in canonical order already.
fn in_order(members: &Map<String, Value>) -> bool {
    let mut before: Option<&str> = None;
    members.keys().all(|name| {
        name.is_ascii()
            && before
                .replace(name)
                .is_none_or(|before| before < name.as_str())
    })
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let needs_escape = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Without a way out of the loop the compiler looks at many bytes at once, and nearly no text needs an escape.
    if !text
        .bytes()
        .fold(false, |found, byte| found | needs_escape(byte))
    {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_escape) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn write_number(number: &Number, out: &mut String) {
    use std::fmt::Write as _;
    // Writing to a String cannot fail.
    if let Some(integer) = number
        .as_u64()
        .filter(|integer| *integer <= MAX_SAFE_INTEGER)
    {
        let _ = write!(out, "{integer}");
    } else if let Some(integer) = number
        .as_i64()
        .filter(|integer| integer.unsigned_abs() <= MAX_SAFE_INTEGER)
    {
        let _ = write!(out, "{integer}");
    } else if let Some(float) = number.as_f64() {
        write_float(float, out);
    }
}

/// ECMAScript `Number::toString` (ECMA-262 section 6.1.6.1.20), which RFC 8785 section 3.2.2.3 prescribes.
fn write_float(float: f64, out: &mut String) {
    if float == 0.0 {
        out.push('0');
        return;
    }
    if float < 0.0 {
        out.push('-');
    }
    // The shortest digits that read back as the same number, as `d.ddde±x`.
    let shortest = format!("{:e}", float.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |at: i32| {
        digits
            .split_at_checked(usize::try_from(at).unwrap_or(0))
            .unwrap_or((&digits, ""))
    };
    if count <= point && point <= 21 {
        out.push_str(&digits);
        out.push_str(&zeros(point - count));
    } else if 0 < point && point <= 21 {
        let (whole, decimals) = split(point);
        out.push_str(whole);
        out.push('.');
        out.push_str(decimals);
    } else if -6 < point && point <= 0 {
        out.push_str("0.");
        out.push_str(&zeros(-point));
        out.push_str(&digits);
    } else {
        let (first, rest) = split(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        out.push('e');
        out.push(if exponent < 0 { '-' } else { '+' });
        out.push_str(&exponent.unsigned_abs().to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_and_escapes_are_the_shortest() {
        // RFC 8785 section 3.2.3: the example of sorting.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = canonical_json(&value);
        let order: Vec<_> = [
            "Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew",
        ]
        .iter()
        .map(|word| text.find(word).unwrap())
        .collect();
        assert!(order.is_sorted(), "{text}");
        assert_eq!(
            canonical_json(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/")),
            r#""€$\u000f\nA'B\"\\\\\"/""#
        );
    }

    #[test]
    fn numbers_are_written_as_ecmascript_does() {
        // RFC 8785 appendix B.
        for (float, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (5e-324, "5e-324"),
            (-5e-324, "-5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (295_147_905_179_352_830_000.0, "295147905179352830000"),
            (9.999_999_999_999_997e22, "9.999999999999997e+22"),
            (1e23, "1e+23"),
            (999_999_999_999_999_700_000.0, "999999999999999700000"),
            (1e21, "1e+21"),
            (9.999_999_999_999_997e-7, "9.999999999999997e-7"),
            (0.000_001, "0.000001"),
            (333_333_333.333_333_3, "333333333.3333333"),
            (1.0, "1"),
            (1.5, "1.5"),
            (-0.002, "-0.002"),
        ] {
            assert_eq!(canonical_json(&json!(float)), text);
        }
        assert_eq!(
            canonical_json(&json!([1, -1, 0, 9_007_199_254_740_991_u64])),
            "[1,-1,0,9007199254740991]"
        );
    }

    #[test]
    fn hashes_are_lower_case_hexadecimal() {
        assert_eq!(
            hex(&sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
