//! Loads: a file becomes a plan, the plan is looked at, approved and applied, and may be taken back.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::NaiveDate;
use grunddata_model::OwnerKey;
use grunddata_registry::{Action, Load, LoadKind, LoadPace, LoadStatus, LoadTaskKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::page;
use super::sources::{given, owner_of, owners};
use crate::access::{Authorised, Feed};
use crate::call::Call;
use crate::fields::Fields;
use crate::links::Link;
use crate::loads::collect::note_failure;
use crate::loads::uploads::{self, Received};
use crate::loads::{self, Delivery, Run, Wanted};
use crate::parameters::{self, Parameters};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// How long an answer waits for the work, where the request says nothing (`Prefer: wait`, RFC 7240).
const WAIT: u64 = 10;
/// The longest that it waits.
const LONGEST_WAIT: u64 = 60;

/// `POST /sources/{source}/loads`
pub(crate) async fn create(caller: Authorised<Feed>, mut call: Call) -> Reply {
    let wish = Wish::read(&call.query()?)?;
    let source = call.path("source").to_owned();
    let wait = wait(&call);
    let received = match wish.upload {
        Some(id) => {
            let (app, client) = (call.app.clone(), caller.context().actor.client.clone());
            let source = source.clone();
            call.app
                .pool
                .run(move || {
                    let (upload, _) = app.uploads.find(id, &client)?;
                    if upload.source != source {
                        return Err(Problem::new(
                            "unknown-upload",
                            "The upload was begun for another source.",
                        ));
                    }
                    let file = app.uploads.take(&upload)?;
                    Ok((file, Some(upload)))
                })
                .await?
        }
        None => {
            let payload = call.payload()?;
            let idle = call.app.config.limits.request_timeout;
            let headers = call.http.headers();
            let file = call.app.uploads.whole(headers, payload, idle).await?;
            (file, None)
        }
    };
    let (file, upload) = received;
    let name = upload
        .as_ref()
        .map_or(wish.name.clone(), |upload| upload.name.clone());
    let worker = caller.clone();
    let begun = {
        let owner = upload.as_ref().map(|upload| upload.owner.clone());
        let sha256 = upload.and_then(|upload| upload.sha256);
        let (kind, app) = (wish.kind, call.app.clone());
        call.app
            .pool
            .run(move || {
                let owner = owner_of(&caller, owner.or(wish.owner), Action::Load)?;
                let wanted = Wanted {
                    owner: owner.clone(),
                    source,
                    kind,
                    reference_date: wish.reference_date,
                    replace: wish.replace,
                };
                let mut file = checked(file, sha256)?;
                let delivery = Delivery {
                    path: file.path.clone(),
                    name,
                    date: wish.date,
                    sha256: file.sha256.clone(),
                    collected: None,
                };
                let (registry, context) = (caller.registry(), caller.context());
                let mut planning =
                    loads::begin(registry, context, &wanted, delivery).map_err(refused)?;
                // From here on another process may take it up.
                let id = planning.id();
                file.keep(&app.uploads.kept(id));
                planning.moved(file.path.clone());
                let going = app
                    .worker
                    .take(registry, context, &owner, id, LoadTaskKind::Plan)
                    .map_err(refused)?;
                Ok((owner, planning, file, going))
            })
            .await?
    };
    let (owner, planning, file, going) = begun;
    let (id, app) = (planning.id(), call.app.clone());
    let work = move || {
        let run = planning
            .run_until(&mut |_| {}, app.worker.stopping())
            .map_err(refused);
        match run {
            Ok(Run::Left) => {
                file.leave();
                going.leave();
                Err(Problem::new(
                    "busy",
                    "The server is stopping. The plan is made when it runs again: read the load then.",
                ))
            }
            // The plan holds all of the file, or nothing comes of it.
            Ok(Run::Done(load)) => Ok(*load),
            Err(problem) => Err(problem),
        }
    };
    let done = in_background(&call, wait, work).await?;
    match done {
        Some(load) => answered(&call, StatusCode::CREATED, &load),
        None => underway(&call, worker, &owner, id).await,
    }
}

/// A file whose checksum was told when its upload was begun.
fn checked(mut file: Received, sha256: Option<String>) -> Result<Received, Problem> {
    if let Some(wanted) = sha256 {
        let found = loads::sha256(&file.path).map_err(refused)?;
        if found != wanted {
            return Err(uploads::mismatch());
        }
        file.sha256 = Some(found);
    }
    Ok(file)
}

/// What the query of a load says.
struct Wish {
    owner: Option<OwnerKey>,
    kind: LoadKind,
    name: String,
    date: Option<NaiveDate>,
    reference_date: Option<NaiveDate>,
    replace: bool,
    upload: Option<Uuid>,
}

impl Wish {
    fn read(parameters: &Parameters<'_>) -> Result<Self, Problem> {
        let kind = match parameters.get("kind") {
            Some("full") => LoadKind::Full,
            Some("delta") => LoadKind::Delta,
            other => {
                return Err(parameters::invalid(
                    "kind",
                    other.unwrap_or_default(),
                    "full (what is missing has ended) or delta (what has changed)",
                ));
            }
        };
        let name = parameters.get("name").unwrap_or("file");
        if name.is_empty() || name.chars().count() > 200 || name.contains(['/', '\\', '\n']) {
            return Err(parameters::invalid(
                "name",
                name,
                "the name of a file without folders, of at most 200 characters",
            ));
        }
        Ok(Self {
            owner: given(parameters)?,
            kind,
            name: name.to_owned(),
            date: parameters.read("date", "a date, such as 2026-11-21")?,
            reference_date: parameters.read("referenceDate", "a date, such as 2026-11-21")?,
            replace: parameters
                .read::<bool>("replace", "true or false")?
                .unwrap_or(false),
            upload: parameters.read("upload", "the id of an upload")?,
        })
    }
}

/// `GET /sources/{source}/loads`
pub(crate) async fn list(caller: Authorised<Feed>, call: Call) -> Reply {
    let parameters = call.query()?;
    let (given, key) = (given(&parameters)?, call.path("source").to_owned());
    let limit = page::limit(&parameters)?;
    let before: Option<Uuid> = parameters.read("before", "the id of a load")?;
    let api = call.base().api();
    let found = call
        .app
        .pool
        .run(move || {
            let owner = owner_of(&caller, given, Action::Load)?;
            let (registry, context) = (caller.registry(), caller.context());
            // A source that is not there has no loads, and says so.
            registry.source(context, &owner, &key).map_err(refused)?;
            registry
                .loads(context, &owner, Some(&key), before, limit)
                .map_err(refused)
        })
        .await?;
    let mut links = vec![page::this(&call)];
    if let Some(next) = found.next {
        let changed = [("before", Some(next.to_string()))];
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &changed),
        ));
    }
    let items: Vec<Value> = found.items.iter().map(|load| shown(load, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"_meta": {"limit": limit, "count": items.len()}, "_links": links, "items": items}),
    ))
}

/// `GET /loads/{load}`
pub(crate) async fn get(caller: Authorised<Feed>, call: Call) -> Reply {
    let (given, id) = (given(&call.query()?)?, load_id(&call)?);
    let load = call
        .app
        .pool
        .run(move || find(&caller, given, id).map(|(_, load)| load))
        .await?;
    answered(&call, StatusCode::OK, &load)
}

/// A load and its owner: the one in the query, or whichever of the caller's has it.
pub(super) fn find(
    caller: &Authorised<Feed>,
    given: Option<OwnerKey>,
    id: Uuid,
) -> Result<(OwnerKey, Load), Problem> {
    let owners = match given {
        Some(owner) => vec![owner],
        None => owners(caller, Action::Load)?,
    };
    let mut last = None;
    for owner in owners {
        match caller.registry().load(caller.context(), &owner, id) {
            Ok(load) => return Ok((owner, load)),
            Err(refusal) => last = Some(refusal),
        }
    }
    Err(last.map_or_else(
        || Problem::new("unknown-load", format!("There is no load {id}.")),
        refused,
    ))
}

pub(super) fn load_id(call: &Call) -> Result<Uuid, Problem> {
    let text = call.path("load");
    text.parse()
        .map_err(|_| parameters::invalid("load", text, "the id of a load"))
}

/// `POST /loads/{load}/approval`
pub(crate) async fn approve(caller: Authorised<Feed>, mut call: Call) -> Reply {
    let reason = reason(&mut call).await?;
    act(caller, call, move |caller, owner, id| {
        caller
            .registry()
            .approve_load(caller.context(), owner, id, reason)
    })
    .await
}

/// `POST /loads/{load}/cancellation`
pub(crate) async fn cancel(caller: Authorised<Feed>, mut call: Call) -> Reply {
    let reason = reason(&mut call).await?;
    act(caller, call, move |caller, owner, id| {
        caller
            .registry()
            .cancel_load(caller.context(), owner, id, reason)
    })
    .await
}

/// `POST /loads/{load}/overrides`
pub(crate) async fn override_guards(caller: Authorised<Feed>, mut call: Call) -> Reply {
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["guards", "reason"])?;
    let names: Vec<String> = fields
        .list("guards")
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        fields.reject(
            "guards",
            "required-property",
            "Name the guards that are overridden: {\"guards\": [\"ends\"]}. The load lists those that have stopped it.".to_owned(),
            "Namnge spärrarna som åsidosätts.".to_owned(),
        );
    }
    let reason = fields.text("reason").unwrap_or_default();
    if reason.is_empty() {
        fields.reject(
            "reason",
            "required-property",
            "Say why: it is kept with the load.".to_owned(),
            "Ange varför: det sparas med inläsningen.".to_owned(),
        );
    }
    fields.finish()?;
    act(caller, call, move |caller, owner, id| {
        caller
            .registry()
            .override_guards(caller.context(), owner, id, &names, &reason)
    })
    .await
}

/// `POST /loads/{load}/application`
pub(crate) async fn apply(caller: Authorised<Feed>, call: Call) -> Reply {
    let (given, id) = (given(&call.query()?)?, load_id(&call)?);
    let wait = wait(&call);
    let worker = caller.clone();
    let app = call.app.clone();
    // The first batch at once: what cannot be applied is told to whoever asks, and not to the background. That it goes on is
    // noted before, so that another process takes it up wherever this one ends.
    let (owner, finished, going) = call
        .app
        .loading
        .run(move || {
            let (owner, load) = find(&caller, given, id)?;
            let (registry, context) = (caller.registry(), caller.context());
            let going = match load.status {
                LoadStatus::Planned | LoadStatus::Applying => Some(
                    app.worker
                        .take(registry, context, &owner, id, LoadTaskKind::Apply)
                        .map_err(refused)?,
                ),
                _ => None,
            };
            let progress = registry
                .apply_load(context, &owner, load.id, &mut LoadPace::default())
                .map_err(refused)?;
            let finished = progress.finished || progress.status != LoadStatus::Applying;
            Ok((owner, finished, going))
        })
        .await?;
    let (applier, of, app) = (worker.clone(), owner.clone(), call.app.clone());
    let work = move || {
        let (registry, context) = (applier.registry(), applier.context());
        if !finished {
            let stopping = app.worker.stopping();
            let progress = loads::apply_until(registry, context, &of, id, &mut |_| {}, stopping)
                .inspect_err(|refusal| {
                    note_failure(registry, context, &of, id, refusal);
                })
                .map_err(refused)?;
            if !progress.finished
                && progress.status == LoadStatus::Applying
                && let Some(going) = going
            {
                going.leave();
            }
        }
        registry.load(context, &of, id).map_err(refused)
    };
    match in_background(&call, wait, work).await? {
        Some(load) => answered(&call, StatusCode::OK, &load),
        None => underway(&call, worker, &owner, id).await,
    }
}

/// `POST /loads/{load}/reversal`
pub(crate) async fn reverse(caller: Authorised<Feed>, call: Call) -> Reply {
    let (given, id) = (given(&call.query()?)?, load_id(&call)?);
    let load = call
        .app
        .loading
        .run(move || {
            let (owner, _) = find(&caller, given, id)?;
            caller
                .registry()
                .plan_reversal(caller.context(), &owner, id)
                .map_err(refused)
        })
        .await?;
    answered(&call, StatusCode::CREATED, &load)
}

/// `GET /loads/{load}/findings`
pub(crate) async fn findings(caller: Authorised<Feed>, call: Call) -> Reply {
    let parameters = call.query()?;
    let (given, id) = (given(&parameters)?, load_id(&call)?);
    let limit = page::limit(&parameters)?;
    let after = parameters
        .read::<u32>("afterBatch", "the number of a batch")?
        .unwrap_or(0);
    let (found, batches) = call
        .app
        .pool
        .run(move || {
            let (owner, load) = find(&caller, given, id)?;
            let found = caller
                .registry()
                .load_findings(caller.context(), &owner, id, after, limit)
                .map_err(refused)?;
            Ok((found, load.batches))
        })
        .await?;
    let mut links = vec![page::this(&call)];
    let next = after.saturating_add(limit);
    if next < batches {
        let changed = [("afterBatch", Some(next.to_string()))];
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &changed),
        ));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({"_meta": {"limit": limit, "count": found.len()}, "_links": links, "items": found}),
    ))
}

/// What is done to a load as a whole.
async fn act(
    caller: Authorised<Feed>,
    call: Call,
    work: impl FnOnce(&Authorised<Feed>, &OwnerKey, Uuid) -> Result<Load, grunddata_registry::Refusal>
    + Send
    + 'static,
) -> Reply {
    let (given, id) = (given(&call.query()?)?, load_id(&call)?);
    let load = call
        .app
        .pool
        .run(move || {
            let (owner, _) = find(&caller, given, id)?;
            work(&caller, &owner, id).map_err(refused)
        })
        .await?;
    answered(&call, StatusCode::OK, &load)
}

/// `reason` of a body that may be left out.
async fn reason(call: &mut Call) -> Result<Option<String>, Problem> {
    if call.header("content-type").is_none() {
        return Ok(None);
    }
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["reason"])?;
    let reason = fields.text("reason");
    fields.finish()?;
    Ok(reason)
}

/// How long the caller wants to wait.
fn wait(call: &Call) -> Duration {
    let preferred = call
        .http
        .headers()
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .find_map(|part| part.trim().strip_prefix("wait=")?.trim().parse().ok());
    Duration::from_secs(preferred.unwrap_or(WAIT).min(LONGEST_WAIT))
}

/// Does long work on a thread of its own kind, and waits for it for a while: `None` when it goes on without the caller.
async fn in_background<T: Send + 'static>(
    call: &Call,
    wait: Duration,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<Option<T>, Problem> {
    let loading = call.app.loading.clone();
    // A task of its own: it ends when the work does, whoever has gone meanwhile.
    let task = actix_web::rt::spawn(async move {
        let done = loading.run_anyway(work).await;
        if let Err(problem) = &done {
            tracing::warn!(
                code = problem.kind.code,
                cause = problem.cause,
                "a load did not come to its end"
            );
        }
        done
    });
    match tokio::time::timeout(wait, task).await {
        Err(_) => Ok(None),
        Ok(Ok(done)) => done.map(Some),
        Ok(Err(error)) => Err(Problem::internal(error.to_string())),
    }
}

/// The load as it is now, while it is worked on.
async fn underway(call: &Call, caller: Authorised<Feed>, owner: &OwnerKey, id: Uuid) -> Reply {
    let owner = owner.clone();
    let load = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .load(caller.context(), &owner, id)
                .map_err(refused)
        })
        .await?;
    answered(call, StatusCode::ACCEPTED, &load)
}

fn answered(call: &Call, status: StatusCode, load: &Load) -> Result<HttpResponse, Problem> {
    let api = call.base().api();
    let mut response = reply::value(status, &shown(load, &api));
    if status != StatusCode::OK {
        let address = address(load, &api);
        if let Ok(address) = header::HeaderValue::from_str(&address) {
            response.headers_mut().insert(header::LOCATION, address);
        }
    }
    Ok(response)
}

fn address(load: &Load, api: &str) -> String {
    format!("{api}/loads/{}?owner={}", load.id, load.owner)
}

/// A load with what can be done with it now.
fn shown(load: &Load, api: &str) -> Value {
    let mut value = serde_json::to_value(load).unwrap_or_default();
    let below = |name: &str| format!("{api}/loads/{}/{name}?owner={}", load.id, load.owner);
    let post = |rel: &'static str, name: &str| Link {
        method: "POST",
        ..Link::get(rel, below(name))
    };
    let mut links = vec![
        Link::get("self", address(load, api)),
        Link::get("rows", below("rows")),
        Link::get("findings", below("findings")),
        Link::get(
            "source",
            format!("{api}/sources/{}?owner={}", load.source, load.owner),
        ),
    ];
    let waits = load.needs_approval && load.approved.is_none();
    match load.status {
        LoadStatus::Planned if waits => links.push(post("approval", "approval")),
        LoadStatus::Planned | LoadStatus::Applying => {
            links.push(post("application", "application"));
        }
        LoadStatus::Stopped => links.push(post("overrides", "overrides")),
        LoadStatus::Applied if load.kind != LoadKind::Reversal => {
            links.push(post("reversal", "reversal"));
        }
        _ => {}
    }
    let open = matches!(
        load.status,
        LoadStatus::Planning | LoadStatus::Planned | LoadStatus::Stopped | LoadStatus::Applying
    );
    if open {
        links.push(post("cancellation", "cancellation"));
    }
    reply::set(&mut value, "_links", json!(links));
    value
}
