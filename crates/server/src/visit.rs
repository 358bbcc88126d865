//! One visit in the access log: who asked for what, and what was shown. The answer waits until it is on disk; when it
//! cannot be written there is no answer.

use actix_web::http::{Method, Uri};
use grunddata_access_log::{AccessLogError, Channel, Entry, Kind, Outcome};
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{Context, Shown};
use serde_json::{Value, json};

use crate::access::Access;
use crate::app::App;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::{self, Reply};

/// Bytes of what an act is about: the masking of numbers may make it longer.
const DETAIL: usize = grunddata_access_log::DETAIL_LIMIT / 2;

/// What is noted of a request before it is carried out.
pub(crate) struct Visit {
    context: Context,
    kind: Kind,
    /// Whether it is logged even if nothing was shown and if it was refused.
    acts: bool,
    method: Method,
    operation: &'static str,
    uri: Uri,
    channel: Channel,
}

impl Visit {
    pub(crate) fn of(context: &Context, call: &Call) -> Self {
        let operation = call.operation();
        let (uri, method) = (call.http.uri(), call.http.method());
        let id = operation.map_or("", |operation| operation.id);
        let kind = operation.map_or(Kind::Read, |operation| operation.logged_as.clone());
        let reads = matches!(*method, Method::GET | Method::HEAD);
        Self {
            context: context.clone(),
            acts: match kind {
                Kind::Administration | Kind::Erasure => !reads,
                Kind::LogRead => true,
                // What is handed out without loss is everything of an owner.
                Kind::Export => operation.is_some_and(|found| found.access() == Access::Admin),
                _ => false,
            },
            kind,
            method: method.clone(),
            operation: id,
            uri: uri.clone(),
            channel: if operation.is_some_and(|operation| operation.root) {
                Channel::Page
            } else {
                Channel::Rest
            },
        }
    }

    /// Logs that something is about to be done to the administration or erased: without that it is not done.
    pub(crate) async fn begin(&self, app: &App) -> Result<(), Problem> {
        if !self.acts || self.kind == Kind::LogRead {
            return Ok(());
        }
        let mut entry = self.bare();
        let detail = json!({"begun": true});
        entry.detail = Some(self.detail(Some(detail)));
        append(app, entry).await.map_err(|error| unlogged(&error))
    }

    /// Logs what was shown or done, and gives the answer on when that is durable.
    pub(crate) async fn log(self, app: &App, reply: Reply) -> Reply {
        let shown = self.context.disclosed.take();
        // A refusal can tell something as well: that a number is in use, in which periods there is something. What was
        // noted is what is told. That nobody was found tells something, too.
        let shows = !(shown.records.is_empty() && shown.searched.is_empty());
        if !shows && !self.acts {
            return reply;
        }
        let outcome = match &reply {
            Ok(_) => Outcome::Ok,
            Err(problem) => Outcome::Refused(problem.kind.code.to_owned()),
        };
        match append(app, self.entry(shown, outcome)).await {
            Ok(()) => reply,
            Err(error) => Err(unlogged(&error)),
        }
    }

    /// Logs what was shown since it was last asked, of an answer that goes out in pieces, and returns when that is durable.
    pub(crate) async fn log_shown(&self, app: &App) -> Result<(), Problem> {
        let shown = self.context.disclosed.take();
        if shown.records.is_empty() {
            return Ok(());
        }
        append(app, self.entry(shown, Outcome::Ok))
            .await
            .map_err(|error| unlogged(&error))
    }

    /// What is noted from now on was shown then.
    pub(crate) fn move_to(&mut self, now: Instant) {
        self.context.now = now;
    }

    /// Logs what came of an act whose answer went out in pieces.
    pub(crate) async fn log_done(
        &self,
        app: &App,
        owners: impl IntoIterator<Item = OwnerKey>,
        detail: Value,
    ) -> Result<(), Problem> {
        let mut done = self.context.disclosed.take();
        done.acted.extend(owners);
        done.detail = Some(detail);
        append(app, self.entry(done, Outcome::Ok))
            .await
            .map_err(|error| unlogged(&error))
    }

    /// Who asked for what and when.
    fn bare(&self) -> Entry {
        let context = &self.context;
        let mut entry = Entry::new(
            context.now,
            self.kind.clone(),
            bounded(context.actor.name.clone()),
            self.channel.clone(),
            self.operation,
        );
        let client = bounded(context.actor.client.clone());
        entry.client = Some(client).filter(|client| !client.is_empty());
        entry.unit = context.actor.unit.clone().map(bounded);
        entry.on_behalf_of = context.on_behalf_of.clone().map(bounded);
        entry.purpose = context.purpose.clone();
        entry.request_id = Some(context.request_id.clone());
        entry
    }

    fn entry(&self, shown: Shown, outcome: Outcome) -> Entry {
        let mut entry = self.bare();
        entry.records = shown.records;
        entry.records.sort_unstable();
        entry.records.dedup();
        let found = entry.records.len();
        entry.records.truncate(grunddata_access_log::RECORDS_LIMIT);
        let mut owners = shown.acted;
        owners.extend(if found == 0 {
            shown.searched
        } else {
            shown.owners
        });
        entry.owners = owners.into_iter().collect();
        entry.owners.truncate(grunddata_access_log::OWNERS_LIMIT);
        let several = found > 1;
        let none = found == 0 && !self.acts;
        entry.count = (several || none).then_some(found as u64);
        entry.classes = shown.classes;
        entry.query = shown
            .query
            .or_else(|| several.then(|| self.address()))
            .map(bounded_query);
        entry.outcome = outcome;
        if self.acts {
            entry.detail = Some(self.detail(shown.detail));
        }
        entry
    }

    fn address(&self) -> String {
        self.uri
            .path_and_query()
            .map_or_else(|| self.uri.path().to_owned(), ToString::to_string)
    }

    /// The request, with what the act is about.
    fn detail(&self, about: Option<Value>) -> Value {
        let mut detail = json!({"method": self.method.as_str(), "address": self.address()});
        match about {
            // An act that is too long to tell is logged all the same.
            Some(about) if about.to_string().len() > DETAIL => reply::set(&mut detail, "cut", true),
            Some(Value::Object(members)) => {
                for (name, value) in members {
                    reply::set(&mut detail, &name, value);
                }
            }
            _ => {}
        }
        detail
    }
}

async fn append(app: &App, entry: Entry) -> Result<(), AccessLogError> {
    app.access_log.append(entry)?.await.map(drop)
}

/// No answer without its entry.
pub(crate) fn unlogged(error: &AccessLogError) -> Problem {
    tracing::error!(%error, "the access log cannot be written: personal data are not shown until it can");
    Problem::new(
        "access-log-unavailable",
        "What would be shown cannot be logged just now, and without that it is not shown. Try again after the seconds in Retry-After.",
    )
}

/// What follows from the permission and the name of an operation. It is asked once for each, when the table is made.
pub(crate) fn kind(access: Access, operation: &str, method: &Method) -> Kind {
    match access {
        Access::Admin => return Kind::Administration,
        Access::Audit => return Kind::LogRead,
        // What a load does to many records at once is an act of its own.
        Access::Load if !matches!(*method, Method::GET | Method::HEAD) => {
            return Kind::Administration;
        }
        Access::Public | Access::Read | Access::Write | Access::Load => {}
    }
    let has = |part: &str| operation.contains(part);
    if has("History") || has("Timeline") || has("Version") || has("Diff") {
        Kind::History
    } else if has("Links") || has("Ancestors") || has("Descendants") || has("Subtree") {
        Kind::Links
    } else if ["search", "list", "lookUp", "find"]
        .iter()
        .any(|part| has(part))
    {
        Kind::Search
    } else if matches!(*method, Method::GET | Method::HEAD) {
        Kind::Read
    } else {
        Kind::Write
    }
}

fn bounded(text: String) -> String {
    cut(text, grunddata_access_log::NAME_LIMIT)
}

fn bounded_query(text: String) -> String {
    cut(text, grunddata_access_log::QUERY_LIMIT)
}

/// At most so many bytes, at a boundary of characters.
fn cut(mut text: String, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_from_the_operation() {
        let kind = |operation| kind(Access::Read, operation, &Method::GET);
        assert_eq!(kind("get{Record}"), Kind::Read);
        assert_eq!(kind("list{Records}"), Kind::Search);
        assert_eq!(
            super::kind(Access::Read, "lookUpRecords", &Method::POST),
            Kind::Search
        );
        assert_eq!(kind("get{Record}History"), Kind::History);
        assert_eq!(kind("get{Record}Links"), Kind::Links);
        assert_eq!(
            super::kind(Access::Write, "amend{Record}", &Method::PATCH),
            Kind::Write
        );
        assert_eq!(
            super::kind(Access::Admin, "putOwner", &Method::PUT),
            Kind::Administration
        );
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("åäö".to_owned(), 3), "å");
        assert_eq!(cut("abc".to_owned(), 3), "abc");
    }
}
