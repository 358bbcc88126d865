//! Check digits.

/// The digits of a text of exactly `N` ASCII digits.
pub(crate) fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = text.as_bytes().try_into().ok()?;
    bytes
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| bytes.map(|byte| byte - b'0'))
}

/// Luhn, modulus 10, with the last digit as the check digit (SS 01 41 40; ISO/IEC 7812-1 annex B): from the right,
/// every second digit counts double, with the digits of the product added.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match (place % 2, digit) {
                (0, digit) => digit,
                (_, 0..=4) => digit * 2,
                (_, digit) => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// GS1 modulus 10 (GS1 General Specifications, section 7.9): from the right, weights 1, 3, 1, 3 …
pub(crate) fn gs1(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(*digit) * if place % 2 == 0 { 1 } else { 3 })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        assert!(luhn(&digits::<10>("5560360793").unwrap()));
        assert!(!luhn(&digits::<10>("5560360792").unwrap()));
        assert!(gs1(&digits::<13>("4006381333931").unwrap()));
        assert!(!gs1(&digits::<13>("4006381333930").unwrap()));
        assert_eq!(digits::<3>("12a"), None);
        assert_eq!(digits::<3>("1234"), None);
    }
}
