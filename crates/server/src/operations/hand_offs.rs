//! Hand-offs about persons.

use grunddata_access_log::Kind;

use super::parameter as p;
use super::table::ADMINISTRATION;
use super::{Operation, admin, read};
use crate::body::JSON;
use crate::handlers::hand_offs;

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
        Operation::get("/hand-offs", "listHandOffs", admin(hand_offs::list))
            .tag(ADMINISTRATION)
            .summary("The hand-offs of an owner", "En informationsägares utlämnanden om personer")
            .text("Those that it makes, those that it has taken, and those that are made for it. For its administrators.", "De som den gör, de som den tagit emot och de som görs för den. För dess administratörer.")
            .takes(&[&p::TRANSFER_OWNER])
            .answers(200, "HandOffs", "The hand-offs", "Utlämnandena")
            .problems(&["invalid-parameter"]),
        Operation::post("/hand-offs", "makeHandOff", admin(hand_offs::make))
            .tag(ADMINISTRATION)
            .summary("Tell another owner of a person who moves", "Lämna uppgifter om en person som flyttar till en annan informationsägare")
            .text("With the basis, and until when it can be taken. The record stays as it is; the receiver begins one of its own.", "Med grunden, och till när det kan tas emot. Posten står kvar som den är; mottagaren börjar en egen.")
            .body(JSON, "HandOffRequest")
            .answers(201, "HandOff", "The hand-off, with Location", "Utlämnandet, med Location")
            .problems(&BODY)
            .problems(&["not-found", "invalid-text", "invalid-parameter", "invalid-settings", "unknown-owner", "read-only-copy", "clock-jump"]),
        Operation::get("/hand-offs/{handoff}", "getHandOff", read(hand_offs::get))
            .tag(ADMINISTRATION)
            .summary("One hand-off", "Ett utlämnande")
            .text("For those who administer one of the two owners, and for the token by which the registry of the receiver asks.", "För den som administrerar någon av de två informationsägarna, och för den nyckel som mottagarens register frågar med.")
            .takes(&[&p::HAND_OFF])
            .answers(200, "HandOff", "The hand-off", "Utlämnandet")
            .problems(&["unknown-transfer"]),
        Operation::get("/hand-offs/{handoff}/content", "getHandOffContent", read(hand_offs::content))
            .tag(ADMINISTRATION)
            .summary("What a hand-off tells", "Vad ett utlämnande säger")
            .text("The chosen properties as they are today, for whoever may take it, until it is taken.", "De valda egenskaperna så som de är i dag, för den som får ta emot det, tills det tagits emot.")
            .takes(&[&p::HAND_OFF])
            .answers(200, "HandOffContent", "What it tells", "Vad det säger")
            .logged_as(Kind::Export)
            .problems(&STEP).problems(&["not-found", "invalid-parameter"]),
        Operation::post("/hand-offs/{handoff}/take", "takeHandOff", admin(hand_offs::take))
            .tag(ADMINISTRATION)
            .summary("Take a hand-off: begin a record of one's own", "Ta emot ett utlämnande: börja en egen post")
            .text("For administrators of the receiver. With registry, from there. What was broken off goes on when it is asked for again.", "För mottagarens administratörer. Med registry, därifrån. Det som avbröts fortsätter när det begärs igen.")
            .takes(&[&p::HAND_OFF])
            .body(JSON, "HandOffPlace")
            .answers(200, "HandOff", "Taken: the hand-off", "Mottaget: utlämnandet")
            .problems(&BODY).problems(&STEP)
            .problems(&["other-registry", "not-found", "invalid-data", "identifier-in-use", "reference-not-found", "reference-not-covered", "invalid-parameter", "invalid-settings", "code-not-valid-at-date", "read-only-copy", "clock-jump"]),
        Operation::post("/hand-offs/{handoff}/taken", "closeHandOff", read(hand_offs::taken))
            .tag(ADMINISTRATION)
            .summary("Between registries: the receiver has its record", "Mellan register: mottagaren har sin post")
            .text("Asked for by the registry of the receiver. The same again is no error.", "Begärs av mottagarens register. Samma sak igen är inget fel.")
            .takes(&[&p::HAND_OFF])
            .body(JSON, "TransferStep")
            .answers(200, "HandOff", "The hand-off", "Utlämnandet")
            .logged_as(Kind::Administration)
            .problems(&BODY).problems(&STEP).problems(&["clock-jump"]),
        Operation::post("/hand-offs/{handoff}/withdraw", "withdrawHandOff", admin(hand_offs::withdraw))
            .tag(ADMINISTRATION)
            .summary("Withdraw a hand-off", "Ta tillbaka ett utlämnande")
            .text("For the giver, until it is taken.", "För givaren, tills det tagits emot.")
            .takes(&[&p::HAND_OFF])
            .body(JSON, "TransferEnding")
            .answers(200, "HandOff", "The hand-off", "Utlämnandet")
            .problems(&BODY).problems(&STEP).problems(&["invalid-text", "clock-jump"]),
    ]
}
