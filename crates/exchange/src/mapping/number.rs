//! Numbers as people and workbooks write them.

use super::DecimalSign;

/// A decimal number in the form of the model: digits, a point, digits. `None` when the text is no number.
pub(crate) fn decimal(text: &str, sign: DecimalSign, times: Option<f64>) -> Option<String> {
    let bare: String = text
        .trim()
        .trim_end_matches('%')
        .chars()
        .filter(|char| !char.is_whitespace() && *char != '\'')
        .map(|char| if char == '\u{2212}' { '-' } else { char })
        .collect();
    let point = match sign {
        DecimalSign::Comma => ',',
        DecimalSign::Point => '.',
        DecimalSign::Either => bare
            .chars()
            .rev()
            .find(|char| ".,".contains(*char))
            .unwrap_or('.'),
    };
    let grouping = if point == ',' { '.' } else { ',' };
    let (whole, fraction) = match bare.rsplit_once(point) {
        Some((whole, fraction)) => (whole, fraction),
        None => (bare.as_str(), ""),
    };
    let whole = ungrouped(whole, grouping)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(&whole);
    if unsigned.is_empty() || !digits(unsigned) || !digits(fraction) {
        return None;
    }
    let plain = if fraction.is_empty() {
        whole
    } else {
        format!("{whole}.{fraction}")
    };
    match times {
        None => Some(plain),
        Some(times) => plain
            .parse::<f64>()
            .ok()
            .map(|number| shortest(number * times)),
    }
}

/// Takes grouping signs out where they stand before groups of three digits; anywhere else they are no grouping.
fn ungrouped(whole: &str, grouping: char) -> Option<String> {
    let mut groups = whole.split(grouping);
    let mut number = groups.next()?.to_owned();
    for group in groups {
        if group.len() != 3 || number.is_empty() {
            return None;
        }
        number.push_str(group);
    }
    Some(number)
}

/// A floating-point number with at most six decimals: more are noise of its binary form.
pub(crate) fn shortest(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swedish_and_other_numbers_become_decimals() {
        let either = |text| decimal(text, DecimalSign::Either, None);
        assert_eq!(either("75,5").as_deref(), Some("75.5"));
        assert_eq!(either("75.50 %").as_deref(), Some("75.50"));
        assert_eq!(either("1 234,50").as_deref(), Some("1234.50"));
        assert_eq!(either("1.234,5").as_deref(), Some("1234.5"));
        assert_eq!(either("\u{2212}3").as_deref(), Some("-3"));
        assert_eq!(
            decimal("1,234", DecimalSign::Point, None).as_deref(),
            Some("1234")
        );
        assert_eq!(
            decimal("0,755", DecimalSign::Comma, Some(100.0)).as_deref(),
            Some("75.5")
        );
        for wrong in ["", "x", "1,2,3", "12.34,5", "5e3", "-", "1..2"] {
            assert_eq!(decimal(wrong, DecimalSign::Comma, None), None, "{wrong}");
        }
        assert_eq!(shortest(75.300_000_000_000_01), "75.3");
        assert_eq!(shortest(100.0), "100");
    }
}
