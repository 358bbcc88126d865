//! Hand-overs.

use actix_web::http::Method;
use grunddata_access_log::Kind;

use super::parameter as p;
use super::table::ADMINISTRATION;
use super::{Operation, admin, read};
use crate::body::JSON;
use crate::handlers::transfers;

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
const STEP: [&str; 2] = ["unknown-transfer", "transfer-state"];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/transfers", "listTransfers", admin(transfers::list))
            .tag(ADMINISTRATION)
            .summary("The hand-overs of an owner", "En informationsägares överlämningar")
            .text("Those that it gives, those that it receives, and those that are offered to it. For its administrators.", "De som den lämnar, de som den tar emot och de som erbjuds den. För dess administratörer.")
            .takes(&[&p::TRANSFER_OWNER])
            .answers(200, "Transfers", "The hand-overs", "Överlämningarna")
            .problems(&["invalid-parameter"]),
        Operation::post("/transfers", "offerTransfer", admin(transfers::offer))
            .tag(ADMINISTRATION)
            .summary("Offer records to another owner", "Erbjud poster till en annan informationsägare")
            .text("What would go, what stays and why, and what becomes of references is in the answer. Nothing is done to the records until the receiver accepts.", "Vad som skulle lämnas, vad som blir kvar och varför, och vad som händer med hänvisningar står i svaret. Inget görs med posterna förrän mottagaren godtar.")
            .body(JSON, "TransferRequest")
            .answers(201, "Transfer", "The offer, with Location", "Erbjudandet, med Location")
            .problems(&BODY)
            .problems(&["not-found", "nothing-to-transfer", "too-many-items", "invalid-text", "invalid-parameter", "invalid-settings", "unknown-owner", "read-only-copy", "clock-jump"]),
        Operation::get("/transfers/{transfer}", "getTransfer", read(transfers::get))
            .tag(ADMINISTRATION)
            .summary("One hand-over", "En överlämning")
            .text("For those who administer one of the two owners, and for the token by which the registry of the receiver asks.", "För den som administrerar någon av de två informationsägarna, och för den nyckel som mottagarens register frågar med.")
            .takes(&[&p::TRANSFER])
            .answers(200, "Transfer", "The hand-over", "Överlämningen")
            .problems(&["unknown-transfer"]),
        Operation::new(Method::PUT, "/transfers/{transfer}", "noteTransfer", admin(transfers::note))
            .tag(ADMINISTRATION)
            .summary("Fetch an offer of another registry", "Hämta ett erbjudande från ett annat register")
            .text("So that it can be looked at and accepted here. Which hosts may be asked is in the settings of the installation (peers).", "Så att det kan granskas och godtas här. Vilka värdar som får frågas står i installationens inställningar (peers).")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferPlace")
            .answers(200, "Transfer", "The offer", "Erbjudandet")
            .problems(&BODY)
            .problems(&STEP)
            .problems(&["other-registry", "invalid-settings", "invalid-parameter", "unknown-owner", "read-only-copy", "clock-jump"]),
        Operation::post("/transfers/{transfer}/accept", "acceptTransfer", admin(transfers::accept))
            .tag(ADMINISTRATION)
            .summary("Accept what is offered, and carry it out", "Godta det som erbjuds, och genomför det")
            .text("For administrators of the receiver. What was broken off goes on from where it was, by itself (progress) or when it is asked for again.", "För mottagarens administratörer. Det som avbröts fortsätter där det var, av sig självt (progress) eller när det begärs igen.")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferAcceptance")
            .answers(200, "Transfer", "Done: the hand-over", "Klart: överlämningen")
            .problems(&BODY)
            .problems(&STEP)
            .problems(&["other-registry", "identifier-in-use", "hierarchy-cycle", "unknown-model", "not-found", "in-transfer", "invalid-parameter", "invalid-settings", "read-only-copy", "clock-jump"]),
        Operation::post("/transfers/{transfer}/refuse", "refuseTransfer", read(transfers::refuse))
            .tag(ADMINISTRATION)
            .summary("Refuse what is offered", "Avböj det som erbjuds")
            .text("For the receiver, as long as it does not have the records. The giver can write to them again.", "För mottagaren, så länge den inte har posterna. Givaren kan skriva till dem igen.")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferEnding")
            .answers(200, "Transfer", "The hand-over", "Överlämningen")
            .logged_as(Kind::Administration)
            .problems(&BODY).problems(&STEP).problems(&["other-registry", "invalid-text", "invalid-settings", "clock-jump"]),
        Operation::post("/transfers/{transfer}/withdraw", "withdrawTransfer", admin(transfers::withdraw))
            .tag(ADMINISTRATION)
            .summary("Withdraw an offer", "Ta tillbaka ett erbjudande")
            .text("For the giver, until it is accepted.", "För givaren, tills det godtagits.")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferEnding")
            .answers(200, "Transfer", "The hand-over", "Överlämningen")
            .problems(&BODY).problems(&STEP).problems(&["invalid-text", "clock-jump"]),
        Operation::post("/transfers/{transfer}/hold", "holdTransfer", read(transfers::hold))
            .tag(ADMINISTRATION)
            .summary("Between registries: hold what is accepted", "Mellan register: håll det som godtagits")
            .text("Asked for by the registry of the receiver. Nothing else is written to the records until it is confirmed or refused. The same again is no error.", "Begärs av mottagarens register. Inget annat skrivs till posterna förrän det bekräftas eller avböjs. Samma sak igen är inget fel.")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferStep")
            .answers(200, "Transfer", "The hand-over", "Överlämningen")
            .logged_as(Kind::Administration)
            .problems(&BODY).problems(&STEP).problems(&["clock-jump"]),
        Operation::get("/transfers/{transfer}/records", "getTransferRecords", read(transfers::records))
            .tag(ADMINISTRATION)
            .summary("Between registries: the records", "Mellan register: posterna")
            .text("As they are believed, for the registry of the receiver, or whoever administers the receiver.", "Så som de är kända, för mottagarens register eller den som administrerar mottagaren.")
            .takes(&[&p::TRANSFER, &p::TRANSFER_AFTER])
            .answers(200, "TransferRecords", "Some of the records", "Några av posterna")
            .logged_as(Kind::Export)
            .problems(&STEP).problems(&["invalid-parameter"]),
        Operation::post("/transfers/{transfer}/confirm", "confirmTransfer", read(transfers::confirm))
            .tag(ADMINISTRATION)
            .summary("Between registries: the receiver has the records", "Mellan register: mottagaren har posterna")
            .text("Asked for by the registry of the receiver. The giver's records lead there from then on. The same again is no error.", "Begärs av mottagarens register. Givarens poster leder därefter dit. Samma sak igen är inget fel.")
            .takes(&[&p::TRANSFER])
            .body(JSON, "TransferStep")
            .answers(200, "Transfer", "The hand-over", "Överlämningen")
            .logged_as(Kind::Administration)
            .problems(&BODY).problems(&STEP).problems(&["in-transfer", "clock-jump"]),
    ]
}
