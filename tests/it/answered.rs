//! What a server answers, for tests that look at little of it.

use reqwest::blocking::Response;
use serde_json::Value;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// The body, as text where it is no JSON.
    pub(crate) json: Value,
}

impl Answered {
    pub(crate) fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let text = response.text().expect("a body");
        Self {
            status,
            json: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.json);
        self.json
    }
}
