//! Handlers and their permissions. The permission is read off the handler's argument, so a table cannot claim another.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::web::Payload;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, Route, web};
use tracing::Instrument as _;

use crate::access::{Access, Admin, Admission, Audit, Authorised, Feed, Permission, Read, Write};
use crate::app::App;
use crate::call::Call;
use crate::problem::Problem;
use crate::rate::Allowance;
use crate::reply::{Reply, finish};
use crate::trace_context::Trace;
use crate::visit::Visit;

type Attach = Box<dyn Fn(Arc<App>, usize) -> Route + Send + Sync>;

/// A handler with its permission.
pub struct Binding {
    /// What its caller must be allowed.
    pub access: Access,
    attach: Attach,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl Binding {
    pub(crate) fn route(&self, app: &Arc<App>, operation: usize) -> Route {
        (self.attach)(Arc::clone(app), operation)
    }
}

/// A handler that needs a permission. What it shows of personal data, and what it administers, is logged before the answer
/// goes out.
fn guarded<P, F, Fut>(handler: F) -> Binding
where
    P: Permission,
    F: Fn(Authorised<P>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    bind(P::ACCESS, move |call, trace| async move {
        let caller = admit::<P>(&call, trace).await?;
        let app = Arc::clone(&call.app);
        let visit = Visit::of(caller.context(), &call);
        visit.begin(&app).await?;
        let begun = Instant::now();
        let reply = handler(caller, call).await;
        let reply = visit.log(&app, reply).await;
        if reply.is_err() {
            unhurried(begun, app.config.limits.refusal_step).await;
        }
        reply
    })
}

/// Waits for the next multiple of the step since the beginning. The runtime's own timer counts milliseconds from when it is
/// asked, which would tell by how much the work took; this one is set to the nanosecond itself.
async fn unhurried(begun: Instant, step: Duration) {
    let past = begun.elapsed().as_nanos().checked_div(step.as_nanos());
    let steps = past.and_then(|past| u32::try_from(past).ok());
    let due = steps
        .and_then(|steps| step.checked_mul(steps.saturating_add(1)))
        .and_then(|whole| begun.checked_add(whole));
    if let Some(due) = due {
        async_io::Timer::at(due).await;
    }
}

/// A handler for readers.
pub(crate) fn read<F, Fut>(handler: F) -> Binding
where
    F: Fn(Authorised<Read>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    guarded::<Read, F, Fut>(handler)
}

/// A handler for writers.
pub(crate) fn write<F, Fut>(handler: F) -> Binding
where
    F: Fn(Authorised<Write>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    guarded::<Write, F, Fut>(handler)
}

/// A handler for whoever applies loads.
pub(crate) fn feed<F, Fut>(handler: F) -> Binding
where
    F: Fn(Authorised<Feed>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    guarded::<Feed, F, Fut>(handler)
}

/// A handler for administrators.
pub(crate) fn admin<F, Fut>(handler: F) -> Binding
where
    F: Fn(Authorised<Admin>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    guarded::<Admin, F, Fut>(handler)
}

/// A handler that shows nothing of the records.
pub(crate) fn public<F, Fut>(handler: F) -> Binding
where
    F: Fn(Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    bind(Access::Public, move |call, _| handler(call))
}

/// A handler for auditors.
pub(crate) fn audit<F, Fut>(handler: F) -> Binding
where
    F: Fn(Authorised<Audit>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    guarded::<Audit, F, Fut>(handler)
}

/// Admits the caller, and charges the request to its token instead of its address.
async fn admit<P: Permission>(call: &Call, trace: Trace) -> Result<Authorised<P>, Problem> {
    let caller = admitted::<P>(&call.app, &call.http, trace.request_id()).await?;
    let actor = &caller.context().actor;
    if let Some(rate) = &call.app.rate
        && !actor.is_anonymous()
    {
        let allowance = rate.charge_token(&call.http, &call.app.config, &actor.client);
        call.http.extensions_mut().insert(allowance);
        allowance.check()?;
    }
    Ok(caller)
}

/// The caller of an answer that has begun, as it may be let in now.
pub(crate) async fn readmit<P: Permission>(
    app: &Arc<App>,
    http: &HttpRequest,
) -> Result<Authorised<P>, Problem> {
    admitted::<P>(app, http, uuid::Uuid::nil()).await
}

/// Who asks, with the keys of the token's issuer where they must be fetched first.
async fn admitted<P: Permission>(
    app: &Arc<App>,
    http: &HttpRequest,
    request_id: uuid::Uuid,
) -> Result<Authorised<P>, Problem> {
    let ask = || app.vault.admit::<P>(http, &app.config, request_id);
    let fetch = match ask()? {
        Admission::Admitted(caller) => return Ok(*caller),
        Admission::NeedsFetch(fetch) => fetch,
    };
    let fetching = Arc::clone(app);
    app.pool
        .run(move || {
            fetching.vault.fetch(&fetch);
            Ok(())
        })
        .await?;
    match ask()? {
        Admission::Admitted(caller) => Ok(*caller),
        Admission::NeedsFetch(_) => Err(Problem::new(
            "issuer-unreachable",
            "The keys of the token's issuer cannot be had just now. Try again after the seconds in Retry-After.",
        )),
    }
}

/// A handler of a page that everybody may open and that shows more to those who hold a permission.
pub(crate) fn visitor<P, F, Fut>(handler: F) -> Binding
where
    P: Permission,
    F: Fn(Option<Authorised<P>>, Call) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    bind(Access::Public, move |call, trace| async move {
        let caller = match admit::<P>(&call, trace).await {
            Ok(caller) => Some(caller),
            Err(problem) if problem.kind.status == 429 => return Err(problem),
            Err(_) => None,
        };
        let app = Arc::clone(&call.app);
        let visit = caller
            .as_ref()
            .map(|caller| Visit::of(caller.context(), &call));
        let reply = handler(caller, call).await;
        match visit {
            Some(visit) => visit.log(&app, reply).await,
            None => reply,
        }
    })
}

fn bind<F, Fut>(access: Access, work: F) -> Binding
where
    F: Fn(Call, Trace) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply> + 'static,
{
    Binding {
        access,
        attach: Box::new(move |app, operation| {
            web::route().to(move |http: HttpRequest, payload: Payload| {
                serve(Arc::clone(&app), operation, http, payload, work)
            })
        }),
    }
}

/// One request from its first byte to its answer.
async fn serve<Fut: Future<Output = Reply>>(
    app: Arc<App>,
    operation: usize,
    http: HttpRequest,
    payload: Payload,
    work: impl FnOnce(Call, Trace) -> Fut,
) -> HttpResponse {
    let started = Instant::now();
    let trace = Trace::of(http.headers());
    let name = app
        .operations
        .get(operation)
        .map_or("", |operation| operation.id);
    // A read is one line only at debug: at tens of thousands a second the log would cost more than the reads.
    let quiet = matches!(*http.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let span = if quiet {
        tracing::debug_span!("request", operation = name, request_id = %trace.request_id())
    } else {
        tracing::info_span!("request", operation = name, request_id = %trace.request_id())
    };
    let call = Call::new(http.clone(), payload, Arc::clone(&app), operation);
    let allowance = app
        .rate
        .as_ref()
        .map(|rate| (rate, rate.take(&http, &app.config)));
    let response = async {
        let admitted = allowance
            .map_or(Ok(()), |(_, allowance)| allowance.check())
            .and_then(|()| call.screen());
        let reply = match admitted {
            Ok(()) => work(call, trace).await,
            Err(problem) => Err(problem),
        };
        let mut response = finish(&app, &http, trace, reply).await;
        if let Some((rate, allowance)) = allowance {
            let allowance = http
                .extensions()
                .get::<Allowance>()
                .copied()
                .unwrap_or(allowance);
            for (name, value) in rate.headers(allowance) {
                if let Some(value) = value {
                    response.headers_mut().insert(name, value);
                }
            }
        }
        response
    }
    .instrument(span.clone())
    .await;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics.observe(operation, status, took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        if quiet {
            tracing::debug!(status, micros, "answered");
        } else {
            tracing::info!(status, micros, "answered");
        }
    });
    response
}
