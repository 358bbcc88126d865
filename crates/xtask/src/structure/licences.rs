//! Dependencies must be licensed so that an EUPL-1.2 binary may hold them.

use cargo_metadata::Metadata;

const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "PostgreSQL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Dependencies whose licence is missing or not permissive.
#[must_use]
pub fn licences(metadata: &Metadata) -> Vec<String> {
    let ours = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| &package.id)
        .collect::<Vec<_>>();
    let mut findings: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| !ours.contains(&&package.id))
        .filter_map(|package| match package.license.as_deref() {
            Some(licence) if acceptable(licence) => None,
            Some(licence) => Some(format!(
                "{} {} is licensed {licence}",
                package.name, package.version
            )),
            None => Some(format!(
                "{} {} states no licence",
                package.name, package.version
            )),
        })
        .collect();
    findings.sort();
    findings
}

/// SPDX expressions of `OR`, `AND` (binds tighter), `WITH` and parentheses; the older `/` means `OR`.
fn acceptable(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let verdict = either(&mut tokens);
    verdict && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(tokens: &mut Tokens<'_>) -> bool {
    let mut verdict = both(tokens);
    while tokens.next_if_eq(&"OR").is_some() {
        // Both sides are read whatever the first says.
        let other = both(tokens);
        verdict |= other;
    }
    verdict
}

fn both(tokens: &mut Tokens<'_>) -> bool {
    let mut verdict = single(tokens);
    while tokens.next_if_eq(&"AND").is_some() {
        let other = single(tokens);
        verdict &= other;
    }
    verdict
}

fn single(tokens: &mut Tokens<'_>) -> bool {
    match tokens.next() {
        Some("(") => {
            let verdict = either(tokens);
            verdict && tokens.next() == Some(")")
        }
        Some(licence) => match tokens.next_if_eq(&"WITH").and_then(|_| tokens.next()) {
            Some(exception) => ACCEPTED.contains(&format!("{licence} WITH {exception}").as_str()),
            None => ACCEPTED.contains(&licence),
        },
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::acceptable;

    #[test]
    fn one_permissive_choice_is_enough_and_every_required_licence_must_be() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(acceptable(good), "{good}");
        }
        for bad in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "",
            "AGPL-3.0-only OR GPL-2.0-only",
            "(MIT",
            "Apache-2.0 WITH Other-exception",
        ] {
            assert!(!acceptable(bad), "{bad}");
        }
    }
}
