//! Subscriptions: made, changed, paused, begun again, removed; and what was sent.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::OwnerKey;
use grunddata_registry::{
    FeedPosition, NewSubscription, SecretRotation, SentDelivery, Subscription, SubscriptionEdit,
    SubscriptionSettings,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::changes::place;
use super::{page, sources};
use crate::access::{Authorised, Read};
use crate::call::Call;
use crate::etag;
use crate::fields::{Fields, fault};
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// Whoever has no token has no subscriptions either.
fn known(caller: &Authorised<Read>) -> Result<(), Problem> {
    if caller.context().actor.is_anonymous() {
        return Err(Problem::new(
            "unauthenticated",
            "A subscription has somebody's access: send a token.",
        ));
    }
    Ok(())
}

fn id(call: &Call) -> Result<Uuid, Problem> {
    let text = call.path("subscription");
    let parsed = (text.len() == 36).then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| {
        Problem::new(
            "invalid-id",
            "The id of a subscription is a UUID: take it from GET /subscriptions.",
        )
    })
}

/// `GET /subscriptions`
pub(crate) async fn list(caller: Authorised<Read>, call: Call) -> Reply {
    known(&caller)?;
    let given = sources::given(&call.query()?)?;
    let api = call.base().api();
    let now = caller.context().now;
    let found = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .subscriptions(caller.context(), given.as_ref())
                .map_err(refused)
        })
        .await?;
    let items: Vec<Value> = found.iter().map(|one| shown(one, &api, now)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// What the body of a new subscription says beside its settings.
struct Beside {
    owner: Option<OwnerKey>,
    after: Option<String>,
    faults: Vec<Value>,
}

fn beside(members: &mut Map<String, Value>) -> Beside {
    let mut faults = Vec::new();
    let owner = match members.remove("owner") {
        Some(Value::String(text)) => OwnerKey::new(&text).ok(),
        _ => None,
    };
    if owner.is_none() {
        faults.push(fault(
            "/owner",
            "invalid-settings",
            "owner is missing or is no key of an owner: say whose log is sent, such as se-2480."
                .to_owned(),
            "owner saknas eller är ingen nyckel: ange vems logg som ska skickas.".to_owned(),
        ));
    }
    let after = match members.remove("after") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => {
            faults.push(fault(
                "/after",
                "invalid-settings",
                "after is 0, now, or a place that the feed has given.".to_owned(),
                "after är 0, now eller en plats som flödet har gett.".to_owned(),
            ));
            None
        }
    };
    Beside {
        owner,
        after,
        faults,
    }
}

/// `POST /subscriptions`
pub(crate) async fn create(caller: Authorised<Read>, mut call: Call) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let (mut body, _) = call.json().await?;
    let beside = match body.as_object_mut() {
        Some(members) => beside(members),
        None => Beside {
            owner: None,
            after: None,
            faults: Vec::new(),
        },
    };
    let sending = &call.app.config.subscriptions;
    let settings = SubscriptionSettings::read(body, |target| sending.fault(target));
    let (settings, owner) = match (settings, beside.owner) {
        (Ok(settings), Some(owner)) if beside.faults.is_empty() => (settings, owner),
        (settings, _) => {
            let mut problem = match settings {
                Err(refusal) => refused(refusal),
                Ok(_) => Problem::new(
                    "invalid-settings",
                    "The subscription is wrong; errors lists every place.",
                ),
            };
            problem.errors.extend(beside.faults);
            return Err(problem);
        }
    };
    let new = NewSubscription {
        owner,
        settings,
        after: beside.after,
        reader: caller.as_reader(),
    };
    let now = caller.context().now;
    let (made, secret) = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .create_subscription(caller.context(), new)
                .map_err(refused)
        })
        .await?;
    call.app.hooks.nudge.notify_one();
    let api = call.base().api();
    let mut body = shown(&made, &api, now);
    reply::set(&mut body, "secret", secret);
    let mut response = never_kept(tagged(StatusCode::CREATED, &made, &body));
    let address = header::HeaderValue::from_str(&address(&made, &api));
    if let Ok(address) = address {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

/// `GET /subscriptions/{subscription}`
pub(crate) async fn get(caller: Authorised<Read>, call: Call) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let id = id(&call)?;
    let now = caller.context().now;
    let (found, after) = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            let found = registry.subscription(context, id).map_err(refused)?;
            let after = registry.subscription_place(context, &found);
            Ok((found, after))
        })
        .await?;
    let mut body = shown(&found, &call.base().api(), now);
    if let Some(after) = after {
        reply::set(&mut body, "after", place(&after));
    }
    Ok(tagged(StatusCode::OK, &found, &body))
}

/// `PUT /subscriptions/{subscription}`
pub(crate) async fn put(caller: Authorised<Read>, mut call: Call) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let (body, _) = call.json().await?;
    let sending = &call.app.config.subscriptions;
    let settings = SubscriptionSettings::read(body, |target| sending.fault(target));
    let settings = Box::new(settings.map_err(refused)?);
    edit(
        caller,
        &call,
        SubscriptionEdit::Settings(settings),
        StatusCode::OK,
    )
    .await
}

/// `POST /subscriptions/{subscription}/pause`
pub(crate) async fn pause(caller: Authorised<Read>, call: Call) -> Reply {
    edit(caller, &call, SubscriptionEdit::Pause, StatusCode::OK).await
}

/// `POST /subscriptions/{subscription}/resume`
pub(crate) async fn resume(caller: Authorised<Read>, call: Call) -> Reply {
    edit(caller, &call, SubscriptionEdit::Resume, StatusCode::OK).await
}

/// `POST /subscriptions/{subscription}/replay`
pub(crate) async fn replay(caller: Authorised<Read>, mut call: Call) -> Reply {
    known(&caller)?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["after"])?;
    let after = match fields.required("after") {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => {
            fields.reject(
                "after",
                "wrong-type",
                "after is 0, now, or a place that the feed or a delivery has given.".to_owned(),
                "after är 0, now eller en plats som flödet eller en leverans har gett.".to_owned(),
            );
            String::new()
        }
    };
    fields.finish()?;
    edit(
        caller,
        &call,
        SubscriptionEdit::Replay(after),
        StatusCode::OK,
    )
    .await
}

/// `POST /subscriptions/{subscription}/deliveries/{number}/send-again`
pub(crate) async fn send_again(caller: Authorised<Read>, call: Call) -> Reply {
    known(&caller)?;
    let number = call.path("number").parse().map_err(|_| {
        Problem::new(
            "not-found",
            "There is no such delivery: GET the deliveries of the subscription for their numbers.",
        )
    })?;
    let edited = SubscriptionEdit::SendAgain(number);
    edit(caller, &call, edited, StatusCode::ACCEPTED).await
}

async fn edit(
    caller: Authorised<Read>,
    call: &Call,
    edit: SubscriptionEdit,
    status: StatusCode,
) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let id = id(call)?;
    let if_match = etag::if_match(call.http.headers())?;
    let now = caller.context().now;
    let changed = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .edit_subscription(caller.context(), id, if_match, edit)
                .map_err(refused)
        })
        .await?;
    call.app.hooks.nudge.notify_one();
    let body = shown(&changed, &call.base().api(), now);
    Ok(tagged(status, &changed, &body))
}

/// `POST /subscriptions/{subscription}/rotations`
pub(crate) async fn rotate(caller: Authorised<Read>, mut call: Call) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let id = id(&call)?;
    let if_match = etag::if_match(call.http.headers())?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["overlapDays"])?;
    let days = fields.number("overlapDays");
    fields.finish()?;
    let mut rotation = SecretRotation::default();
    if let Some(days) = days {
        rotation.overlap_days = u32::try_from(days).unwrap_or(u32::MAX);
    }
    let now = caller.context().now;
    let (changed, secret) = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .rotate_subscription_secret(caller.context(), id, if_match, rotation)
                .map_err(refused)
        })
        .await?;
    call.app.hooks.nudge.notify_one();
    let mut body = shown(&changed, &call.base().api(), now);
    reply::set(&mut body, "secret", secret);
    Ok(never_kept(tagged(StatusCode::CREATED, &changed, &body)))
}

/// `DELETE /subscriptions/{subscription}`
pub(crate) async fn remove(caller: Authorised<Read>, call: Call) -> Reply {
    known(&caller)?;
    call.no_query()?;
    let id = id(&call)?;
    let if_match = etag::if_match(call.http.headers())?;
    call.app
        .pool
        .run(move || {
            caller
                .registry()
                .remove_subscription(caller.context(), id, if_match)
                .map_err(refused)
        })
        .await?;
    call.app.hooks.nudge.notify_one();
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /subscriptions/{subscription}/deliveries`
pub(crate) async fn deliveries(caller: Authorised<Read>, call: Call) -> Reply {
    known(&caller)?;
    let id = id(&call)?;
    let parameters = call.query()?;
    let limit = page::limit(&parameters)?;
    let before = parameters.read::<u64>("before", "the number of a delivery")?;
    let (found, sent) = call
        .app
        .pool
        .run(move || {
            let (registry, context) = (caller.registry(), caller.context());
            let found = registry.subscription(context, id).map_err(refused)?;
            let sent = registry
                .sent_deliveries(context, &found, before, limit)
                .map_err(refused)?;
            Ok((found, sent))
        })
        .await?;
    let api = call.base().api();
    let below = format!("{}/deliveries", address(&found, &api));
    let items: Vec<Value> = sent.iter().map(|one| delivered(one, &below)).collect();
    let mut links = vec![page::this(&call)];
    if sent.len() == limit as usize
        && let Some(last) = sent.last()
    {
        let next = format!("{below}?limit={limit}&before={}", last.number);
        links.push(Link::get("next", next));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": links}),
    ))
}

fn delivered(sent: &SentDelivery, below: &str) -> Value {
    let at = |place_: &Option<FeedPosition>| place_.as_ref().map(place);
    let again = json!({"rel": "send-again", "href": format!("{below}/{}/send-again", sent.number), "method": "POST"});
    json!({
        "number": sent.number,
        "kind": sent.kind.as_str(),
        "sentAt": sent.sent_at,
        "againOf": sent.again_of,
        "from": at(&sent.from),
        "to": at(&sent.to),
        "entries": sent.entries,
        "status": sent.status,
        "milliseconds": sent.millis,
        "accepted": sent.failure.is_none(),
        "failure": sent.failure,
        "_links": if sent.entries > 0 { vec![again] } else { Vec::new() },
    })
}

fn address(subscription: &Subscription, api: &str) -> String {
    format!("{api}/subscriptions/{}", subscription.id)
}

fn shown(subscription: &Subscription, api: &str, now: grunddata_model::Instant) -> Value {
    let (settings, standing) = (&subscription.settings, &subscription.standing);
    let here = address(subscription, api);
    json!({
        "id": subscription.id,
        "owner": subscription.owner.as_str(),
        "version": subscription.version,
        "name": settings.name,
        "target": settings.target,
        "mode": settings.mode.as_str(),
        "content": if settings.states { "states" } else { "thin" },
        "domains": settings.domains.iter().map(|domain| domain.as_str()).collect::<Vec<_>>(),
        "kinds": settings.kinds,
        "record": settings.record,
        "controller": settings.controller,
        "silentAfterHours": settings.silent_after_hours,
        "reader": subscription.reader.name,
        "state": standing.state.as_str(),
        "reason": standing.reason,
        "silentSince": subscription.silent_since(now),
        "createdAt": subscription.created_at,
        "createdBy": subscription.created_by,
        "changedAt": subscription.changed_at,
        "verifiedAt": standing.verified_at,
        "ratePerMinute": standing.rate,
        "succeededAt": standing.succeeded_at,
        "failures": standing.failures,
        "failingSince": standing.failing_since,
        "failure": standing.failure,
        "nextTryAt": standing.next_at,
        "sendingAgain": standing.again,
        "formerSecretUntil": subscription.former_until().filter(|until| *until > now),
        "deliveries": subscription.deliveries,
        "_links": [Link::get("self", here.clone()), Link::get("deliveries", format!("{here}/deliveries")), Link::get("collection", format!("{api}/subscriptions"))],
    })
}

fn tagged(status: StatusCode, subscription: &Subscription, body: &Value) -> HttpResponse {
    let body = body.to_string().into_bytes();
    let tag = etag::tag(subscription.version, &body);
    let mut response = reply::json(status, body);
    if let Ok(tag) = header::HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn never_kept(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}
