//! Every operation of the API, in the order of the documentation. To add one: a handler, a row here, and a test in
//! `tests/it/http_*.rs`; the route and the documentation follow.

use grunddata_access_log::Kind;
use grunddata_exchange::out::FileFormat;

use super::parameter as p;
use super::{Operation, Parameter, admin, public, read, visitor, write};
use crate::body::{JSON, JSON_PATCH, MERGE_PATCH, NDJSON};
use crate::handlers::{
    about, amendments, docs, exports, graph, history, identifiers, landing, log_proofs, lossless,
    model, records, search, transactions, validations,
};

const RECORDS: &str = "Records";
pub(super) const HISTORY: &str = "History";
const LINKS: &str = "Links";
const SEARCH: &str = "Search";
const MANY: &str = "Many records";
pub(super) const LOADS: &str = "Loads";
pub(super) const FEED: &str = "Changes";
const STANDARD: &str = "Standard";
pub(super) const ADMINISTRATION: &str = "Administration";
const ABOUT: &str = "About";

/// The groups of the documentation: name, English, Swedish.
pub(crate) const TAGS: [(&str, &str, &str); 10] = [
    (
        RECORDS,
        "Read and write one record, at any coordinate of the two clocks.",
        "Läs och skriv en post, vid valfri koordinat på de två klockorna.",
    ),
    (
        HISTORY,
        "What was true, what was known, and what changed.",
        "Vad som gällde, vad som var känt och vad som ändrats.",
    ),
    (
        LINKS,
        "Typed, dated links in both directions, and hierarchies.",
        "Typade, daterade länkar i båda riktningar, och hierarkier.",
    ),
    (
        SEARCH,
        "Search within a domain, and look-up by identifier across domains.",
        "Sök i en domän, och slå upp på identitet över domäner.",
    ),
    (
        MANY,
        "Transactions and dry validation.",
        "Transaktioner och validering utan lagring.",
    ),
    (
        LOADS,
        "Files from other systems: sources, plans, and where values come from.",
        "Filer från andra system: källor, planer och varifrån uppgifter kommer.",
    ),
    (
        FEED,
        "What has changed, from any position on, and what changes.",
        "Vad som ändrats, från valfri position, och vad som ändras.",
    ),
    (
        STANDARD,
        "The information model and its code lists.",
        "Informationsmodellen och dess kodlistor.",
    ),
    (
        ADMINISTRATION,
        "Owners and tokens.",
        "Informationsägare och nycklar.",
    ),
    (ABOUT, "The API itself.", "API:et självt."),
];

const COORDINATE: [&Parameter; 4] = [&p::VALID_AT, &p::KNOWN_AT, &p::KNOWN_BY, &p::AS_OF];
const WRITE_HEADERS: [&Parameter; 2] = [&p::IDEMPOTENCY_KEY, &p::PREFER];
const COORDINATE_PROBLEMS: [&str; 4] = [
    "invalid-date",
    "known-at-in-future",
    "invalid-as-of",
    "invalid-parameter",
];
const RECORD_PROBLEMS: [&str; 6] = [
    "invalid-id",
    "not-found",
    "not-valid-then",
    "not-known-then",
    "retracted",
    "erased",
];
const WRITE_PROBLEMS: [&str; 30] = [
    "malformed-json",
    "missing-body",
    "invalid-body",
    "too-deep",
    "nul-character",
    "body-too-large",
    "unsupported-media-type",
    "request-timeout",
    "invalid-idempotency-key",
    "idempotency-key-reused",
    "invalid-date",
    "invalid-period",
    "invalid-text",
    "invalid-data",
    "unknown-model",
    "reference-not-found",
    "reference-ambiguous",
    "reference-wrong-target",
    "reference-not-covered",
    "code-not-valid-at-date",
    "identifier-in-use",
    "hierarchy-cycle",
    "still-referenced",
    "read-only-copy",
    "merged",
    "transferred",
    "in-transfer",
    "owner-required",
    "unknown-owner",
    "clock-jump",
];
const CHANGE_PROBLEMS: [&str; 5] = [
    "invalid-header",
    "invalid-id",
    "not-found",
    "precondition-required",
    "precondition-failed",
];

fn change(operation: Operation) -> Operation {
    operation
        .takes(&[&p::IF_MATCH])
        .takes(&WRITE_HEADERS)
        .problems(&WRITE_PROBLEMS)
        .problems(&CHANGE_PROBLEMS)
}

/// The table.
pub(crate) fn table() -> Vec<Operation> {
    let mut table = Vec::new();
    table.extend(of_records());
    table.extend(of_history());
    table.extend(of_searching());
    table.extend(of_many());
    table.extend(of_the_standard());
    table.extend(super::loads::operations());
    table.extend(super::feed::operations());
    table.extend(super::subscriptions::operations());
    table.extend(super::administration::operations());
    table.extend(super::peers::operations());
    table.extend(super::transfers::operations());
    table.extend(super::hand_offs::operations());
    table.extend(super::law::of_the_law());
    table.extend(of_the_api());
    table
}

fn of_records() -> Vec<Operation> {
    vec![
        // First, because it is asked most: the router tries routes in order.
        Operation::get("/{collection}/{id}", "get{Record}", read(records::get))
            .tag(RECORDS)
            .summary("Read a record at a coordinate", "Läs en post vid en koordinat")
            .text(
                "The state that holds at validAt as known at knownAt. A record that was merged answers 307 with the address of the survivor; one whose content was erased answers 410. The header Grunddata-As-Of repeats the answer exactly.",
                "Tillståndet som gäller vid validAt så som känt vid knownAt. En sammanslagen post svarar 307 med adressen till den kvarvarande; en gallrad svarar 410. Huvudet Grunddata-As-Of upprepar svaret exakt.",
            )
            .takes(&[&p::ID]).takes(&COORDINATE).takes(&[&p::IF_NONE_MATCH])
            .answers(200, "{Record}Record", "The record", "Posten")
            .answers_empty(304, "Not changed since the ETag in If-None-Match", "Oförändrad sedan ETag i If-None-Match")
            .answers_empty(307, "Merged: see Location", "Sammanslagen: se Location")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS),
        Operation::post("/{collection}", "create{Record}", write(records::create))
            .tag(RECORDS)
            .summary("Create a record", "Skapa en post")
            .text(
                "validFrom defaults to today, validTo to open (null). With ?match=SCHEME an upsert: the record that holds the identifier of that scheme in the body is replaced, or one is created.",
                "validFrom är i dag om det inte anges, validTo öppet (null). Med ?match=SCHEMA en upsert: posten med identiteten av det schemat i innehållet ersätts, eller en skapas.",
            )
            .takes(&[&p::MATCH, &p::ON_UNCOVERED, &p::ON_UNRESOLVED]).takes(&WRITE_HEADERS)
            .body(JSON, "{Record}Create")
            .answers(201, "{Record}Record", "Created: the record, with Location and ETag", "Skapad: posten, med Location och ETag")
            .answers(200, "{Record}Record", "Upsert of an existing record: updated or unchanged (see Grunddata-Outcome)", "Upsert av en befintlig post: ändrad eller oförändrad (se Grunddata-Outcome)")
            .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
            .problems(&WRITE_PROBLEMS).problems(&["record-exists", "no-match-identifier", "match-ambiguous", "unknown-identifier-scheme"]),
        change(
            Operation::new(actix_web::http::Method::PUT, "/{collection}/{id}", "replace{Record}", write(records::replace))
                .tag(RECORDS)
                .summary("Replace on a period, or create under your own UUID", "Ersätt under en period, eller skapa med eget UUID")
                .text(
                    "Puts one new data on [validFrom, validTo). validTo absent: to the end of the unbroken stretch that holds validFrom. What is planned later is not overwritten unless overwritePlanned is true.",
                    "Lägger ny data på [validFrom, validTo). Utan validTo: till slutet av den obrutna sträcka som innehåller validFrom. Det som är planerat senare skrivs inte över om inte overwritePlanned är true.",
                )
                .takes(&[&p::ID, &p::ON_UNCOVERED, &p::ON_UNRESOLVED])
                .body(JSON, "{Record}Replace")
                .answers(200, "{Record}Record", "The record: updated or unchanged (see Grunddata-Outcome)", "Posten: ändrad eller oförändrad (se Grunddata-Outcome)")
                .answers(201, "{Record}Record", "Created under the client's own UUID", "Skapad med klientens eget UUID")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["planned-states", "record-ended"]),
        ),
        change(
            Operation::new(actix_web::http::Method::PATCH, "/{collection}/{id}", "amend{Record}", write(records::amend))
                .tag(RECORDS)
                .summary("Amend on a period", "Ändra under en period")
                .text(
                    "Applies the patch to every state inside the period: a later planned difference in another property survives. In a merge patch null removes and absent leaves alone.",
                    "Gör ändringen i varje tillstånd inom perioden: en senare planerad skillnad i en annan egenskap består. I en merge patch tar null bort, och det som saknas lämnas i fred.",
                )
                .takes(&[&p::ID, &p::WRITE_FROM, &p::WRITE_TO, &p::ON_UNCOVERED, &p::ON_UNRESOLVED])
                .body(MERGE_PATCH, "MergePatch")
                .body(JSON_PATCH, "JsonPatch")
                .answers(200, "{Record}Record", "The record: updated or unchanged (see Grunddata-Outcome)", "Posten: ändrad eller oförändrad (se Grunddata-Outcome)")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["patch-malformed", "patch-failed", "patch-needs-test", "nothing-valid"]),
        ),
        change(
            Operation::new(actix_web::http::Method::DELETE, "/{collection}/{id}", "end{Record}", write(records::end))
                .tag(RECORDS)
                .summary("End a record, or make a gap", "Avsluta en post, eller gör ett uppehåll")
                .text(
                    "Nothing holds from validFrom (default: today) on; with validTo it holds again from there. The past remains. What was recorded in error is retracted instead.",
                    "Inget gäller från och med validFrom (förval: i dag); med validTo gäller posten igen därifrån. Det förflutna består. Det som registrerats av misstag makuleras i stället.",
                )
                .takes(&[&p::ID, &p::WRITE_FROM, &p::WRITE_TO])
                .answers(200, "{Record}Record", "The last state that holds", "Det sista tillståndet som gäller")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["never-valid"]),
        ),
        change(
            Operation::post("/{collection}/{id}/amendments", "amend{Record}WithReason", write(amendments::amend))
                .tag(RECORDS)
                .summary("Amend, with reason and correction", "Ändra, med skäl och rättelse")
                .text("PATCH with everything that its short form cannot carry: reason, changeKind, corrects. Give patch (RFC 7396) or operations (RFC 6902).", "PATCH med allt som kortformen inte rymmer: reason, changeKind, corrects. Ange patch (RFC 7396) eller operations (RFC 6902).")
                .takes(&[&p::ID])
                .body(JSON, "Amendment")
                .answers(200, "{Record}Record", "The record: updated or unchanged", "Posten: ändrad eller oförändrad")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["patch-malformed", "patch-failed", "patch-needs-test", "nothing-valid"]),
        ),
        change(
            Operation::post("/{collection}/{id}/endings", "end{Record}WithReason", write(amendments::end))
                .tag(RECORDS)
                .summary("End, with reason and correction", "Avsluta, med skäl och rättelse")
                .text("DELETE with everything that its short form cannot carry.", "DELETE med allt som kortformen inte rymmer.")
                .takes(&[&p::ID])
                .body(JSON, "Ending")
                .answers(200, "{Record}Record", "The last state that holds", "Det sista tillståndet som gäller")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["never-valid"]),
        ),
        change(
            Operation::post("/{collection}/{id}/revivals", "revive{Record}", write(amendments::revive))
                .tag(RECORDS)
                .summary("Bring an ended or retracted record back", "Återuppta en avslutad eller makulerad post")
                .text("Explicit, because a write never brings an ended record back by accident.", "Uttryckligt, eftersom en skrivning aldrig av misstag återupptar en avslutad post.")
                .takes(&[&p::ID])
                .body(JSON, "{Record}Revival")
                .answers(200, "{Record}Record", "The record", "Posten")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["not-ended"]),
        ),
        change(
            Operation::post("/{collection}/{id}/retractions", "retract{Record}", write(amendments::retract))
                .tag(RECORDS)
                .summary("Retract what was recorded in error", "Makulera det som registrerats av misstag")
                .text("A period, or without bounds the whole record. It remains visible at an earlier knownAt.", "En period, eller utan gränser hela posten. Den syns fortfarande vid ett tidigare knownAt.")
                .takes(&[&p::ID])
                .body(JSON, "Retraction")
                .answers(200, "WriteOutcome|{Record}Record", "Retracted; what still holds of the record is shown, or else only the outcome", "Makulerad; det som ännu gäller av posten visas, annars bara utfallet")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal"),
        ),
        change(
            Operation::post("/{collection}/{id}/reversions", "revert{Record}", write(amendments::revert))
                .tag(RECORDS)
                .summary("Go back to an earlier version", "Gå tillbaka till en tidigare version")
                .text("As a new change: nothing of the history is lost.", "Som en ny ändring: inget av historiken går förlorat.")
                .takes(&[&p::ID])
                .body(JSON, "Reversion")
                .answers(200, "{Record}Record|WriteOutcome", "Reverted: the record, or only the outcome where nothing of it holds", "Återställd: posten, eller bara utfallet om inget av den gäller")
                .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
                .problems(&["unknown-version", "revert-conflict"]),
        ),
    ]
}

fn of_history() -> Vec<Operation> {
    vec![
        Operation::get("/{collection}/{id}/timeline", "get{Record}Timeline", read(history::timeline))
            .tag(HISTORY)
            .summary("Every state by valid time", "Varje tillstånd i giltighetsordning")
            .text("As known at knownAt: past, present and planned.", "Så som känt vid knownAt: det som varit, det som är och det som är planerat.")
            .takes(&[&p::ID, &p::KNOWN_AT, &p::KNOWN_BY, &p::AS_OF])
            .answers(200, "{Record}Timeline", "The timeline", "Tidslinjen")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS),
        Operation::get("/{collection}/{id}/history", "get{Record}History", read(history::history))
            .tag(HISTORY)
            .summary("Every version with its change, newest first", "Varje version med sin ändring, nyast först")
            .text("Who, when, why, from which source and under which transaction.", "Vem, när, varför, från vilken källa och i vilken transaktion.")
            .takes(&[&p::ID, &p::KNOWN_AT, &p::KNOWN_BY, &p::AS_OF, &p::LIMIT, &p::BEFORE])
            .answers(200, "History", "A page of the history", "En sida av historiken")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS).problems(&["limit-out-of-range"]),
        Operation::get("/{collection}/{id}/versions/{version}", "get{Record}Version", read(history::version))
            .tag(HISTORY)
            .summary("The timeline as of one version", "Tidslinjen i en viss version")
            .text("What was believed after that version was recorded.", "Det som ansågs gälla när den versionen registrerats.")
            .takes(&[&p::ID, &p::VERSION])
            .answers(200, "{Record}Timeline", "The timeline of that version", "Den versionens tidslinje")
            .problems(&RECORD_PROBLEMS).problems(&["unknown-version", "invalid-parameter"]),
        Operation::get("/{collection}/{id}/diff", "get{Record}Diff", read(history::diff))
            .tag(HISTORY)
            .summary("What differs between two versions", "Vad som skiljer två versioner")
            .text("As valid periods, each with a JSON Patch from the one to the other.", "Som giltighetsperioder, var och en med en JSON Patch från den ena till den andra.")
            .takes(&[&p::ID, &p::FROM_VERSION, &p::TO_VERSION])
            .answers(200, "Diff", "The differences", "Skillnaderna")
            .problems(&RECORD_PROBLEMS).problems(&["unknown-version", "invalid-parameter"]),
        Operation::get("/{collection}/{id}/links", "get{Record}Links", read(graph::links))
            .tag(LINKS)
            .summary("Typed neighbours at the coordinate", "Typade grannar vid koordinaten")
            .text("A link holds only where its source and its target are both valid and known. Counts are per relation; `_meta.more` tells of links beyond the limit.", "En länk gäller bara där både källa och mål är giltiga och kända. Antal anges per relation; `_meta.more` säger om det finns fler länkar än gränsen.")
            .takes(&[&p::ID, &p::RELATION, &p::DIRECTION, &p::DEPTH, &p::INCLUDE_RECORDS, &p::LIMIT, &p::PAGE]).takes(&COORDINATE)
            .answers(200, "Links", "The links", "Länkarna")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS).problems(&["unknown-relation", "limit-out-of-range"]),
        Operation::get("/{collection}/{id}/ancestors", "get{Record}Ancestors", read(graph::ancestors))
            .tag(LINKS)
            .summary("What is above the record", "Det som ligger ovanför posten")
            .text("Along the hierarchical relations of the domain, or those given; nearest first.", "Längs domänens hierarkiska relationer, eller de som anges; närmast först.")
            .takes(&[&p::ID, &p::RELATION]).takes(&COORDINATE)
            .answers(200, "{Record}Hierarchy", "The ancestors", "De överordnade")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS).problems(&["unknown-relation"]),
        Operation::get("/{collection}/{id}/subtree", "get{Record}Subtree", read(graph::subtree))
            .tag(LINKS)
            .summary("What is below the record", "Det som ligger under posten")
            .text("Along the hierarchical relations of the domain, or those given; nearest first, a page at a time: follow the next link.", "Längs domänens hierarkiska relationer, eller de som anges; närmast först, en sida i taget: följ länken next.")
            .takes(&[&p::ID, &p::RELATION, &p::LIMIT, &p::AFTER]).takes(&COORDINATE)
            .answers(200, "{Record}Hierarchy", "The subtree", "De underordnade")
            .problems(&RECORD_PROBLEMS).problems(&COORDINATE_PROBLEMS).problems(&["unknown-relation", "limit-out-of-range", "invalid-cursor"]),
    ]
}

fn of_searching() -> Vec<Operation> {
    const SEARCH_PROBLEMS: [&str; 9] = [
        "unknown-property",
        "unsupported-parameter",
        "limit-out-of-range",
        "page-too-deep",
        "invalid-cursor",
        "unknown-identifier-scheme",
        "personal-identifier-in-address",
        "unknown-owner",
        "timeout",
    ];
    vec![
        Operation::get("/{collection}", "list{Records}", read(search::list))
            .tag(SEARCH)
            .summary("Search", "Sök")
            .text(
                "Equality and prefix (`name=Umeå*`) on the indexed properties, text with q. Page with limit and page, or follow the next link to any depth.",
                "Likhet och prefix (`name=Umeå*`) på de indexerade egenskaperna, fritext med q. Bläddra med limit och page, eller följ länken next till valfritt djup.",
            )
            .takes(&[&p::TEXT, &p::SEARCH_IDENTIFIER, &p::OWNER, &p::CONTROLLER, &p::SORT, &p::FIELDS, &p::LIMIT, &p::PAGE, &p::AFTER, &p::COUNT])
            .takes(&COORDINATE)
            .open_query()
            .answers(200, "{Record}Page", "A page of hits", "En sida med träffar")
            .problems(&SEARCH_PROBLEMS).problems(&COORDINATE_PROBLEMS),
        Operation::post("/{collection}/search", "search{Records}", read(search::search))
            .tag(SEARCH)
            .summary("Search with the query in the body", "Sök med frågan i innehållet")
            .text(
                "The same query as GET /{collection}, as a JSON object. POST although it only reads, so that what must not stand in an address (a personal identity number) or does not fit in one can be asked for.",
                "Samma fråga som GET /{collection}, som JSON-objekt. POST trots att det bara läser, så att det som inte får stå i en adress (ett personnummer) eller inte ryms i en kan efterfrågas.",
            )
            .body(JSON, "SearchRequest")
            .answers(200, "{Record}Page", "A page of hits", "En sida med träffar")
            .problems(&SEARCH_PROBLEMS).problems(&COORDINATE_PROBLEMS).problems(&["malformed-json", "missing-body", "invalid-body", "unsupported-media-type", "body-too-large", "too-deep", "nul-character", "request-timeout"]),
        Operation::get("/records", "findRecords", read(identifiers::find))
            .tag(SEARCH)
            .summary("Look up by identifier, across domains and owners", "Slå upp på identitet, över domäner och informationsägare")
            .text("Valid at validAt; for schemes whose values are never reused, a superseded number resolves too, marked so. Personal identifiers are refused here: use POST /records/lookup.", "Giltig vid validAt; för scheman vars värden aldrig återanvänds hittas även ett ersatt nummer, märkt så. Personliga identiteter avvisas här: använd POST /records/lookup.")
            .takes(&[&p::SEARCH_IDENTIFIER]).takes(&COORDINATE)
            .answers(200, "Lookup", "The records", "Posterna")
            .problems(&COORDINATE_PROBLEMS).problems(&["unknown-identifier-scheme", "personal-identifier-in-address"]),
        Operation::post("/records/lookup", "lookUpRecords", read(identifiers::lookup))
            .tag(SEARCH)
            .summary("Look up 1 to 1,000 identifiers of any scheme", "Slå upp 1 till 1 000 identiteter av valfritt schema")
            .text("In one answer, in the order asked. POST although it only reads: a personal identity number must not stand in an address.", "I ett svar, i den ordning som frågats. POST trots att det bara läser: ett personnummer får inte stå i en adress.")
            .body(JSON, "LookupRequest")
            .answers(200, "LookupMany", "For each identifier the records", "Posterna för varje identitet")
            .problems(&COORDINATE_PROBLEMS).problems(&["malformed-json", "missing-body", "invalid-body", "unsupported-media-type", "body-too-large", "too-deep", "nul-character", "request-timeout", "too-many-items", "unknown-identifier-scheme"]),
    ]
}

fn of_many() -> Vec<Operation> {
    vec![
        Operation::get("/exports", "exportRecords", read(exports::export))
            .tag(MANY)
            .logged_as(Kind::Export)
            .summary("Everything that answers a query", "Allt som svarar på en fråga")
            .text("Of one coordinate, however long it takes and whatever is written meanwhile; in the order of domain, owner and id. The same records as the lists show to the same reader, with the same parameters but pages and order. NDJSON, CSV and GeoJSON are streamed, compressed where Accept-Encoding says gzip or zstd; an answer that was cut off has no last line (NDJSON), no end (GeoJSON), or ends without the closing chunk (CSV). XLSX, Parquet and GeoPackage are made whole first and come with their length; a sheet has at most 1,048,575 records.", "Vid en koordinat, hur lång tid det än tar och vad som än skrivs under tiden; i ordning efter domän, ägare och id. Samma poster som listorna visar samma läsare, med samma parametrar utom sidor och ordning. NDJSON, CSV och GeoJSON strömmas, komprimerade om Accept-Encoding anger gzip eller zstd; ett avbrutet svar saknar sista raden (NDJSON), slutet (GeoJSON) eller det avslutande stycket (CSV). XLSX, Parquet och GeoPackage görs färdiga först och kommer med sin längd; ett blad har högst 1 048 575 poster.")
            .takes(&[&p::EXPORT_COLLECTION, &p::EXPORT_FORMAT, &p::EXPORT_HISTORY, &p::EXPORT_GEOMETRY, &p::EXPORT_DELIMITER, &p::EXPORT_BOM, &p::TEXT, &p::SEARCH_IDENTIFIER, &p::OWNER, &p::CONTROLLER, &p::FIELDS])
            .takes(&COORDINATE)
            .open_query()
            .answers_as(200, NDJSON, "Page", "The records", "Posterna")
            .also(&["text/csv", "application/geo+json"])
            .also(&FileFormat::ALL.map(|(_, format)| format.media_type()))
            .problems(&COORDINATE_PROBLEMS)
            .problems(&["unknown-property", "unsupported-parameter", "unknown-identifier-scheme", "personal-identifier-in-address", "unknown-owner", "too-many-items", "timeout"]),
        Operation::get("/exports/lossless", "exportLossless", admin(lossless::export))
            .tag(MANY)
            .logged_as(Kind::Export)
            .summary("Everything of an owner, without loss", "Allt hos en informationsägare, utan förlust")
            .text("All states in both times, versions with their changes, tombstones, marks, rules, disposals, sources and loads, as they are at one moment, whatever their protection: from this file grunddata import rebuilds an installation. For whoever administers all of each owner, and without owner for administrators of the whole registry, who get tokens (as hashes) and grants as well. One at a time. A file that was cut off has no last line.", "Alla tillstånd i båda tiderna, versioner med sina ändringar, spår av det raderade, markeringar, regler, gallringar, källor och inläsningar så som de är i ett ögonblick, oavsett skydd: ur filen bygger grunddata import upp en installation igen. För den som administrerar allt hos varje ägare, och utan owner för administratörer av hela registret, som också får nycklar (som kontrollsummor) och behörigheter. En i taget. En avbruten fil saknar sista raden.")
            .takes(&[&p::LOSSLESS_OWNER])
            .answers_as(200, NDJSON, "Binary", "The file", "Filen")
            .problems(&["invalid-parameter", "unknown-owner"]),
        Operation::post("/transactions", "commitTransaction", write(transactions::commit))
            .tag(MANY)
            .summary("Write many records as one", "Skriv många poster som en")
            .text("All or nothing, records of one owner. Operations may refer to each other by temporary ids (temp:NAME). At most {list} operations.", "Allt eller inget, poster för en informationsägare. Operationer får hänvisa till varandra med tillfälliga id:n (temp:NAMN). Högst {list} operationer.")
            .takes(&WRITE_HEADERS)
            .body(JSON, "Transaction")
            .answers(200, "TransactionOutcome", "What happened to each record", "Vad som hände med varje post")
            .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
            .problems(&WRITE_PROBLEMS).problems(&CHANGE_PROBLEMS)
            .problems(&["too-many-items", "several-owners", "unknown-temporary-id", "duplicate-in-transaction", "planned-states", "record-ended", "not-ended", "nothing-valid", "never-valid", "record-exists", "patch-failed", "patch-malformed", "patch-needs-test"]),
        Operation::post("/transactions/{transaction}/reversal", "reverseTransaction", write(transactions::reverse))
            .tag(MANY)
            .summary("Undo a transaction", "Ångra en transaktion")
            .text("As a new transaction. What has been changed since conflicts, and is listed.", "Som en ny transaktion. Det som har ändrats sedan dess är i konflikt och listas.")
            .takes(&[&p::TRANSACTION]).takes(&WRITE_HEADERS)
            .body(JSON, "Reversal")
            .answers(200, "TransactionOutcome", "What happened to each record", "Vad som hände med varje post")
            .answers_empty(204, "With Prefer: return=minimal", "Med Prefer: return=minimal")
            .problems(&WRITE_PROBLEMS).problems(&["invalid-id", "unknown-transaction", "revert-conflict"]),
        Operation::post("/validations", "validateRecords", read(validations::validate))
            .tag(MANY)
            .logged_as(Kind::Search)
            .summary("Check records without storing them", "Kontrollera poster utan att lagra dem")
            .text("The errors that each would give by itself, in the order sent; as a JSON list or one record on each line (NDJSON). Who may write for the owner has each tried as that write, and rehearsed says so; records that refer to others by temporary ids are not.", "Felen som var och en skulle ge för sig, i den ordning de skickas; som en JSON-lista eller en post på varje rad (NDJSON). För den som får skriva för informationsägaren prövas var och en som den skrivningen, och det står i rehearsed; poster som hänvisar till andra med tillfälliga id:n prövas inte så.")
            .body(JSON, "Validation")
            .body(NDJSON, "ValidationItem")
            .answers(200, "ValidationOutcome", "For each record its errors", "Felen för varje post")
            .problems(&["malformed-json", "missing-body", "invalid-body", "unsupported-media-type", "body-too-large", "too-deep", "nul-character", "request-timeout", "too-many-items", "unknown-model"]),
    ]
}

fn of_the_standard() -> Vec<Operation> {
    vec![
        Operation::get("/models", "listModels", public(model::models))
            .tag(STANDARD)
            .summary(
                "The packages of the information model",
                "Informationsmodellens paket",
            )
            .text(
                "Each with its version, status and domains.",
                "Vart och ett med version, status och domäner.",
            )
            .answers(200, "Models", "The packages", "Paketen"),
        Operation::get("/models/{name}/{version}", "getModel", public(model::model))
            .tag(STANDARD)
            .summary(
                "One package: schemas and code lists",
                "Ett paket: scheman och kodlistor",
            )
            .text(
                "JSON Schema 2020-12 with the annotations of the registry.",
                "JSON Schema 2020-12 med registrets annoteringar.",
            )
            .takes(&[&p::MODEL_NAME, &p::MODEL_VERSION])
            .answers(200, "Model", "The package", "Paketet")
            .problems(&["not-found"]),
        Operation::get("/models/{name}/{version}/files", "getModelFiles", public(model::files))
            .tag(STANDARD)
            .summary(
                "One package with all its files",
                "Ett paket med alla sina filer",
            )
            .text(
                "By their paths inside the package, each in base64, so that the digest can be computed from them: what another registry installs before the records that need it.",
                "Efter sökväg i paketet, var och en i base64, så att kontrollsumman kan räknas fram: det som ett annat register installerar före de poster som behöver det.",
            )
            .takes(&[&p::MODEL_NAME, &p::MODEL_VERSION])
            .answers(200, "ModelFiles", "The package with its files", "Paketet med filerna")
            .problems(&["not-found"]),
        Operation::get("/codelists", "listCodeLists", public(model::code_lists))
            .tag(STANDARD)
            .summary("The code lists", "Kodlistorna")
            .text("Names and titles.", "Namn och titlar.")
            .answers(200, "CodeLists", "The code lists", "Kodlistorna"),
        Operation::get("/codelists/{list}", "getCodeList", public(model::code_list))
            .tag(STANDARD)
            .summary("One code list with its codes", "En kodlista med sina koder")
            .text(
                "Labels and definitions in Swedish and English, validity, successors.",
                "Etiketter och definitioner på svenska och engelska, giltighet, efterträdare.",
            )
            .takes(&[&p::CODE_LIST])
            .answers(200, "CodeList", "The code list", "Kodlistan")
            .problems(&["not-found"]),
    ]
}

fn of_the_api() -> Vec<Operation> {
    const HTML: &str = "text/html";
    vec![
        Operation::get("", "getApiRoot", public(about::root))
            .tag(ABOUT)
            .summary("The entrance: links to everything", "Ingången: länkar till allt")
            .text("Collections, documentation and standard.", "Samlingar, dokumentation och standard.")
            .answers(200, "ApiRoot", "Links", "Länkar"),
        Operation::get("/api-info", "getApiInfo", public(about::api_info))
            .tag(ABOUT)
            .summary("Name, version and status of the API", "API:ets namn, version och status")
            .text("As the national REST API profile asks (VER.06, VER.07).", "Som REST API-profilen kräver (VER.06, VER.07).")
            .answers(200, "ApiInfo", "About the API", "Om API:et"),
        Operation::get("/openapi.json", "getOpenApi", public(about::openapi))
            .tag(ABOUT)
            .summary("This document", "Detta dokument")
            .text("OpenAPI 3.1.", "OpenAPI 3.1.")
            .answers(200, "OpenApi", "The document", "Dokumentet"),
        Operation::get("/problems", "listProblems", public(about::problems))
            .tag(ABOUT)
            .summary("Every problem type", "Alla feltyper")
            .text("With status, title and cure in Swedish and English.", "Med status, rubrik och åtgärd på svenska och engelska.")
            .answers(200, "ProblemTypes", "The problem types", "Feltyperna"),
        Operation::get("/problems/{code}", "getProblem", public(about::problem))
            .tag(ABOUT)
            .summary("One problem type", "En feltyp")
            .text("The address that stands as type in a problem.", "Adressen som står som type i ett fel.")
            .takes(&[&p::CODE])
            .answers(200, "ProblemType", "The problem type", "Feltypen")
            .problems(&["not-found"]),
        Operation::get("/docs", "getDocumentation", public(docs::page))
            .tag(ABOUT)
            .summary("Interactive documentation", "Interaktiv dokumentation")
            .text("Served whole from here, without any outside host.", "Allt kommer härifrån, utan någon annan värd.")
            .answers_as(200, HTML, "Page", "The page", "Sidan"),
        Operation::get("/docs/swagger-ui-bundle.js", "getDocumentationScript", public(docs::script))
            .tag(ABOUT).summary("Script of the documentation", "Dokumentationens skript").text("Swagger UI (Apache-2.0).", "Swagger UI (Apache-2.0).")
            .answers_as(200, "text/javascript", "Page", "The script", "Skriptet"),
        Operation::get("/docs/swagger-ui.css", "getDocumentationStyle", public(docs::style))
            .tag(ABOUT).summary("Style of the documentation", "Dokumentationens stil").text("Swagger UI (Apache-2.0).", "Swagger UI (Apache-2.0).")
            .answers_as(200, "text/css", "Page", "The style", "Stilen"),
        Operation::get("/docs/start.js", "getDocumentationStart", public(docs::start))
            .tag(ABOUT).summary("Start of the documentation", "Dokumentationens start").text("Opens the OpenAPI document.", "Öppnar OpenAPI-dokumentet.")
            .answers_as(200, "text/javascript", "Page", "The script", "Skriptet"),
        Operation::get("/", "getLandingPage", visitor(landing::page)).at_root()
            .tag(ABOUT)
            .summary("The landing page", "Startsidan")
            .text("Swedish first; English with lang=en or Accept-Language.", "Svenska först; engelska med lang=en eller Accept-Language.")
            .takes(&[&p::LANGUAGE])
            .answers_as(200, HTML, "Page", "The page", "Sidan"),
        Operation::get("/id/{domain}/{id}", "resolveId", public(about::persistent)).at_root()
            .tag(ABOUT)
            .summary("The persistent address of a thing", "En saks beständiga adress")
            .text("Answers 303 with the address of its representation.", "Svarar 303 med adressen till dess representation.")
            .takes(&[&p::DOMAIN, &p::ID])
            .answers_empty(303, "See Location", "Se Location")
            .problems(&["invalid-id"]),
        Operation::get("/healthz", "getHealth", public(about::health)).at_root()
            .tag(ABOUT).summary("The process is alive", "Processen lever").text("For supervisors: asks nothing of the database.", "För övervakning: frågar inget av databasen.")
            .answers(200, "Health", "Alive", "Lever"),
        Operation::get("/readyz", "getReadiness", public(about::ready)).at_root()
            .tag(ABOUT).summary("The server can do its work", "Servern kan göra sitt arbete").text("Asks the database.", "Frågar databasen.")
            .answers(200, "Health", "Ready", "Redo")
            .problems(&["busy"]),
        Operation::get("/metrics", "getMetrics", visitor(about::metrics)).at_root()
            .tag(ABOUT).summary("Metrics for Prometheus", "Mätvärden för Prometheus").text("OpenMetrics text. Shows no record, and names only the owners that the caller administers; keep it from the outside with your proxy.", "OpenMetrics-text. Visar ingen post, och nämner bara de informationsägare som anroparen administrerar; stäng den utåt med er proxy.")
            .answers_as(200, "application/openmetrics-text", "Page", "The metrics", "Mätvärdena"),
        Operation::get("/.well-known/security.txt", "getSecurityText", public(about::security_text)).at_root()
            .tag(ABOUT).summary("Where to report vulnerabilities", "Var sårbarheter anmäls").text("RFC 9116.", "RFC 9116.")
            .answers_as(200, "text/plain", "Page", "The contact", "Kontakten"),
        Operation::get("/.well-known/grunddata-log-keys", "getLogKeys", public(log_proofs::keys)).at_root()
            .tag(FEED).summary("The keys that heads of logs are signed with", "Nycklarna som loggars huvuden signeras med")
            .text("Ed25519, public halves, the oldest first. Those that were replaced stay, so that old heads can be verified.", "Ed25519, de öppna halvorna, den äldsta först. De som bytts ut står kvar, så att gamla huvuden kan verifieras.")
            .answers(200, "LogKeys", "The keys", "Nycklarna")
            .problems(&["busy"]),
    ]
}
