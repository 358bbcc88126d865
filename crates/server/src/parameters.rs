//! Query parameters: nothing unknown, nothing twice, nothing ignored in silence.

use std::borrow::Cow;

use grunddata_registry::nearest;

use crate::problem::Problem;

/// The parameters of one request, decoded, in the order given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Decodes a query string (`application/x-www-form-urlencoded`: `+` is a space).
    ///
    /// # Errors
    /// `invalid-parameter` for what is not percent-encoded UTF-8, `nul-character`, `repeated-parameter`.
    pub(crate) fn parse(query: &'a str) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::new(
                    "repeated-parameter",
                    format!("The parameter {name} is given twice. Give it once; separate several values with commas."),
                )
                .fact("parameter", name.into_owned()));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Refuses the first name that is not in `known`.
    ///
    /// # Errors
    /// `unknown-parameter`, naming the nearest known one.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_ref()))
        {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name, known)),
        }
    }

    /// The value of a parameter.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Reads a value; `form` says what it should look like.
    ///
    /// # Errors
    /// `invalid-parameter`.
    pub(crate) fn read<T: std::str::FromStr>(
        &self,
        name: &str,
        form: &str,
    ) -> Result<Option<T>, Problem> {
        self.get(name)
            .map(|value| value.parse().map_err(|_| invalid(name, value, form)))
            .transpose()
    }

    /// Reads a value whose own error says what is wrong.
    ///
    /// # Errors
    /// `invalid-date`.
    pub(crate) fn date<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|error: T::Err| {
                    Problem::new(
                        "invalid-date",
                        format!("The parameter {name}: {error}.").replace("..", "."),
                    )
                    .fact("parameter", name)
                })
            })
            .transpose()
    }
}

/// A value of the wrong form.
pub(crate) fn invalid(name: &str, value: &str, form: &str) -> Problem {
    let shown: String = value.chars().take(60).collect();
    Problem::new(
        "invalid-parameter",
        format!("The parameter {name} must be {form}; it was \"{shown}\"."),
    )
    .fact("parameter", name)
}

/// A name that nobody knows.
pub(crate) fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(60).collect();
    let problem = match nearest(name, known.iter().copied()) {
        Some(near) => Problem::new(
            "unknown-parameter",
            format!("There is no parameter {shown} here. Did you mean {near}?"),
        )
        .fact("nearest", near),
        None if known.is_empty() => Problem::new(
            "unknown-parameter",
            format!("There is no parameter {shown} here: this operation takes none. Remove it."),
        ),
        None => Problem::new(
            "unknown-parameter",
            format!(
                "There is no parameter {shown} here. Known are: {}.",
                known.join(", ")
            ),
        ),
    };
    problem.fact("parameter", shown)
}

fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let wrong = || {
        Problem::new(
            "invalid-parameter",
            "The query is not percent-encoded UTF-8. Write each byte that is not a letter or digit as % and two hexadecimal digits.",
        )
    };
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    bytes
                        .next()
                        .and_then(|digit| char::from(digit).to_digit(16))
                };
                let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
                u8::try_from(high * 16 + low).map_err(|_| wrong())?
            }
            other => other,
        });
    }
    if out.contains(&0) {
        return Err(Problem::new(
            "nul-character",
            "The query holds the character U+0000. Remove it.",
        ));
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str) -> &'static str {
        Parameters::parse(query)
            .and_then(|parameters| parameters.only(&["validAt", "limit"]))
            .expect_err(query)
            .kind
            .code
    }

    #[test]
    fn values_are_decoded() {
        let parameters = Parameters::parse("name=Ume%C3%A5*&q=a+b&empty=&bare").expect("query");
        assert_eq!(parameters.get("name"), Some("Umeå*"));
        assert_eq!(parameters.get("q"), Some("a b"));
        assert_eq!(parameters.get("empty"), Some(""));
        assert_eq!(parameters.get("bare"), Some(""));
        assert_eq!(parameters.get("other"), None);
    }

    #[test]
    fn bad_queries_are_refused() {
        assert_eq!(code("validat=2026-01-01"), "unknown-parameter");
        assert_eq!(code("limit=1&limit=2"), "repeated-parameter");
        assert_eq!(code("limit=%zz"), "invalid-parameter");
        assert_eq!(code("limit=%ff"), "invalid-parameter");
        assert_eq!(code("limit=%00"), "nul-character");
        let problem = unknown("validat", &["validAt", "limit"]);
        assert_eq!(
            problem.facts.get("nearest").and_then(|near| near.as_str()),
            Some("validAt")
        );
    }
}
