//! The test numbers of the Tax Agency that the seeds give to their fictional people: what no log may hold.

use std::collections::HashSet;
use std::path::Path;

/// The files, below the root of the repository.
const FILES: [&str; 2] = [
    "seeds/test-personal-identity-numbers.txt",
    "seeds/test-coordination-numbers.txt",
];
/// A number without its century.
const SHORT: usize = 10;
/// A number with its century.
const LONG: usize = 12;

/// All of them, with and without their century.
#[derive(Debug, Default)]
pub struct TestNumbers(HashSet<String>);

impl TestNumbers {
    /// Reads the lists.
    ///
    /// # Errors
    /// When a list cannot be read or is empty.
    pub fn read(root: &Path) -> std::io::Result<Self> {
        let mut numbers = HashSet::new();
        for file in FILES {
            let text = std::fs::read_to_string(root.join(file))?;
            for number in text.lines().map(str::trim) {
                numbers.insert(number.to_owned());
                numbers.extend(number.get(LONG - SHORT..).map(str::to_owned));
            }
        }
        if numbers.is_empty() {
            return Err(std::io::Error::other("the lists of test numbers are empty"));
        }
        Ok(Self(numbers))
    }

    /// The first of the numbers that a text holds, however it is written: with or without its century, with `-` or `+`
    /// before the last four digits. Digits inside longer words (ids, hashes) are none.
    #[must_use]
    pub fn first_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let part = |letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '+');
        text.split(part)
            .filter(|word| (SHORT..=LONG + 1).contains(&word.len()))
            .find(|word| {
                let digits = word.replace(['-', '+'], "");
                let written = word.len() == digits.len()
                    || word.len() == digits.len() + 1
                        && word
                            .get(digits.len() - 4..=digits.len() - 4)
                            .is_some_and(|sign| sign == "-" || sign == "+");
                written && self.0.contains(&digits)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::TestNumbers;

    #[test]
    fn numbers_are_found_however_they_are_written() {
        let numbers = TestNumbers(["189001019802", "9001019802"].map(str::to_owned).into());
        for text in [
            "189001019802",
            "number=18900101-9802 status=200",
            "{\"q\":\"900101-9802\"}",
            "?identifier=se-personal-identity-number:9001019802&x",
            "(900101+9802)",
        ] {
            assert!(numbers.first_in(text).is_some(), "{text}");
        }
        for text in [
            "",
            "189001019803",
            "01990c3e-0000-7000-8000-189001019802",
            "x189001019802",
            "duration_us=1890010198021",
            "9001-019802",
        ] {
            assert_eq!(numbers.first_in(text), None, "{text}");
        }
    }
}
