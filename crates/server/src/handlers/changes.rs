//! An owner's log as pages and as lines.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::Bytes;
use grunddata_model::{Domain, OwnerKey};
use grunddata_registry::{
    Feed, FeedContent, FeedCopy, FeedEntry, FeedFilter, FeedPosition, Reread,
};
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::page;
use crate::access::{Authorised, Read};
use crate::body::NDJSON;
use crate::call::{Call, record_id};
use crate::envelope;
use crate::following::{Following, News};
use crate::links::Link;
use crate::loads::hex;
use crate::parameters::{Parameters, invalid};
use crate::patience::Patient;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};
use crate::visit::Visit;

/// The longest wait, in seconds.
pub(super) const LONGEST_WAIT: u64 = 60;
/// A page with states ends after so many bytes, however many entries were asked for.
const PAGE_BYTES: usize = 8 << 20;
/// Entries of a piece.
const PIECE: usize = 1_000;

/// What is asked for.
pub(super) struct Asked {
    pub(super) owner: OwnerKey,
    pub(super) after: Option<String>,
    pub(super) filter: FeedFilter,
    pub(super) wait: Option<Duration>,
}

/// Whose log is asked for.
///
/// # Errors
/// `owner-required`, `invalid-parameter`.
pub(super) fn owner(parameters: &Parameters<'_>) -> Result<OwnerKey, Problem> {
    let owner = parameters.get("owner").ok_or_else(|| {
        Problem::new(
            "owner-required",
            "Say whose log: owner=KEY. The owners are at /owners.",
        )
        .fact("parameter", "owner")
    })?;
    OwnerKey::new(owner)
        .map_err(|_| invalid("owner", owner, "the key of an owner, such as se-2480"))
}

impl Asked {
    /// # Errors
    /// `owner-required`, `invalid-parameter`, `invalid-id`.
    pub(super) fn read(parameters: &Parameters<'_>) -> Result<Self, Problem> {
        let owner = owner(parameters)?;
        let listed = |name| {
            let values = parameters.get(name).into_iter();
            values.flat_map(|text| text.split(','))
        };
        let mut domains = Vec::new();
        for word in listed("domain") {
            domains.push(word.parse::<Domain>().map_err(|_| {
                invalid(
                    "domain",
                    word,
                    "person, role, organisation, geography or service, or several of them with commas",
                )
            })?);
        }
        let id = |name| parameters.get(name).map(record_id).transpose();
        let states = match parameters.get("content") {
            None | Some("thin" | "copy") => false,
            Some("states") => true,
            Some(other) => return Err(invalid("content", other, "thin, states or copy")),
        };
        let proofs = match parameters.get("proof") {
            None | Some("false") => false,
            Some("true") if states => true,
            Some("true") => {
                return Err(Problem::new(
                    "invalid-parameter",
                    "Proofs come with the states that they are about: ask with content=states.",
                )
                .fact("parameter", "proof"));
            }
            Some(other) => return Err(invalid("proof", other, "true or false")),
        };
        let epoch = number(parameters, "epoch", "the epoch of a log: a number from 1")?;
        let wait = parameters
            .get("wait")
            .map(|text| {
                let seconds = text.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
                seconds.map(Duration::from_secs).ok_or_else(|| {
                    invalid(
                        "wait",
                        text,
                        &format!("a number of seconds from 0 to {LONGEST_WAIT}"),
                    )
                })
            })
            .transpose()?;
        let filter = FeedFilter::default()
            .of_domains(domains)
            .of_record(id("record")?)
            .of_controller(id("controller")?)
            .with_states(states)
            .with_proofs(proofs)
            .of_epoch(epoch)
            .for_copies(parameters.get("content") == Some("copy"))
            .of_kinds(listed("kind"))
            .map_err(refused)?;
        Ok(Self {
            owner,
            after: parameters.get("after").map(str::to_owned),
            filter,
            wait,
        })
    }
}

/// A parameter that is a number from 1.
pub(super) fn number(
    parameters: &Parameters<'_>,
    name: &'static str,
    form: &str,
) -> Result<Option<u64>, Problem> {
    parameters
        .get(name)
        .map(|text| {
            let number = text.parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| invalid(name, text, form))
        })
        .transpose()
}

/// Begins the feed, on a thread that may wait for the database.
pub(super) async fn begun(
    caller: &Authorised<Read>,
    call: &Call,
    asked: Asked,
    to_the_end: bool,
) -> Result<Feed, Problem> {
    let caller = caller.clone();
    call.app
        .pool
        .run(move || {
            let registry = caller.registry();
            let after = asked.after.as_deref();
            let feed = registry
                .feed(caller.context(), &asked.owner, after, asked.filter)
                .map_err(refused)?;
            Ok(if to_the_end { feed.to_the_end() } else { feed })
        })
        .await
}

/// `GET /changes`
pub(crate) async fn page(caller: Authorised<Read>, call: Call) -> Reply {
    let parameters = call.query()?;
    let asked = Asked::read(&parameters)?;
    match parameters.get("format") {
        None | Some("json") => {}
        Some("ndjson") => {
            for name in ["wait", "limit"] {
                if parameters.get(name).is_some() {
                    return Err(Problem::new(
                        "invalid-parameter",
                        format!("Lines come to the end of the log as it is now: leave {name} out, or ask for pages or for /changes/stream."),
                    )
                    .fact("parameter", name));
                }
            }
            return lines(caller, &call, asked).await;
        }
        Some(other) => return Err(invalid("format", other, "json or ndjson")),
    }
    let limit = page::limit(&parameters)? as usize;
    let until = asked.wait.map(|wait| Instant::now() + wait);
    let feed = begun(&caller, &call, asked, false).await?;
    let mut following = Following::new(&call.app, &call.http, &caller, feed);
    if until.is_some() {
        following.wait_for_news(&caller)?;
    }
    let (mut items, mut count, mut caught_up) = (Vec::new(), 0, false);
    let mut reread: Vec<Reread> = Vec::new();
    // Whoever has waited is not sent away when the log has gone on.
    let mut woken = false;
    while count < limit && items.len() < PAGE_BYTES {
        let step = if woken {
            following.patient_step(limit - count).await?
        } else {
            following.step(limit - count).await?
        };
        reread.extend(&step.reread);
        for entry in &step.entries {
            if count > 0 {
                items.push(b',');
            }
            count += 1;
            written(&mut items, entry);
        }
        // A full page never says that it is the last: whether something hidden comes after it must not show.
        let full = count >= limit || items.len() >= PAGE_BYTES;
        if step.caught_up && !full {
            if count > 0 || following.news(until).await != News::Further {
                caught_up = true;
                break;
            }
            woken = true;
        }
    }
    let after = following.after()?;
    let mut meta = Map::new();
    meta.insert("owner".into(), following.feed().owner().as_str().into());
    meta.insert("epoch".into(), following.feed().epoch().into());
    meta.insert("limit".into(), limit.into());
    meta.insert("count".into(), count.into());
    meta.insert("after".into(), place(&after));
    meta.insert("caughtUp".into(), caught_up.into());
    if !reread.is_empty() {
        let listed = reread
            .iter()
            .map(|one| json!({"record": one.record, "domain": one.domain.as_str()}));
        meta.insert("reRead".into(), listed.collect());
    }
    let links = [
        page::this(&call),
        Link::get(
            "first",
            page::address(&call, &parameters, &[("after", None)]),
        ),
        Link::get(
            "next",
            page::address(&call, &parameters, &[("after", Some(after.to_string()))]),
        ),
    ];
    let mut out = Vec::with_capacity(items.len() + 1_024);
    envelope::put(&mut out, "{\"_meta\":");
    envelope::json(&mut out, &meta);
    envelope::put(&mut out, ",\"_links\":");
    envelope::json(&mut out, &links);
    envelope::put(&mut out, ",\"items\":[");
    out.append(&mut items);
    envelope::put(&mut out, "]}");
    Ok(reply::json(StatusCode::OK, out))
}

/// What goes from one piece to the next.
struct Under {
    following: Following,
    visit: Visit,
    count: usize,
    _permit: OwnedSemaphorePermit,
}

/// The whole log as it is now, in one answer.
async fn lines(caller: Authorised<Read>, call: &Call, asked: Asked) -> Reply {
    let permit = Arc::clone(&call.app.exports)
        .try_acquire_owned()
        .map_err(|_| {
            Problem::new(
                "busy",
                format!(
                    "{} exports are under way already. Try again after the seconds in Retry-After.",
                    super::exports::AT_ONCE
                ),
            )
        })?;
    let feed = begun(&caller, call, asked, true).await?;
    let mut under = Under {
        following: Following::new(&call.app, &call.http, &caller, feed),
        visit: Visit::of(caller.context(), call),
        count: 0,
        _permit: permit,
    };
    // The first piece comes with the head of the answer: what is refused is refused with a problem.
    let first = piece(&mut under, false).await?;
    let pieces = futures_util::stream::unfold(Some((first, under)), |state| async move {
        let ((bytes, last), mut under) = state?;
        if last {
            return Some((Ok(bytes), None));
        }
        match piece(&mut under, true).await {
            Ok(next) => Some((Ok(bytes), Some((next, under)))),
            // What follows the piece cannot be had: the connection is cut after it, so that nobody takes it for all.
            Err(problem) => {
                tracing::error!(
                    code = problem.kind.code,
                    cause = problem.cause,
                    "a feed was broken off"
                );
                let broken = actix_web::error::ErrorInternalServerError("the feed was broken off");
                Some((Err(broken), None))
            }
        }
    });
    let patience = call.app.config.limits.patience;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, NDJSON))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .streaming(Patient::new(pieces, patience)))
}

/// The next lines, logged, and whether they were the last.
async fn piece(under: &mut Under, begun: bool) -> Result<(Bytes, bool), Problem> {
    let mut out = Vec::new();
    let mut last = false;
    while out.is_empty() {
        let following = &mut under.following;
        let step = if begun {
            following.patient_step(PIECE).await?
        } else {
            following.step(PIECE).await?
        };
        for one in &step.reread {
            written_reread(&mut out, one);
            out.push(b'\n');
        }
        for entry in &step.entries {
            written(&mut out, entry);
            out.push(b'\n');
        }
        under.count += step.entries.len();
        last = step.caught_up;
        if last {
            let after = following.after()?;
            let meta = json!({"owner": following.feed().owner().as_str(), "epoch": following.feed().epoch(), "count": under.count, "after": place(&after)});
            envelope::json(&mut out, &json!({ "_meta": meta }));
            out.push(b'\n');
        }
    }
    let app = Arc::clone(under.following.app());
    under.visit.move_to(under.following.now());
    under.visit.log_shown(&app).await?;
    Ok((Bytes::from(out), last))
}

/// Where a feed goes on, as it is written.
pub(super) fn place(after: &FeedPosition) -> Value {
    match after {
        FeedPosition::Position(position) => (*position).into(),
        FeedPosition::Cursor(cursor) => cursor.as_str().into(),
    }
}

/// Appends an entry as JSON on one line, without a line break.
pub fn written(out: &mut Vec<u8>, entry: &FeedEntry) {
    out.reserve(400);
    match &entry.after {
        FeedPosition::Position(position) => {
            envelope::put(out, "{\"position\":");
            envelope::json(out, position);
        }
        FeedPosition::Cursor(cursor) => {
            envelope::put(out, "{\"cursor\":");
            envelope::json(out, cursor);
        }
    }
    envelope::put(out, ",\"record\":");
    envelope::json(out, &entry.record);
    envelope::put(out, ",\"domain\":");
    envelope::json(out, entry.domain.as_str());
    envelope::put(out, ",\"kind\":");
    let change = match &entry.content {
        FeedContent::Withdrawn => {
            envelope::put(out, "\"withdrawn\"}");
            return;
        }
        FeedContent::Change(change) => change,
    };
    envelope::json(out, change.kind);
    envelope::put(out, ",\"version\":");
    envelope::json(out, &change.version);
    envelope::put(out, ",\"recordedAt\":");
    envelope::json(out, &change.recorded_at);
    envelope::put(out, ",\"transaction\":");
    envelope::json(out, &change.transaction);
    envelope::put(out, ",\"changeKind\":");
    envelope::json(out, change.change_kind.as_str());
    if let Some(corrects) = change.corrects {
        envelope::put(out, ",\"corrects\":");
        envelope::json(out, &corrects);
    }
    if let Some(touched) = &change.touched {
        envelope::put(out, ",");
        envelope::period(out, touched);
    }
    if let Some(states) = &change.states {
        for (name, text) in [
            ("actor", &states.actor),
            ("reason", &states.reason),
            ("source", &states.source),
        ] {
            if let Some(text) = text {
                envelope::put(out, ",");
                envelope::json(out, name);
                envelope::put(out, ":");
                envelope::json(out, text);
            }
        }
        envelope::put(out, ",\"states\":");
        envelope::list(out, &states.states, |out, state| {
            envelope::put(out, "{");
            envelope::period(out, &state.period);
            envelope::put(out, ",\"model\":");
            envelope::json(out, &*state.model);
            envelope::put(out, ",\"data\":");
            envelope::put(out, &state.data);
            envelope::put(out, "}");
        });
        if let Some(proof) = &states.proof {
            envelope::put(out, ",\"proof\":");
            envelope::json(out, proof);
        }
    }
    if let Some(copy) = &change.copy {
        envelope::put(out, ",\"copy\":");
        copied(out, copy);
    }
    envelope::put(out, "}");
}

/// Appends that a record is to be read anew as JSON on one line, without a line break. It has no place in the log.
pub fn written_reread(out: &mut Vec<u8>, reread: &Reread) {
    envelope::put(out, "{\"kind\":\"re-read\",\"record\":");
    envelope::json(out, &reread.record);
    envelope::put(out, ",\"domain\":");
    envelope::json(out, reread.domain.as_str());
    envelope::put(out, "}");
}

/// What a copy needs beside the states.
fn copied(out: &mut Vec<u8>, copy: &FeedCopy) {
    envelope::put(out, "{\"controller\":");
    envelope::json(out, &copy.controller);
    if let Some(origin) = &copy.origin {
        // JSON as it is stored.
        envelope::put(out, ",\"origin\":");
        envelope::put(out, origin);
    }
    if let Some(into) = &copy.forward_to {
        envelope::put(out, ",\"forwardTo\":");
        envelope::json(out, into);
    }
    if copy.erased {
        envelope::put(out, ",\"erased\":true");
    }
    if let Some(hash) = &copy.hash {
        envelope::put(out, ",\"hash\":");
        envelope::json(out, &hex(hash));
    }
    if let Some(leaf) = &copy.leaf {
        envelope::put(out, ",\"leaf\":");
        envelope::json(out, &hex(&leaf.0));
    }
    if let Some(opening) = &copy.opening {
        envelope::put(out, ",\"opening\":");
        envelope::json(out, &hex(&opening.to_bytes()));
    }
    if !copy.geometries.is_empty() {
        envelope::put(out, ",\"geometries\":");
        envelope::list(out, &copy.geometries, |out, (hash, body)| {
            envelope::put(out, "{\"hash\":");
            envelope::json(out, hash);
            envelope::put(out, ",\"body\":");
            // A text: its bytes are what the hash is of.
            envelope::json(out, body);
            envelope::put(out, "}");
        });
    }
    envelope::put(out, "}");
}
