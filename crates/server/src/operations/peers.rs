//! Peers.

use actix_web::http::Method;

use super::parameter as p;
use super::table::ADMINISTRATION;
use super::{Operation, admin, read};
use crate::body::JSON;
use crate::handlers::{peers, pushed};

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
const CONDITION: [&str; 3] = ["invalid-header", "precondition-failed", "unknown-peer"];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/peers", "listPeers", admin(peers::list))
            .tag(ADMINISTRATION)
            .summary("The registries whose owners are copied here", "Registren vars informationsägare kopieras hit")
            .text("With how far each copy is. For administrators of the whole registry.", "Med hur långt varje kopia kommit. För administratörer av hela registret.")
            .answers(200, "Peers", "The peers", "Parterna"),
        Operation::get("/peers/{peer}", "getPeer", admin(peers::get))
            .tag(ADMINISTRATION)
            .summary("One peer", "En part")
            .text("Its settings, and how it stands.", "Inställningarna, och hur den står till.")
            .takes(&[&p::PEER])
            .answers(200, "Peer", "The peer", "Parten")
            .problems(&["unknown-peer"]),
        Operation::new(Method::PUT, "/peers/{peer}", "putPeer", admin(peers::put))
            .tag(ADMINISTRATION)
            .summary("Copy an owner of another registry, or change how", "Kopiera en informationsägare från ett annat register, eller ändra hur")
            .text("The owner is added here, read-only, and follows its origin from then on. Which hosts may be asked is in the settings of the installation. Where what is copied changes, everything is fetched anew.", "Informationsägaren läggs upp här, skrivskyddad, och följer därefter sitt ursprung. Vilka värdar som får frågas står i installationens inställningar. Ändras vad som kopieras hämtas allt på nytt.")
            .takes(&[&p::PEER, &p::IF_MATCH])
            .body(JSON, "PeerRequest")
            .answers(200, "Peer", "Changed: the peer", "Ändrad: parten")
            .answers(201, "Peer", "Added: the peer, with Location", "Upplagd: parten, med Location")
            .problems(&BODY)
            .problems(&["invalid-settings", "owner-at-home", "owner-copied", "precondition-required", "precondition-failed", "invalid-header"]),
        Operation::new(Method::DELETE, "/peers/{peer}", "removePeer", admin(peers::remove))
            .tag(ADMINISTRATION)
            .summary("Follow a peer no more", "Sluta följa en part")
            .text("What was copied stays as it is, read-only, or is removed with its owner.", "Det som kopierats står kvar som det är, skrivskyddat, eller tas bort med sin informationsägare.")
            .takes(&[&p::PEER, &p::PEER_RECORDS, &p::IF_MATCH])
            .answers_empty(204, "Removed", "Borttagen")
            .problems(&CONDITION).problems(&["invalid-parameter"]),
        Operation::post("/peers/{peer}/pause", "pausePeer", admin(peers::pause))
            .tag(ADMINISTRATION)
            .summary("Pause a peer", "Pausa en part")
            .text("Nothing comes until it is resumed.", "Inget kommer förrän den återupptas.")
            .takes(&[&p::PEER, &p::IF_MATCH])
            .answers(200, "Peer", "The peer", "Parten")
            .problems(&CONDITION),
        Operation::post("/peers/{peer}/resume", "resumePeer", admin(peers::resume))
            .tag(ADMINISTRATION)
            .summary("Follow a peer again", "Följ en part igen")
            .text("From where it stopped.", "Från där den slutade.")
            .takes(&[&p::PEER, &p::IF_MATCH])
            .answers(200, "Peer", "The peer", "Parten")
            .problems(&CONDITION),
        Operation::post("/peers/{peer}/trust", "trustPeer", admin(peers::trust))
            .tag(ADMINISTRATION)
            .summary("Trust the keys that a peer signs its log with now", "Lita på de nycklar som en part nu signerar sin logg med")
            .text("In place of those that were trusted: for when they were replaced, and none of them has signed that they were. Ask whoever runs the peer first.", "I stället för dem som litats på: när de bytts ut och ingen av dem signerat det. Fråga först den som driver motparten.")
            .takes(&[&p::PEER, &p::IF_MATCH])
            .answers(200, "Peer", "The peer", "Parten")
            .problems(&CONDITION).problems(&["invalid-settings"]),
        Operation::post("/peers/{peer}/check", "checkPeer", admin(peers::check))
            .tag(ADMINISTRATION)
            .summary("Ask a peer, and tell how far behind the copy is", "Fråga en part, och säg hur långt efter kopian är")
            .text("In entries and seconds, and in words.", "I händelser och sekunder, och i ord.")
            .takes(&[&p::PEER])
            .answers(200, "PeerCheck", "What was found", "Vad som framkom")
            .problems(&["unknown-peer"]),
        Operation::post("/peers/{peer}/exchange", "exchangeWithPeer", read(pushed::exchange))
            .tag(ADMINISTRATION)
            .summary("Fetch what is asked of a peer that cannot be connected to, and bring its answers", "Hämta det som en part tillfrågas om som inte går att ansluta till, och lämna dess svar")
            .text("For the registry that pushes, with the token that the peer waits for. The question is an address below that of the registry itself; the body of the next request is what stands there.", "För registret som skickar, med den nyckel som parten väntar på. Frågan är en adress under registrets egen; nästa anrops innehåll är det som står där.")
            .takes(&[&p::PEER, &p::EXCHANGE_WAIT, &p::EXCHANGE_ANSWERS, &p::EXCHANGE_STATUS, &p::EXCHANGE_RETRY_AFTER])
            .may_have(JSON, "PeerAnswer")
            .answers(200, "PeerQuestion", "What is asked; null = nothing just now", "Vad som frågas; null = inget just nu")
            .problems(&["unknown-peer", "peer-paused", "busy", "invalid-body", "unsupported-media-type", "body-too-large", "request-timeout"]),
    ]
}
