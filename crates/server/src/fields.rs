//! The members of a request's JSON object (the envelope, never the `data` inside it): all faults are collected, and a
//! member that nobody knows is one.

use grunddata_model::{ValidFrom, ValidTo};
use grunddata_registry::nearest;
use serde_json::{Map, Value, json};

use crate::problem::{MOST_ERRORS, Problem};

/// An object being read.
#[derive(Debug)]
pub(crate) struct Fields {
    object: Map<String, Value>,
    prefix: String,
    faults: Vec<Value>,
}

impl Fields {
    /// Begins to read `value`, which stands at `prefix` in the body; `known` are the members that may be there.
    ///
    /// # Errors
    /// `invalid-body` when it is not an object.
    pub(crate) fn new(value: Value, prefix: &str, known: &[&str]) -> Result<Self, Problem> {
        let Value::Object(object) = value else {
            return Err(problem(vec![fault(
                prefix,
                "wrong-type",
                format!(
                    "A JSON object is expected here, with the members {}.",
                    known.join(", ")
                ),
                format!("Här väntas ett JSON-objekt med {}.", known.join(", ")),
            )]));
        };
        let mut faults = Vec::new();
        for name in object
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .take(MOST_ERRORS + 1)
        {
            let shown: String = name.chars().take(60).collect();
            let pointer = format!("{prefix}/{}", shown.replace('~', "~0").replace('/', "~1"));
            faults.push(match nearest(name, known.iter().copied()) {
                Some(near) => fault(
                    &pointer,
                    "unknown-property",
                    format!("There is no member {shown} here. Did you mean {near}?"),
                    format!("Här finns ingen medlem {shown}. Menas {near}?"),
                ),
                None => fault(
                    &pointer,
                    "unknown-property",
                    format!(
                        "There is no member {shown} here. Known are: {}.",
                        known.join(", ")
                    ),
                    format!(
                        "Här finns ingen medlem {shown}. Kända är: {}.",
                        known.join(", ")
                    ),
                ),
            });
        }
        Ok(Self {
            object,
            prefix: prefix.to_owned(),
            faults,
        })
    }

    /// Takes a member out, whatever it is.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    /// Takes a member that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Value {
        match self.object.remove(name) {
            Some(value) => value,
            None => {
                let prefix = self.prefix.clone();
                self.faults.push(fault(
                    &prefix,
                    "required-property",
                    format!("The member {name} is missing."),
                    format!("Medlemmen {name} saknas."),
                ));
                Value::Null
            }
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.object.remove(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(name, "a string", &other);
                None
            }
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.object.remove(name)?;
        let number = value.as_u64();
        if number.is_none() {
            self.wrong_type(name, "a whole number", &value);
        }
        number
    }

    /// `true` or `false`; absent is `false`.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.object.remove(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.wrong_type(name, "true or false", &other);
                false
            }
        }
    }

    /// A list.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.object.remove(name)? {
            Value::Array(items) => Some(items),
            other => {
                self.wrong_type(name, "a list", &other);
                None
            }
        }
    }

    /// A text that a type reads itself; its own error says what is wrong, under the code `code`.
    pub(crate) fn parse<T>(&mut self, name: &str, code: &'static str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: T::Err = error;
                self.reject(
                    name,
                    code,
                    format!("{name}: {error}"),
                    format!("{name} har fel form: {error}"),
                );
                None
            }
        }
    }

    /// The first day of a period: a date or `unknown`.
    pub(crate) fn valid_from(&mut self, name: &str) -> Option<ValidFrom> {
        self.parse(name, "invalid-date")
    }

    /// The first day after a period: a date, or `null` for until further notice.
    pub(crate) fn valid_to(&mut self, name: &str) -> Option<ValidTo> {
        match self.object.get(name)? {
            Value::Null => {
                self.object.remove(name);
                Some(ValidTo::Open)
            }
            _ => self.parse(name, "invalid-date"),
        }
    }

    /// Notes a fault at a member.
    pub(crate) fn reject(
        &mut self,
        name: &str,
        code: &'static str,
        message: String,
        message_sv: String,
    ) {
        self.faults.push(fault(
            &format!("{}/{name}", self.prefix),
            code,
            message,
            message_sv,
        ));
    }

    fn wrong_type(&mut self, name: &str, expected: &str, found: &Value) {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.reject(
            name,
            "wrong-type",
            format!("{name} must be {expected}, not {found}."),
            format!("{name} har fel typ."),
        );
    }

    /// The faults found so far, when several objects are read before answering.
    ///
    /// # Errors
    /// The faults.
    pub(crate) fn faults(self) -> Result<(), Vec<Value>> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(self.faults)
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `invalid-body` with all faults, or `invalid-date` when they are all about dates.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        self.faults().map_err(problem)
    }
}

/// All faults of a body as one problem.
pub(crate) fn problem(faults: Vec<Value>) -> Problem {
    let dates = faults
        .iter()
        .all(|fault| fault.get("code").and_then(Value::as_str) == Some("invalid-date"));
    let first = faults
        .first()
        .and_then(|fault| fault.get("message"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let detail = match faults.len() {
        1 => first.to_owned(),
        several if several > MOST_ERRORS => {
            format!("{first} (There are more than {MOST_ERRORS} faults: errors lists the first.)")
        }
        several => format!("{first} ({several} faults in all: see errors.)"),
    };
    let mut problem = Problem::new(
        if dates {
            "invalid-date"
        } else {
            "invalid-body"
        },
        detail,
    );
    problem.errors = faults;
    problem
}

pub(crate) fn fault(pointer: &str, code: &str, message: String, message_sv: String) -> Value {
    json!({"pointer": pointer, "code": code, "message": message, "messageSv": message_sv})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_empty_are_three_things() {
        let known = ["validFrom", "validTo"];
        let mut absent = Fields::new(json!({}), "", &known).expect("object");
        assert_eq!(absent.valid_to("validTo"), None);
        absent.finish().expect("no fault");
        let mut null = Fields::new(json!({"validTo": null}), "", &known).expect("object");
        assert_eq!(null.valid_to("validTo"), Some(ValidTo::Open));
        null.finish().expect("no fault");
        let mut empty = Fields::new(json!({"validTo": ""}), "", &known).expect("object");
        assert_eq!(empty.valid_to("validTo"), None);
        let problem = empty.finish().expect_err("fault");
        assert_eq!(problem.kind.code, "invalid-date");
        assert_eq!(problem.errors[0]["pointer"], "/validTo");
    }

    #[test]
    fn a_flood_of_faults_is_cut() {
        let members: Map<String, Value> = (0..5_000)
            .map(|number| (format!("member{number}"), Value::Null))
            .collect();
        let problem = Fields::new(Value::Object(members), "", &["data"])
            .expect("object")
            .finish()
            .expect_err("faults");
        let body = problem.body("https://host/api/v1", "urn:uuid:x");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(MOST_ERRORS));
        assert_eq!(body["errorsTruncated"], true);
    }

    #[test]
    fn all_faults_are_listed() {
        let mut fields = Fields::new(
            json!({"dta": {}, "reason": 3}),
            "/operations/1",
            &["data", "reason"],
        )
        .expect("object");
        fields.required("data");
        fields.text("reason");
        let problem = fields.finish().expect_err("faults");
        assert_eq!(problem.kind.code, "invalid-body");
        let found: Vec<_> = problem
            .errors
            .iter()
            .map(|e| (e["pointer"].as_str(), e["code"].as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (Some("/operations/1/dta"), Some("unknown-property")),
                (Some("/operations/1"), Some("required-property")),
                (Some("/operations/1/reason"), Some("wrong-type")),
            ]
        );
    }
}
