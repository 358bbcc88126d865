//! The operations of what the law asks for: retention, holds, restrictions, erasure, the register extract.

use grunddata_access_log::Kind;

use super::parameter as p;
use super::table::ADMINISTRATION;
use super::{Operation, admin, write};
use crate::body::JSON;
use crate::handlers::law;

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
const OWNER: [&str; 1] = ["invalid-parameter"];

pub(super) fn of_the_law() -> Vec<Operation> {
    let mut all = of_retention();
    all.extend(of_marks());
    all.extend(of_extracts());
    all
}

fn of_retention() -> Vec<Operation> {
    vec![
        Operation::get("/owners/{owner}/retention-rules", "listRetentionRules", write(law::rules))
            .tag(ADMINISTRATION)
            .summary("The retention rules", "Gallringsreglerna")
            .text("For stewards. Those that have ended are included. What no rule speaks of is kept.", "För förvaltare. Även regler som har upphört. Det som ingen regel omfattar bevaras.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "RetentionRules", "The rules", "Reglerna")
            .problems(&OWNER),
        Operation::post("/owners/{owner}/retention-rules", "putRetentionRule", admin(law::put_rule))
            .tag(ADMINISTRATION)
            .summary("Put a retention rule", "Lägg en gallringsregel")
            .text("With the decision that it rests on. The rule that names the kind counts before the one that names the controller, and that one before the one that names the domain; of two alike the one that keeps longer.", "Med beslutet som den vilar på. Regeln som anger slag går före den som anger personuppgiftsansvarig, och den före den som anger domän; av två lika den som bevarar längst.")
            .takes(&[&p::OWNER_KEY])
            .body(JSON, "RetentionRuleRequest")
            .answers(201, "RetentionRule", "The rule", "Regeln")
            .problems(&BODY).problems(&OWNER).problems(&["unknown-owner", "invalid-text", "invalid-period", "invalid-date"]),
        Operation::delete("/owners/{owner}/retention-rules/{rule}", "endRetentionRule", admin(law::end_rule))
            .tag(ADMINISTRATION)
            .summary("End a retention rule", "Avsluta en gallringsregel")
            .text("A rule is never changed: end it and put another.", "En regel ändras aldrig: avsluta den och lägg en ny.")
            .takes(&[&p::OWNER_KEY, &p::RULE, &p::RULE_END])
            .answers_empty(204, "Ended", "Avslutad")
            .problems(&OWNER).problems(&["not-found"]),
        Operation::get("/owners/{owner}/deliveries", "listDeliveries", write(law::deliveries))
            .tag(ADMINISTRATION)
            .summary("The deliveries to archives", "Leveranserna till arkiv")
            .text("For stewards. What was handed over to which archive, by which rule.", "För förvaltare. Vad som levererats till vilket arkiv, enligt vilken regel.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "Deliveries", "The deliveries", "Leveranserna")
            .problems(&OWNER),
        Operation::post("/owners/{owner}/deliveries", "putDelivery", admin(law::put_delivery))
            .tag(ADMINISTRATION)
            .summary("Note a delivery to an archive", "Anteckna en leverans till arkiv")
            .text("That what a rule preserves was handed over. From then on a plan erases what had ended, and was last changed, before that day.", "Att det som en regel bevarar har levererats. Därefter gallrar en plan det som hade upphört, och senast ändrats, före den dagen.")
            .takes(&[&p::OWNER_KEY])
            .body(JSON, "DeliveryRequest")
            .answers(201, "Delivery", "The delivery", "Leveransen")
            .problems(&BODY).problems(&OWNER).problems(&["not-found", "invalid-text"]),
        Operation::get("/owners/{owner}/retention-plan", "getRetentionPlan", write(law::plan))
            .tag(ADMINISTRATION)
            .summary("What would be erased today", "Vad som skulle gallras i dag")
            .text("For stewards. What is due by the rules, what is held, what others refer to, and what is preserved. Nothing is changed. It looks at every record of the owner.", "För förvaltare. Vad som ska gallras enligt reglerna, vad som är stoppat, vad andra hänvisar till och vad som bevaras. Inget ändras. Alla informationsägarens poster gås igenom.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "RetentionPlan", "The plan", "Planen")
            .problems(&OWNER).problems(&["unknown-owner"]),
        Operation::get("/owners/{owner}/disposals", "listDisposals", write(law::disposals))
            .tag(ADMINISTRATION)
            .summary("The records of disposals", "Gallringsprotokollen")
            .text("What was erased, when, by whom and by which decisions. No personal data.", "Vad som gallrats, när, av vem och enligt vilka beslut. Inga personuppgifter.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "Disposals", "The records, the latest first", "Protokollen, det senaste först")
            .problems(&OWNER),
        Operation::post("/owners/{owner}/disposals", "runRetention", admin(law::run))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Erasure)
            .summary("Carry out a plan", "Genomför en plan")
            .text("Erases for good, from all recorded time, what the plan named by its token says; refused when something that is due has changed since. On SQLite the database file is written anew at the end: the answer takes as long as that does.", "Gallrar för gott, ur all registrerad tid, det som planen med detta märke anger; avvisas om något som ska gallras har ändrats sedan dess. På SQLite skrivs databasfilen om i slutet: svaret dröjer så länge det tar.")
            .takes(&[&p::OWNER_KEY])
            .body(JSON, "DisposalRequest")
            .answers(201, "Disposal", "The record of the disposal", "Gallringsprotokollet")
            .problems(&BODY).problems(&OWNER).problems(&["unknown-owner", "plan-changed"]),
        Operation::post("/erasures", "eraseRecords", admin(law::erase))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Erasure)
            .summary("Erase records by a decision of their own", "Gallra enskilda poster enligt särskilt beslut")
            .text("All or none, and with everything that refers to them. What is left is that there was a record with that id: reads answer 410.", "Alla eller ingen, och med allt som hänvisar till dem. Kvar är att det fanns en post med detta id: läsning svarar 410.")
            .body(JSON, "ErasureRequest")
            .answers(201, "Disposal", "The record of the disposal", "Gallringsprotokollet")
            .problems(&BODY).problems(&["not-found", "erased", "legal-hold", "still-referenced", "several-owners", "too-many-items", "invalid-text"]),
    ]
}

fn of_marks() -> Vec<Operation> {
    vec![
        Operation::get("/owners/{owner}/holds", "listHolds", write(law::holds))
            .tag(ADMINISTRATION)
            .summary("The legal holds", "Gallringsstoppen")
            .text("For stewards. Lifted ones are included.", "För förvaltare. Även hävda.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "Marks", "The holds", "Stoppen")
            .problems(&OWNER),
        Operation::post("/holds", "putHold", write(law::hold))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Administration)
            .summary("Keep a record from being erased", "Stoppa gallring av en post")
            .text("For stewards of its owner, whatever the rules say, until it is lifted.", "För förvaltare hos dess informationsägare, oavsett reglerna, tills stoppet hävs.")
            .body(JSON, "MarkRequest")
            .answers(201, "Mark", "The hold", "Stoppet")
            .problems(&BODY).problems(&["not-found", "erased", "invalid-text"]),
        Operation::delete("/owners/{owner}/holds/{mark}", "liftHold", write(law::lift_hold))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Administration)
            .summary("Lift a legal hold", "Häv ett gallringsstopp")
            .text("It stays in the list.", "Det står kvar i listan.")
            .takes(&[&p::OWNER_KEY, &p::MARK])
            .answers_empty(204, "Lifted", "Hävt")
            .problems(&OWNER).problems(&["not-found"]),
        Operation::get("/owners/{owner}/restrictions", "listRestrictions", write(law::restrictions))
            .tag(ADMINISTRATION)
            .summary("The restrictions of processing", "Begränsningarna av behandling")
            .text("For stewards. Lifted ones are included.", "För förvaltare. Även hävda.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "Marks", "The restrictions", "Begränsningarna")
            .problems(&OWNER),
        Operation::post("/restrictions", "putRestriction", write(law::restrict))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Administration)
            .summary("Restrict the processing of a record", "Begränsa behandlingen av en post")
            .text("Hides it, with whatever identifies it, from all but stewards and administrators, until it is lifted. It is not erased meanwhile.", "Döljer den, och det som identifierar den, för alla utom förvaltare och administratörer, tills begränsningen hävs. Den gallras inte under tiden.")
            .body(JSON, "MarkRequest")
            .answers(201, "Mark", "The restriction", "Begränsningen")
            .problems(&BODY).problems(&["not-found", "erased", "invalid-text"]),
        Operation::delete("/owners/{owner}/restrictions/{mark}", "liftRestriction", write(law::lift_restriction))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Administration)
            .summary("Lift a restriction of processing", "Häv en begränsning av behandling")
            .text("It stays in the list.", "Den står kvar i listan.")
            .takes(&[&p::OWNER_KEY, &p::MARK])
            .answers_empty(204, "Lifted", "Hävd")
            .problems(&OWNER).problems(&["not-found"]),
    ]
}

fn of_extracts() -> Vec<Operation> {
    vec![
        Operation::get("/persons/{id}/extract", "extractPerson", write(law::extract))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Extract)
            .summary("The register extract of a person", "Registerutdrag för en person")
            .text("For stewards of its owner, and for those of a controller about its records. All states in both times, versions, identifiers, links in both directions, sources, and who has read any of it by unit and time; by controller. What it shows is logged.", "För förvaltare hos dess informationsägare, och för en personuppgiftsansvarigs förvaltare om dennas poster. Alla tillstånd i båda tiderna, versioner, identiteter, länkar i båda riktningar, källor, och vem som läst något av det per enhet och tid; per personuppgiftsansvarig. Det som visas loggas.")
            .takes(&[&p::ID, &p::BY_NAME, &p::EXTRACT_CONTROLLER])
            .answers(200, "PersonExtract", "The extract", "Utdraget")
            .problems(&["invalid-id", "invalid-parameter", "not-found", "erased"]),
        Operation::get("/persons/{id}/extract.html", "extractPersonPage", write(law::extract_page))
            .tag(ADMINISTRATION)
            .logged_as(Kind::Extract)
            .summary("The register extract as a page", "Registerutdraget som en sida")
            .text("In Swedish, to read and to print; it needs nothing from elsewhere.", "På svenska, för läsning och utskrift; hämtar inget utifrån.")
            .takes(&[&p::ID, &p::BY_NAME, &p::EXTRACT_CONTROLLER])
            .answers_as(200, "text/html", "Page", "The page", "Sidan")
            .problems(&["invalid-id", "invalid-parameter", "not-found", "erased"]),
    ]
}
