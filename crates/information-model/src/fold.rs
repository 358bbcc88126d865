//! One folding of text, used when a record is written and when it is searched for.
//!
//! The folded form is a key, not a text to show. Two texts that a Swedish reader takes for the same word have the same
//! key, and keys that are compared byte by byte come out in the order of the Swedish alphabet:
//!
//! - lower case, white space squeezed, compatibility forms (full width, ligatures) written plainly;
//! - accents removed (`é` → `e`, `ü` → `u`), but `å`, `ä` and `ö` are letters of their own and stay apart from `a` and `o`;
//! - `æ` is filed as `ä`, and `ø`, `œ` and `ő` as `ö`, as the Swedish collation (CLDR `sv`) does: "Sørensen" is found by "Sörensen";
//! - `ß` → `ss`, `þ` → `th`, `ð` and `đ` → `d`, `ł` → `l`;
//! - `ä` is written `æ` in the key. In Unicode `ä` comes before `å`; `æ` comes after it, so that byte order is `z å ä ö`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The folded form of a text: the key for equality, prefix search and sorting.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    // Nearly every Swedish text: no letter is composed or has a compatibility form.
    if text.chars().all(is_plain) {
        for char in text.chars() {
            if char.is_whitespace() {
                gap = !out.is_empty();
                continue;
            }
            if gap {
                out.push(' ');
                gap = false;
            }
            match char {
                ascii if ascii.is_ascii() => out.push(ascii.to_ascii_lowercase()),
                'Å' | 'å' => out.push('å'),
                'Ä' | 'ä' => out.push('æ'),
                'Ö' | 'ö' => out.push('ö'),
                _ => out.push('e'),
            }
        }
        return out;
    }
    // Composed first, so that `a` with a combining ring is the letter `å` and not an `a` with an accent.
    for composed in text.nfkc() {
        if composed.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        for char in composed.to_lowercase() {
            push_letter(char, &mut out);
        }
    }
    out
}

/// ASCII, and the letters of the Swedish alphabet with é.
fn is_plain(char: char) -> bool {
    char.is_ascii() || matches!(char, 'å' | 'ä' | 'ö' | 'Å' | 'Ä' | 'Ö' | 'é' | 'É')
}

fn push_letter(char: char, out: &mut String) {
    match char {
        '\0'..='\u{7f}' | 'å' | 'ö' => out.push(char),
        'ä' | 'æ' | 'ǽ' | 'ǣ' => out.push('æ'),
        'ø' | 'ǿ' | 'œ' | 'ő' => out.push('ö'),
        'ǻ' => out.push('å'),
        'ß' => out.push_str("ss"),
        'þ' => out.push_str("th"),
        'ð' | 'đ' => out.push('d'),
        'ł' => out.push('l'),
        'ı' => out.push('i'),
        // Hyphens and apostrophes of every kind are typed as the plain ones.
        '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '´' => out.push('\''),
        _ => out.extend(
            std::iter::once(char)
                .nfd()
                .filter(|part| !is_combining_mark(*part)),
        ),
    }
}

/// The folded words of a text, in the order of the text, for free-text search. A word is a run of letters and digits.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    words_of_folded(&fold(text)).map(str::to_owned).collect()
}

pub(crate) fn words_of_folded(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// A decimal number as text that sorts as the number does, byte by byte; `None` when the text is no decimal number.
///
/// Sign (`0` negative, `1` otherwise), the number of integer digits in two digits, the digits, `.`, the decimals. For a
/// negative number every digit is its nine's complement and `~`, which sorts after the digits, ends it.
#[must_use]
pub fn number_key(decimal: &str) -> Option<String> {
    let (negative, digits) = match decimal.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, decimal),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let decimals = decimals.trim_end_matches('0');
    if whole.len() > 99 {
        return None;
    }
    let key = format!("{:02}{whole}.{decimals}", whole.len());
    if !negative || (whole.is_empty() && decimals.is_empty()) {
        return Some(format!("1{key}"));
    }
    let complement: String = key
        .chars()
        .map(|char| match char.to_digit(10) {
            Some(digit) => char::from_digit(9 - digit, 10).unwrap_or(char),
            None => char,
        })
        .collect();
    Some(format!("0{complement}~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_the_swedish_alphabet_stay_apart() {
        assert_eq!(fold("  Åsa   ÖRN\tÄng "), "åsa örn æng");
        assert_eq!(fold("A\u{30a}sa"), "åsa");
        assert_ne!(fold("Åsa"), fold("Asa"));
        assert_eq!(fold("Renée Müller-Ðóra"), "renee muller-dora");
        assert_eq!(fold("Sørensen"), fold("Sörensen"));
        assert_eq!(fold("Pæsæ"), fold("Päsä"));
        assert_eq!(fold("Groß"), "gross");
        assert_eq!(fold("ﬁlm ＡＢ"), "film ab");
        assert_eq!(fold("   "), "");
        // The short way and the long way agree.
        for text in ["Åsa", " ÄNG\u{b} örn", "Idé É", "a\u{1c}b"] {
            assert_eq!(fold(&format!("{text}x")), fold(&format!("{text}ｘ")));
        }
    }

    #[test]
    fn keys_sort_as_the_swedish_alphabet_does() {
        let mut names = ["Örebro", "Älvsbyn", "Åre", "Zinkgruvan", "Ale"];
        names.sort_by_key(|name| fold(name));
        assert_eq!(names, ["Ale", "Zinkgruvan", "Åre", "Älvsbyn", "Örebro"]);
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(
            words("Fru Anna-Lena O'Brien, 3B"),
            ["fru", "anna", "lena", "o", "brien", "3b"]
        );
        assert!(words(" - ").is_empty());
    }

    #[test]
    fn number_keys_sort_as_numbers() {
        let ordered = [
            "-1000", "-100.5", "-100", "-1.55", "-1.5", "-1", "-0.5", "-0.05", "0", "0.05", "0.5",
            "1", "1.5", "1.55", "9", "10", "99.99", "100", "1000",
        ];
        let keys: Vec<_> = ordered
            .iter()
            .map(|text| number_key(text).unwrap())
            .collect();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(keys, sorted);
        assert_eq!(number_key("-0.0"), number_key("0"));
        assert_eq!(number_key("007.50"), number_key("7.5"));
        for bad in ["", "-", "1,5", "1.2.3", "1e3", "+1", ".5"] {
            assert_eq!(number_key(bad), None, "{bad}");
        }
    }
}
