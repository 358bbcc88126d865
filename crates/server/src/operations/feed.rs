//! The feed.

use grunddata_access_log::Kind;

use super::parameter as p;
use super::table::FEED;
use super::{Operation, Parameter, read};
use crate::body::NDJSON;
use crate::handlers::{change_stream, changes, log_proofs};

const CHOICE: [&Parameter; 10] = [
    &p::FEED_OWNER,
    &p::FEED_AFTER,
    &p::FEED_WAIT,
    &p::FEED_DOMAIN,
    &p::FEED_KIND,
    &p::FEED_RECORD,
    &p::CONTROLLER,
    &p::FEED_CONTENT,
    &p::FEED_PROOF,
    &p::FEED_EPOCH,
];
const PROBLEMS: [&str; 8] = [
    "owner-required",
    "unknown-owner",
    "invalid-parameter",
    "invalid-id",
    "invalid-cursor",
    "access-changed",
    "log-forked",
    "too-many-streams",
];
const PROOF_PROBLEMS: [&str; 3] = ["owner-required", "unknown-owner", "invalid-parameter"];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/changes", "listChanges", read(changes::page))
            .tag(FEED)
            .logged_as(Kind::Export)
            .summary("What has changed after a position", "Vad som ändrats efter en position")
            .text("One owner's log, in the order of commit, as far as the reader is shown the records. Whoever is shown the whole of the owner gets the positions of the log, all others sealed cursors. With wait the answer waits until there is something. With format=ndjson everything there is now comes in one answer, one entry on each line and a last line with _meta. An entry of the kind withdrawn says that a record came under protection: what is held of it, and of what identifies it, is to be removed.", "En informationsägares logg, i den ordning ändringarna sparats, så långt läsaren visas posterna. Den som visas hela informationsägaren får loggens positioner, alla andra förseglade markörer. Med wait väntar svaret tills det finns något. Med format=ndjson kommer allt som finns nu i ett svar, en händelse per rad och en sista rad med _meta. En händelse av slaget withdrawn säger att en post fått skydd: det som sparats av den, och av det som identifierar den, ska tas bort.")
            .takes(&CHOICE)
            .takes(&[&p::LIMIT, &p::FEED_FORMAT])
            .answers(200, "ChangePage", "The entries", "Händelserna")
            .answers_as(200, NDJSON, "Change", "The entries, one on each line", "Händelserna, en per rad")
            .problems(&PROBLEMS)
            .problems(&["limit-out-of-range", "timeout"]),
        Operation::get("/changes/stream", "streamChanges", read(change_stream::stream))
            .tag(FEED)
            .logged_as(Kind::Export)
            .summary("What changes, as it changes", "Vad som ändras, när det ändras")
            .text("The same as server-sent events of the type change, from after on and without an end. A client that was cut off goes on with Last-Event-ID. An event without data, every 15 seconds at the latest, keeps the connection open. An event of the type problem says why the server ends the stream. With wait the stream ends when there was nothing to tell for so long.", "Detsamma som server-sent events av typen change, från after och utan slut. En klient som kopplats från fortsätter med Last-Event-ID. En händelse utan data, minst var 15:e sekund, håller förbindelsen öppen. En händelse av typen problem säger varför servern avslutar strömmen. Med wait tar strömmen slut när det inte funnits något att berätta så länge.")
            .takes(&CHOICE)
            .takes(&[&p::LAST_EVENT_ID])
            .answers_as(200, change_stream::EVENTS, "ChangeEvents", "The events", "Händelserna")
            .problems(&PROBLEMS)
            .problems(&["timeout"]),
        Operation::get("/changes/head", "getLogHead", read(log_proofs::head))
            .tag(FEED)
            .summary("The signed head of a log", "En loggs signerade huvud")
            .text("The root over all entries of an owner's log (RFC 9162), or over its first ones, signed with the installation's key: as a C2SP checkpoint in note. Only for those who are shown the whole of the owner. The keys are at /.well-known/grunddata-log-keys.", "Roten över alla händelser i en informationsägares logg (RFC 9162), eller över de första, signerad med installationens nyckel: som C2SP-checkpoint i note. Bara för den som visas hela informationsägaren. Nycklarna finns på /.well-known/grunddata-log-keys.")
            .takes(&[&p::FEED_OWNER, &p::LOG_SIZE])
            .answers(200, "LogHead", "The head", "Huvudet")
            .problems(&PROOF_PROBLEMS),
        Operation::get("/changes/consistency", "getLogConsistency", read(log_proofs::consistency))
            .tag(FEED)
            .summary("That a log continues an earlier one", "Att en logg fortsätter en tidigare")
            .text("The proof of consistency (RFC 9162, section 2.1.4) from the head of from entries to that of to, or to the one of now.", "Konsistensbeviset (RFC 9162, avsnitt 2.1.4) från huvudet med from händelser till det med to, eller till det som gäller nu.")
            .takes(&[&p::FEED_OWNER, &p::HEAD_FROM, &p::HEAD_TO])
            .answers(200, "LogProof", "The proof", "Beviset")
            .problems(&PROOF_PROBLEMS),
        Operation::get("/changes/{position}/proof", "getLogInclusion", read(log_proofs::inclusion))
            .tag(FEED)
            .summary("That an entry is in a log", "Att en händelse finns i en logg")
            .text("The proof of inclusion (RFC 9162, section 2.1.3) of the entry at a position in the head of size entries, or in the one of now.", "Inklusionsbeviset (RFC 9162, avsnitt 2.1.3) för händelsen på en position i huvudet med size händelser, eller i det som gäller nu.")
            .takes(&[&p::LOG_POSITION, &p::FEED_OWNER, &p::LOG_SIZE])
            .answers(200, "LogProof", "The proof", "Beviset")
            .problems(&PROOF_PROBLEMS)
            .problems(&["not-found"]),
    ]
}
