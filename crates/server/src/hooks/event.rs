//! Entries as CloudEvents 1.0 (JSON format, HTTP protocol binding), signed as Standard Webhooks says.

use actix_web::web::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grunddata_model::{Instant, OwnerKey};
use grunddata_reach::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use grunddata_registry::{ContentMode, FeedContent, FeedEntry, Reread};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::Config;
use crate::envelope;
use crate::handlers::changes::{written, written_reread};
use crate::links::API_ROOT;

/// The beginning of every type.
const TYPES: &str = "se.grunddata";
const VERSION: &str = "1.0";
const JSON: &str = "application/json";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Where events come from, as they say it.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// `https://grunddata.example.se`; empty where the settings do not say it.
    address: String,
    /// The name by which a target is asked.
    host: String,
}

impl Origin {
    pub(super) fn of(config: &Config) -> Self {
        let address = config.public_address.clone().unwrap_or_default();
        let address = address.trim_end_matches('/').to_owned();
        let host = address.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        Self {
            host: if host.is_empty() { "grunddata" } else { host }.to_owned(),
            address,
        }
    }

    /// By which name a target is asked whether it wants events from here.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    fn source(&self, owner: &OwnerKey) -> String {
        format!("{}{API_ROOT}/owners/{owner}", self.address)
    }

    /// Only with an address: a schema is named by a whole one.
    fn schema(&self) -> Option<String> {
        (!self.address.is_empty()).then(|| {
            format!(
                "{}{API_ROOT}/openapi.json#/components/schemas/Change",
                self.address
            )
        })
    }
}

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    id: String,
    source: String,
    kind: String,
    subject: Option<String>,
    time: Option<Instant>,
    schema: Option<String>,
    data: Vec<u8>,
}

impl Event {
    /// An entry of a log. Its data is what the feed shows.
    pub(super) fn of_entry(origin: &Origin, owner: &OwnerKey, entry: &FeedEntry) -> Self {
        let (word, time) = match &entry.content {
            FeedContent::Change(change) => (change.kind, Some(change.recorded_at)),
            FeedContent::Withdrawn => ("withdrawn", None),
        };
        let mut data = Vec::with_capacity(400);
        written(&mut data, entry);
        Self {
            id: entry.id(owner),
            source: origin.source(owner),
            kind: format!("{TYPES}.{}.{word}.v1", entry.domain.as_str()),
            subject: Some(entry.record.to_string()),
            time,
            schema: origin.schema(),
            data,
        }
    }

    /// A record that is to be read anew before any entry is looked at.
    pub(super) fn of_reread(origin: &Origin, owner: &OwnerKey, reread: &Reread) -> Self {
        let mut data = Vec::with_capacity(100);
        written_reread(&mut data, reread);
        Self {
            id: reread.id(owner),
            source: origin.source(owner),
            kind: format!("{TYPES}.{}.re-read.v1", reread.domain.as_str()),
            subject: Some(reread.record.to_string()),
            time: None,
            schema: None,
            data,
        }
    }

    /// Something about the subscription itself: `subscription.test`, `subscription.alive` or `access.changed`.
    pub(super) fn of_subscription(
        origin: &Origin,
        owner: &OwnerKey,
        subscription: Uuid,
        word: &str,
        id: String,
        time: Instant,
    ) -> Self {
        let data = serde_json::json!({"owner": owner.as_str(), "subscription": subscription});
        Self {
            id,
            source: origin.source(owner),
            kind: format!("{TYPES}.{word}.v1"),
            subject: None,
            time: Some(time),
            schema: None,
            data: data.to_string().into_bytes(),
        }
    }

    /// Bytes of it, about.
    pub(super) fn len(&self) -> usize {
        self.data.len() + 400
    }

    /// The attributes but `specversion`, in the order in which they are written.
    fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let time = self.time.map(|time| time.to_string());
        [
            ("id", Some(self.id.clone())),
            ("source", Some(self.source.clone())),
            ("type", Some(self.kind.clone())),
            ("subject", self.subject.clone()),
            ("time", time),
            ("dataschema", self.schema.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    fn structured(&self, out: &mut Vec<u8>) {
        envelope::put(out, "{\"specversion\":\"");
        envelope::put(out, VERSION);
        envelope::put(out, "\"");
        for (name, value) in self.attributes() {
            envelope::put(out, ",\"");
            envelope::put(out, name);
            envelope::put(out, "\":");
            envelope::json(out, &value);
        }
        envelope::put(out, ",\"datacontenttype\":\"application/json\",\"data\":");
        out.extend_from_slice(&self.data);
        envelope::put(out, "}");
    }
}

/// What one request carries.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// What tells it from others: the same whenever the same events are sent together.
    pub(super) id: String,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

fn value(text: &str) -> HeaderValue {
    // Ids, words, instants and addresses are ASCII; what is not can be left out, for the body says it as well.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
}

impl Message {
    /// Events in one request: one, or with batches several.
    pub(super) fn of(mode: ContentMode, events: &[Event]) -> Self {
        let mut headers = HeaderMap::new();
        let mut body = Vec::with_capacity(events.iter().map(Event::len).sum());
        let (content_type, id) = match (mode, events) {
            (ContentMode::Structured, [event]) => {
                event.structured(&mut body);
                (STRUCTURED, event.id.clone())
            }
            (ContentMode::Binary, [event]) => {
                headers.insert("ce-specversion", HeaderValue::from_static(VERSION));
                for (name, text) in event.attributes() {
                    if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
                        headers.insert(name, value(&text));
                    }
                }
                body.extend_from_slice(&event.data);
                (JSON, event.id.clone())
            }
            (_, events) => {
                let mut hash = Sha256::new();
                body.push(b'[');
                for (at, event) in events.iter().enumerate() {
                    if at > 0 {
                        body.push(b',');
                    }
                    event.structured(&mut body);
                    hash.update(event.id.as_bytes());
                }
                body.push(b']');
                let hash = hash.finalize();
                let first: Vec<u8> = hash.iter().copied().take(16).collect();
                (BATCH, URL_SAFE_NO_PAD.encode(first))
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            id,
            headers,
            body: Bytes::from(body),
        }
    }

    /// The headers of a request that is sent at an instant, signed with each of the secrets.
    pub(super) fn signed<'a>(
        &self,
        secrets: impl Iterator<Item = &'a [u8]>,
        now: Instant,
    ) -> HeaderMap {
        let mut headers = self.headers.clone();
        let seconds = now.micros().div_euclid(1_000_000).to_string();
        let signatures: Vec<String> = secrets
            .map(|secret| signature(secret, &self.id, &seconds, &self.body))
            .collect();
        headers.insert("webhook-id", value(&self.id));
        headers.insert("webhook-timestamp", value(&seconds));
        headers.insert("webhook-signature", value(&signatures.join(" ")));
        headers.insert("user-agent", HeaderValue::from_static("grunddata"));
        headers
    }
}

/// `v1,` and the HMAC-SHA256 of `ID.SECONDS.BODY`, in base64 (Standard Webhooks).
fn signature(secret: &[u8], id: &str, seconds: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn a_signature_is_as_the_standard_says() {
        let secret = STANDARD
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .expect("base64");
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_batch_is_the_same_message_whenever_it_is_sent() {
        let origin = Origin {
            address: "https://grunddata.example.se".to_owned(),
            host: "grunddata.example.se".to_owned(),
        };
        let owner = OwnerKey::new("a").expect("key");
        let event = |id: &str| {
            let time = Instant::from_micros(0);
            Event::of_subscription(
                &origin,
                &owner,
                Uuid::nil(),
                "subscription.test",
                id.to_owned(),
                time,
            )
        };
        let of = |ids: &[&str]| {
            let events: Vec<Event> = ids.iter().map(|id| event(id)).collect();
            Message::of(ContentMode::Batch, &events)
        };
        assert_eq!(of(&["x", "y"]).id, of(&["x", "y"]).id);
        assert_ne!(of(&["x", "y"]).id, of(&["y", "x"]).id);
        let body: serde_json::Value = serde_json::from_slice(&of(&["x", "y"]).body).expect("JSON");
        assert_eq!(
            (&body[1]["id"], &body[0]["type"]),
            (&"y".into(), &"se.grunddata.subscription.test.v1".into())
        );
    }

    #[test]
    fn the_origin_is_that_of_the_settings() {
        let of = |address: Option<&str>| {
            Origin::of(&Config {
                public_address: address.map(str::to_owned),
                ..Config::default()
            })
        };
        let owner = OwnerKey::new("se-2480").expect("key");
        let origin = of(Some("https://grunddata.example.se:8443/"));
        assert_eq!(origin.host(), "grunddata.example.se");
        assert_eq!(
            origin.source(&owner),
            "https://grunddata.example.se:8443/api/v1/owners/se-2480"
        );
        let none = of(None);
        assert_eq!((none.host(), none.schema()), ("grunddata", None));
        assert_eq!(none.source(&owner), "/api/v1/owners/se-2480");
    }
}
