//! Subscriptions.

use actix_web::http::Method;
use grunddata_access_log::Kind;

use super::parameter as p;
use super::table::FEED;
use super::{Operation, read};
use crate::body::JSON;
use crate::handlers::subscriptions;

const BODY: [&str; 8] = [
    "malformed-json",
    "missing-body",
    "invalid-body",
    "unsupported-media-type",
    "body-too-large",
    "too-deep",
    "nul-character",
    "request-timeout",
];
const OF_ONE: [&str; 3] = ["invalid-id", "not-found", "invalid-header"];
const CHANGED: [&str; 2] = ["precondition-failed", "subscription-state"];

fn one(method: Method, path: &'static str, id: &'static str, binding: super::Binding) -> Operation {
    Operation::new(method, path, id, binding)
        .tag(FEED)
        .logged_as(Kind::Administration)
        .takes(&[&p::SUBSCRIPTION])
        .problems(&OF_ONE)
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/subscriptions", "listSubscriptions", read(subscriptions::list))
            .tag(FEED)
            .logged_as(Kind::Administration)
            .summary("The subscriptions that you look after", "Prenumerationerna som du sköter")
            .text("Your own, and those of the owners that you administer as a whole. Never their secrets.", "Dina egna, och dem hos de informationsägare som du administrerar i sin helhet. Aldrig deras hemligheter.")
            .takes(&[&p::OWNER])
            .answers(200, "Subscriptions", "The subscriptions", "Prenumerationerna")
            .problems(&["invalid-parameter"]),
        Operation::post("/subscriptions", "createSubscription", read(subscriptions::create))
            .tag(FEED)
            .logged_as(Kind::Administration)
            .summary("Subscribe to an owner's log with a webhook", "Prenumerera på en informationsägares logg med en webhook")
            .text("Entries are sent as CloudEvents 1.0, signed as Standard Webhooks says, in their order, with your access as it is when they are sent. The target is asked with OPTIONS whether it wants them and must take a signed test event before anything is sent. The secret is shown once, in this answer.", "Händelser skickas som CloudEvents 1.0, signerade enligt Standard Webhooks, i sin ordning, med din behörighet så som den är när de skickas. Mottagaren tillfrågas med OPTIONS om den vill ha dem och måste ta emot en signerad provhändelse innan något skickas. Hemligheten visas en gång, i detta svar.")
            .body(JSON, "SubscriptionRequest")
            .answers(201, "NewSubscription", "Made: the subscription with its secret, with Location", "Upplagd: prenumerationen med sin hemlighet, med Location")
            .problems(&BODY)
            .problems(&["invalid-settings", "unknown-owner", "invalid-cursor", "access-changed", "too-many-items", "subscription-state"]),
        one(Method::GET, "/subscriptions/{subscription}", "getSubscription", read(subscriptions::get))
            .summary("One subscription", "En prenumeration")
            .text("What is said of it and how it stands.", "Vad som sägs om den och hur den står till.")
            .answers(200, "Subscription", "The subscription", "Prenumerationen"),
        one(Method::PUT, "/subscriptions/{subscription}", "putSubscription", read(subscriptions::put))
            .summary("Change a subscription", "Ändra en prenumeration")
            .text("Owner, reader and place in the log stay. A new target is asked anew before anything is sent there.", "Informationsägare, läsare och plats i loggen består. En ny mottagare tillfrågas innan något skickas dit.")
            .takes(&[&p::IF_MATCH])
            .body(JSON, "SubscriptionSettings")
            .answers(200, "Subscription", "Changed: the subscription", "Ändrad: prenumerationen")
            .problems(&BODY)
            .problems(&["invalid-settings", "precondition-required", "precondition-failed"]),
        one(Method::DELETE, "/subscriptions/{subscription}", "removeSubscription", read(subscriptions::remove))
            .summary("Remove a subscription", "Ta bort en prenumeration")
            .text("With what is kept of its deliveries.", "Med det som sparats om dess leveranser.")
            .takes(&[&p::IF_MATCH])
            .answers_empty(204, "Removed", "Borttagen")
            .problems(&["precondition-failed"]),
        one(Method::POST, "/subscriptions/{subscription}/pause", "pauseSubscription", read(subscriptions::pause))
            .summary("Pause a subscription", "Pausa en prenumeration")
            .text("Nothing is sent until it is resumed; then it goes on where it was.", "Inget skickas förrän den återupptas; då fortsätter den där den var.")
            .takes(&[&p::IF_MATCH])
            .answers(200, "Subscription", "The subscription", "Prenumerationen")
            .problems(&CHANGED),
        one(Method::POST, "/subscriptions/{subscription}/resume", "resumeSubscription", read(subscriptions::resume))
            .summary("Resume a subscription", "Återuppta en prenumeration")
            .text("At once, also where it waits after failures. One that was stopped is verified anew.", "Genast, även om den väntar efter misslyckanden. En som stoppats prövas på nytt.")
            .takes(&[&p::IF_MATCH])
            .answers(200, "Subscription", "The subscription", "Prenumerationen")
            .problems(&CHANGED),
        one(Method::POST, "/subscriptions/{subscription}/rotations", "rotateSubscriptionSecret", read(subscriptions::rotate))
            .summary("Give a subscription a new secret", "Byt hemlighet på en prenumeration")
            .text("Shown once, in this answer. For overlapDays (7 unless something else is said, at most 90) deliveries carry the signatures of both.", "Visas en gång, i detta svar. Under overlapDays (7 om inget annat sägs, högst 90) bär leveranserna bådas signaturer.")
            .takes(&[&p::IF_MATCH])
            .body(JSON, "SecretRotation")
            .answers(201, "NewSubscription", "The subscription with its new secret", "Prenumerationen med sin nya hemlighet")
            .problems(&BODY)
            .problems(&["invalid-parameter", "precondition-failed"]),
        one(Method::POST, "/subscriptions/{subscription}/replay", "replaySubscription", read(subscriptions::replay))
            .summary("Send again what comes after a place", "Skicka om det som kommer efter en plats")
            .text("after is 0, now, or a place that the feed or a delivery has given. Events have the same id as before.", "after är 0, now eller en plats som flödet eller en leverans har gett. Händelserna har samma id som tidigare.")
            .takes(&[&p::IF_MATCH])
            .body(JSON, "Replay")
            .answers(200, "Subscription", "The subscription", "Prenumerationen")
            .problems(&BODY)
            .problems(&CHANGED)
            .problems(&["invalid-cursor", "access-changed", "forbidden"]),
        one(Method::GET, "/subscriptions/{subscription}/deliveries", "listSubscriptionDeliveries", read(subscriptions::deliveries))
            .summary("What was sent", "Vad som skickats")
            .text("The latest first: when, from where to where in the log, what was answered and how long it took; never what stood in it. The last 1,000 are kept, for 30 days.", "Senast först: när, varifrån och vart i loggen, vad som svarades och hur lång tid det tog; aldrig vad som stod där. De senaste 1 000 sparas, i 30 dagar.")
            .takes(&[&p::LIMIT, &p::DELIVERIES_BEFORE])
            .answers(200, "SubscriptionDeliveries", "The deliveries", "Leveranserna")
            .problems(&["limit-out-of-range", "invalid-parameter"]),
        one(Method::POST, "/subscriptions/{subscription}/deliveries/{number}/send-again", "sendDeliveryAgain", read(subscriptions::send_again))
            .summary("Send a delivery again", "Skicka om en leverans")
            .text("The same part of the log, as far as the reader is shown it now. It is sent as soon as can be, and listed as a delivery of its own.", "Samma del av loggen, så långt läsaren nu visas den. Den skickas så snart det går och listas som en egen leverans.")
            .takes(&[&p::DELIVERY, &p::IF_MATCH])
            .answers(202, "Subscription", "It will be sent", "Den kommer att skickas")
            .problems(&CHANGED),
    ]
}
