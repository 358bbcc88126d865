//! Sources, loads and provenance.

use actix_web::http::Method;

use super::parameter as p;
use super::table::{HISTORY, LOADS};
use super::{Operation, Parameter, admin, feed, read};
use crate::body::JSON;
use crate::handlers::load_rows::{CSV, XLSX};
use crate::handlers::{load_rows, loads, pending, provenance, sources, uploads};

const BINARY: &str = "application/octet-stream";
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
const OF_SOURCE: [&str; 4] = [
    "unknown-source",
    "owner-required",
    "invalid-parameter",
    "invalid-text",
];
const OF_LOAD: [&str; 3] = ["unknown-load", "owner-required", "invalid-parameter"];
const ROWS: [&Parameter; 4] = [&p::LOAD, &p::LOAD_OWNER, &p::OUTCOME, &p::ROW_STATE];

pub(super) fn operations() -> Vec<Operation> {
    let mut operations = of_sources();
    operations.extend(of_files());
    operations.extend(of_loads());
    operations.push(
        Operation::get("/pending-references", "listPendingReferences", read(pending::list))
            .tag(LOADS)
            .summary("References that lead nowhere yet", "Hänvisningar som ännu inte leder någonstans")
            .text("References by identifier that were stored with onUnresolved=pending, as believed now, by record. Each leads to the record that gets the identifier, by a version of its own. For readers of the whole owner; what is not shown of a record is not told here either.", "Hänvisningar med identitet som sparats med onUnresolved=pending, som de nu ser ut, post för post. Var och en leder till den post som får identiteten, genom en egen version. För den som läser hela informationsägaren; det som inte visas av en post nämns inte heller här.")
            .takes(&[&p::LOAD_OWNER, &p::LIMIT, &p::AFTER_RECORD])
            .answers(200, "PendingReferences", "The references", "Hänvisningarna")
            .problems(&["owner-required", "unknown-owner", "forbidden", "invalid-parameter", "limit-out-of-range"]),
    );
    operations.push(
        Operation::get("/{collection}/{id}/provenance", "get{Record}Provenance", read(provenance::get))
            .tag(HISTORY)
            .summary("Why each value is where it is", "Varför varje uppgift är där den är")
            .text("For every property: the change that brought it, with its load, and what each source says of it now. Who changed it and what feeds it is shown to readers of the whole owner.", "För varje egenskap: ändringen som förde in den, med sin inläsning, och vad varje källa nu säger om den. Vem som ändrat och vad som matar visas för den som läser hela informationsägaren.")
            .takes(&[&p::ID, &p::VALID_AT, &p::KNOWN_AT, &p::KNOWN_BY, &p::AS_OF])
            .answers(200, "Provenance", "Where the values come from", "Varifrån uppgifterna kommer")
            .problems(&["invalid-id", "not-found", "not-valid-then", "not-known-then", "retracted", "erased", "forbidden", "invalid-date", "known-at-in-future", "invalid-as-of", "invalid-parameter"]),
    );
    operations
}

fn of_sources() -> Vec<Operation> {
    vec![
        Operation::get("/sources", "listSources", feed(sources::list))
            .tag(LOADS)
            .summary("The sources of an owner", "En informationsägares källor")
            .text("The systems that feed its records, with their settings.", "Systemen som matar dess poster, med inställningar.")
            .takes(&[&p::LOAD_OWNER])
            .answers(200, "FeedingSources", "The sources", "Källorna")
            .problems(&OF_SOURCE),
        Operation::get("/sources/{source}", "getSource", feed(sources::get))
            .tag(LOADS)
            .summary("One source", "En källa")
            .text("Its settings as they are now.", "Inställningarna så som de är nu.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER])
            .answers(200, "FeedingSource", "The source", "Källan")
            .problems(&OF_SOURCE),
        Operation::new(Method::PUT, "/sources/{source}", "putSource", admin(sources::put))
            .tag(LOADS)
            .summary("Put a source, or change its settings", "Lägg upp en källa eller ändra dess inställningar")
            .text("Every change is a version. The mapping is read before anything is stored; all its faults are told with their line. Loads already planned keep the settings that they were planned by.", "Varje ändring är en version. Mappningen läses innan något lagras; alla fel i den anges med rad. Redan planerade inläsningar behåller inställningarna de planerades med.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER, &p::IF_MATCH])
            .body(JSON, "SourceRequest")
            .answers(200, "FeedingSource", "Changed: the source", "Ändrad: källan")
            .answers(201, "FeedingSource", "Put: the source, with Location", "Upplagd: källan, med Location")
            .problems(&BODY).problems(&OF_SOURCE).problems(&["invalid-settings", "invalid-header", "precondition-required", "precondition-failed"]),
        Operation::get("/sources/{source}/history", "getSourceHistory", feed(sources::history))
            .tag(LOADS)
            .summary("The versions of a source", "En källas versioner")
            .text("Who changed its settings when and why, the latest first.", "Vem som ändrat inställningarna, när och varför, senast först.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER])
            .answers(200, "FeedingSources", "The versions", "Versionerna")
            .problems(&OF_SOURCE),
    ]
}

fn of_files() -> Vec<Operation> {
    vec![
        Operation::get("/sources/{source}/loads", "listLoads", feed(loads::list))
            .tag(LOADS)
            .summary("The loads of a source", "En källas inläsningar")
            .text("The latest first.", "Senast först.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER, &p::LIMIT, &p::BEFORE_LOAD])
            .answers(200, "Loads", "The loads", "Inläsningarna")
            .problems(&OF_SOURCE).problems(&["limit-out-of-range"]),
        Operation::post("/sources/{source}/loads", "createLoad", feed(loads::create))
            .tag(LOADS)
            .summary("Send a file and have its plan made", "Skicka en fil och få dess plan")
            .text("The body is the file, streamed, of any form that the mapping reads, with its checksum in Repr-Digest; or it is left out, and upload names a file that was sent piece by piece. Nothing of the records changes: the load that comes back says what would. Where the plan takes longer than Prefer: wait (10 seconds where it says nothing, 60 at most), the answer is 202.", "Innehållet är filen, strömmad, i någon form som mappningen läser, med kontrollsumma i Repr-Digest; eller så utelämnas det, och upload anger en fil som skickats i delar. Inget i posterna ändras: inläsningen i svaret säger vad som skulle ändras. Tar planen längre tid än Prefer: wait (10 sekunder om inget sägs, högst 60) blir svaret 202.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER, &p::LOAD_KIND, &p::FILE_NAME, &p::FILE_DATE, &p::REFERENCE_DATE, &p::REPLACE, &p::UPLOAD_QUERY, &p::REPR_DIGEST, &p::PREFER_WAIT])
            .may_have(BINARY, "Binary")
            .answers(201, "Load", "The plan is made, or the file refused: the load, with Location", "Planen är klar, eller filen avvisad: inläsningen, med Location")
            .answers(202, "Load", "The plan is being made: read the load again", "Planen görs: läs inläsningen igen")
            .problems(&OF_SOURCE).problems(&["load-open", "source-retired", "invalid-settings", "digest-mismatch", "invalid-header", "body-too-large", "request-timeout", "invalid-body", "unsupported-media-type", "unknown-upload", "upload-incomplete"]),
        Operation::post("/sources/{source}/uploads", "beginUpload", feed(uploads::begin))
            .tag(LOADS)
            .summary("Begin to send a file in pieces", "Börja skicka en fil i delar")
            .text("For files that are long and connections that break. What is not finished is removed after 24 hours.", "För långa filer och förbindelser som bryts. Det som inte blir klart tas bort efter 24 timmar.")
            .takes(&[&p::SOURCE_KEY, &p::LOAD_OWNER])
            .body(JSON, "UploadRequest")
            .answers(201, "Upload", "Begun: where the pieces go, in Location", "Påbörjad: vart delarna ska, i Location")
            .problems(&BODY).problems(&OF_SOURCE).problems(&["too-many-items"]),
        Operation::get("/uploads/{upload}", "getUpload", feed(uploads::get))
            .tag(LOADS)
            .summary("How much of a file has come", "Hur mycket av en fil som kommit")
            .text("Your own alone. Upload-Offset says where the next piece begins.", "Bara dina egna. Upload-Offset säger var nästa del börjar.")
            .takes(&[&p::UPLOAD])
            .answers(200, "Upload", "The upload", "Uppladdningen")
            .problems(&["unknown-upload", "invalid-parameter"]),
        Operation::new(Method::PATCH, "/uploads/{upload}", "appendUpload", feed(uploads::append))
            .tag(LOADS)
            .summary("Send a piece", "Skicka en del")
            .text("From the byte that Upload-Offset says, with its checksum in Content-Digest. What came before a connection broke is kept; a piece whose checksum does not fit is not.", "Från den byte som Upload-Offset anger, med kontrollsumma i Content-Digest. Det som hann komma innan en förbindelse bröts behålls; en del vars kontrollsumma inte stämmer behålls inte.")
            .takes(&[&p::UPLOAD, &p::UPLOAD_OFFSET, &p::CONTENT_DIGEST])
            .body(BINARY, "Binary")
            .answers(200, "Upload", "Added: how much has come", "Tillagd: hur mycket som kommit")
            .problems(&["unknown-upload", "upload-offset", "digest-mismatch", "invalid-header", "invalid-parameter", "body-too-large", "request-timeout", "invalid-body", "unsupported-media-type"]),
        Operation::new(Method::DELETE, "/uploads/{upload}", "removeUpload", feed(uploads::remove))
            .tag(LOADS)
            .summary("Remove what has come of a file", "Ta bort det som kommit av en fil")
            .text("Your own alone.", "Bara dina egna.")
            .takes(&[&p::UPLOAD])
            .answers_empty(204, "Removed", "Borttaget")
            .problems(&["unknown-upload", "invalid-parameter"]),
    ]
}

fn of_loads() -> Vec<Operation> {
    let act = |path: &'static str, id: &'static str, binding| {
        Operation::post(path, id, binding)
            .tag(LOADS)
            .takes(&[&p::LOAD, &p::LOAD_OWNER])
            .problems(&OF_LOAD)
            .problems(&["load-state"])
    };
    vec![
        Operation::get("/loads/{load}", "getLoad", feed(loads::get))
            .tag(LOADS)
            .summary("One load", "En inläsning")
            .text("How far it is, what its rows come to, which guards have stopped it, and what can be done with it.", "Hur långt den kommit, vad raderna blir, vilka spärrar som stoppat den och vad som kan göras med den.")
            .takes(&[&p::LOAD, &p::LOAD_OWNER])
            .answers(200, "Load", "The load", "Inläsningen")
            .problems(&OF_LOAD),
        Operation::get("/loads/{load}/rows", "listLoadRows", feed(load_rows::list))
            .tag(LOADS)
            .summary("The rows of a plan", "Planens rader")
            .text("What each row would do, property by property, exactly as it will be applied. Rows about records that you may not see show their outcome alone.", "Vad varje rad skulle göra, egenskap för egenskap, precis så som det genomförs. Rader om poster som du inte får se visar bara sitt utfall.")
            .takes(&ROWS).takes(&[&p::LIMIT, &p::AFTER_ROW])
            .answers(200, "PlanRows", "The rows, by number", "Raderna, efter nummer")
            .problems(&OF_LOAD).problems(&["limit-out-of-range"]),
        Operation::get("/loads/{load}/rows.csv", "listLoadRowsAsCsv", feed(load_rows::csv))
            .tag(LOADS)
            .summary("The plan as a table (CSV)", "Planen som tabell (CSV)")
            .text("For whoever decides about it: one line for each property that changes and each problem, at most 100,000 lines.", "För den som ska ta ställning: en rad för varje egenskap som ändras och varje problem, högst 100 000 rader.")
            .takes(&ROWS).takes(&[&p::LANGUAGE])
            .answers_as(200, CSV, "Binary", "The table", "Tabellen")
            .problems(&OF_LOAD).problems(&["too-many-items", "load-state"]),
        Operation::get("/loads/{load}/rows.xlsx", "listLoadRowsAsWorkbook", feed(load_rows::xlsx))
            .tag(LOADS)
            .summary("The plan as a workbook (XLSX)", "Planen som arbetsbok (XLSX)")
            .text("The same as a workbook.", "Detsamma som arbetsbok.")
            .takes(&ROWS).takes(&[&p::LANGUAGE])
            .answers_as(200, XLSX, "Binary", "The workbook", "Arbetsboken")
            .problems(&OF_LOAD).problems(&["too-many-items", "load-state"]),
        Operation::get("/loads/{load}/findings", "listLoadFindings", feed(loads::findings))
            .tag(LOADS)
            .summary("What a load let through but is worth a look", "Det som en inläsning släppt igenom men bör granskas")
            .text("As a rule references whose target does not hold at that time.", "I regel hänvisningar vars mål inte gäller då.")
            .takes(&[&p::LOAD, &p::LOAD_OWNER, &p::LIMIT, &p::AFTER_BATCH])
            .answers(200, "LoadFindings", "The findings", "Iakttagelserna")
            .problems(&OF_LOAD).problems(&["limit-out-of-range"]),
        act("/loads/{load}/approval", "approveLoad", feed(loads::approve))
            .summary("Approve a plan", "Godkänn en plan")
            .text("By somebody other than whoever had it made, where the source wants four eyes.", "Av någon annan än den som lät göra den, där källan kräver fyra ögon.")
            .may_have(JSON, "ReasonRequest")
            .answers(200, "Load", "The load", "Inläsningen")
            .problems(&BODY).problems(&["same-person", "invalid-text"]),
        act("/loads/{load}/overrides", "overrideGuards", feed(loads::override_guards))
            .summary("Override guards by name", "Åsidosätt spärrar med namn")
            .text("Kept with the load: who, when and why.", "Sparas med inläsningen: vem, när och varför.")
            .body(JSON, "OverrideRequest")
            .answers(200, "Load", "The load", "Inläsningen")
            .problems(&BODY).problems(&["invalid-text"]),
        act("/loads/{load}/application", "applyLoad", feed(loads::apply))
            .summary("Apply a plan", "Genomför en plan")
            .text("In batches that hold nobody up, each of them durable; a load that was broken off goes on after the last one when it is asked for again. Rows that have been overtaken are set aside and reported. Where it takes longer than Prefer: wait, the answer is 202.", "I omgångar som inte hindrar andra, var och en beständig; en inläsning som avbröts går vidare efter den sista när den begärs igen. Rader som hunnits ifatt av annat läggs åt sidan och redovisas. Tar det längre tid än Prefer: wait blir svaret 202.")
            .takes(&[&p::PREFER_WAIT])
            .answers(200, "Load", "Applied, or stopped: the load", "Genomförd, eller stoppad: inläsningen")
            .answers(202, "Load", "Being applied: read the load again", "Genomförs: läs inläsningen igen")
            .problems(&["approval-required"]),
        act("/loads/{load}/cancellation", "cancelLoad", feed(loads::cancel))
            .summary("Give a load up", "Ge upp en inläsning")
            .text("What was applied of it stays, and can be taken back with a reversal.", "Det som genomförts av den står kvar och kan tas tillbaka med en återgång.")
            .may_have(JSON, "ReasonRequest")
            .answers(200, "Load", "The load", "Inläsningen")
            .problems(&BODY).problems(&["invalid-text"]),
        act("/loads/{load}/reversal", "reverseLoad", feed(loads::reverse))
            .summary("Plan the reversal of a load", "Planera en återgång")
            .text("A load of its own, looked at and applied like any other. What was built upon since is a conflict.", "En egen inläsning, som granskas och genomförs som andra. Det som byggts vidare på sedan dess är en konflikt.")
            .answers(201, "Load", "The plan of the reversal, with Location", "Återgångens plan, med Location")
            .problems(&["load-open"]),
    ]
}
