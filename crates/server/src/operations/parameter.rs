//! The parameters that operations take.

use crate::problem::Text;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
    /// A header.
    Header,
}

impl Place {
    /// As OpenAPI names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name: camelCase in the query.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Its JSON Schema, as JSON.
    pub schema: &'static str,
    /// What it is for.
    pub text: Text,
    /// An example.
    pub example: &'static str,
}

macro_rules! parameters {
    ($($constant:ident $place:ident $name:literal $schema:literal $example:literal $en:literal $sv:literal;)+) => {
        $(
            pub(crate) static $constant: Parameter = Parameter {
                name: $name, place: Place::$place, schema: $schema, example: $example, text: Text { sv: $sv, en: $en },
            };
        )+
        /// Every parameter, for the tests of the table.
        #[cfg(test)]
        pub(crate) static ALL: &[&Parameter] = &[$(&$constant),+];
    };
}

parameters! {
    ID Path "id" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000001"
        "The record's id." "Postens id.";
    VERSION Path "version" r#"{"type":"integer","minimum":1}"# "3"
        "The version's number, from 1." "Versionens nummer, från 1.";
    TRANSACTION Path "transaction" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-00000000000a"
        "The transaction's id, as the history shows it." "Transaktionens id, så som historiken visar det.";
    MODEL_NAME Path "name" r#"{"type":"string"}"# "grunddata"
        "The package's name." "Paketets namn.";
    MODEL_VERSION Path "version" r#"{"type":"string"}"# "1.0.0"
        "The package's version." "Paketets version.";
    CODE_LIST Path "list" r#"{"type":"string"}"# "organisation-kind"
        "The code list's name." "Kodlistans namn.";
    OWNER_KEY Path "owner" r#"{"type":"string"}"# "se-2480"
        "The owner's key." "Informationsägarens nyckel.";
    TOKEN Path "token" r#"{"type":"string"}"# "01990c3e-7a5b-7000-8000-00000000000b"
        "The token's id, as the list shows it; never the token itself." "Nyckelns id, så som listan visar det; aldrig själva nyckeln.";
    PEER Path "peer" r#"{"type":"string"}"# "scb"
        "The peer's name." "Partens namn.";
    PEER_RECORDS Query "records" r#"{"type":"string","enum":["keep","remove"],"default":"keep"}"# "keep"
        "Whether what was copied stays, or is removed with its owner." "Om det som kopierats står kvar, eller tas bort med sin informationsägare.";
    EXCHANGE_WAIT Query "wait" r#"{"type":"integer","minimum":0,"maximum":60,"default":20}"# "20"
        "How many seconds the answer waits for a question." "Hur många sekunder svaret väntar på en fråga.";
    EXCHANGE_ANSWERS Query "answers" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000030"
        "The question that the body answers." "Frågan som innehållet besvarar.";
    EXCHANGE_STATUS Query "status" r#"{"type":"integer","minimum":100,"maximum":599,"default":200}"# "200"
        "The status with which it was answered." "Statusen som den besvarades med.";
    EXCHANGE_RETRY_AFTER Query "retryAfter" r#"{"type":"integer","minimum":0}"# "5"
        "The seconds of its Retry-After, where there was one." "Sekunderna i dess Retry-After, om det fanns något.";
    TRANSFER Path "transfer" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000020"
        "The hand-over's id, as the list shows it." "Överlämningens id, så som listan visar det.";
    HAND_OFF Path "handoff" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000022"
        "The hand-off's id, as the list shows it." "Utlämnandets id, så som listan visar det.";
    TRANSFER_OWNER Query "owner" r#"{"type":"string"}"# "norrberga"
        "Whose hand-overs." "Vems överlämningar.";
    TRANSFER_AFTER Query "after" r#"{"type":"integer","minimum":0,"default":0}"# "200"
        "From which record on: next of the page before." "Från vilken post: next på sidan före.";
    GRANT Path "grant" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-00000000000c"
        "The grant's id, as the list shows it." "Behörighetens id, så som listan visar det.";
    SUBSCRIPTION Path "subscription" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000010"
        "The subscription's id, as the list shows it." "Prenumerationens id, så som listan visar det.";
    DELIVERY Path "number" r#"{"type":"integer","minimum":1}"# "17"
        "The delivery's number, as the list shows it." "Leveransens nummer, så som listan visar det.";
    DELIVERIES_BEFORE Query "before" r#"{"type":"integer","minimum":1}"# "17"
        "Only deliveries before this number." "Bara leveranser före detta nummer.";
    RULE Path "rule" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-00000000000e"
        "The rule's id, as the list shows it." "Regelns id, så som listan visar det.";
    MARK Path "mark" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-00000000000f"
        "The id, as the list shows it." "Id, så som listan visar det.";
    RULE_END Query "validFrom" r#"{"type":"string","format":"date"}"# "2027-01-01"
        "The first day on which the rule does not hold any more. Default: today." "Första dagen då regeln inte längre gäller. Förval: i dag.";
    BY_NAME Query "byName" r#"{"type":"boolean","default":false}"# "false"
        "Whether those who wrote and read are told by name: only when that has been decided." "Om de som skrivit och läst anges med namn: bara efter särskilt beslut.";
    EXTRACT_CONTROLLER Query "controller" r#"{"type":"string"}"# "own"
        "Only the records of this controller: the id of an organisation, or own for those of the owner itself. Whoever is a steward of some controllers gets theirs." "Bara posterna hos denna personuppgiftsansvariga: en organisations id, eller own för informationsägarens egna. Den som är förvaltare hos några personuppgiftsansvariga får deras.";
    LOG_FROM Query "from" r#"{"type":"string","format":"date-time"}"# "2026-11-01T00:00:00Z"
        "Not before this instant." "Inte före denna tidpunkt.";
    LOG_TO Query "to" r#"{"type":"string","format":"date-time"}"# "2026-12-01T00:00:00Z"
        "Before this instant." "Före denna tidpunkt.";
    LOG_ACTOR Query "actor" r#"{"type":"string"}"# "hr-laddning"
        "By this user or client." "Av denna användare eller klient.";
    LOG_ON_BEHALF_OF Query "onBehalfOf" r#"{"type":"string"}"# "kommun:anna"
        "In the name of this one." "I dennas namn.";
    LOG_RECORD Query "record" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000001"
        "Only entries in which this record was shown." "Bara poster där denna post visades.";
    LOG_KIND Query "kind" r#"{"type":"string"}"# "read"
        "What was done: read, search, history, links, write, administration, log-read …" "Vad som gjordes: read, search, history, links, write, administration, log-read …";
    LOG_OPERATION Query "operation" r#"{"type":"string"}"# "get{Record}"
        "By this operation." "Med denna operation.";
    LOG_PURPOSE Query "purpose" r#"{"type":"string"}"# "skolplacering"
        "With exactly this purpose." "Med just detta ändamål.";
    LOG_REQUEST Query "requestId" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-00000000000d"
        "Of this request." "Från denna begäran.";
    LOG_OUTCOME Query "outcome" r#"{"type":"string"}"# "refused"
        "That ended so: ok, refused, or the code of a refusal, such as identifier-in-use." "Som slutade så: ok, refused eller koden för en avvisning, till exempel identifier-in-use.";
    LOG_TEXT Query "q" r#"{"type":"string"}"# "skola"
        "With this text anywhere in the entry." "Med denna text någonstans i posten.";
    LOG_ORDER Query "order" r#"{"type":"string","enum":["newest","oldest"]}"# "newest"
        "The newest or the oldest first." "Nyast eller äldst först.";
    CODE Path "code" r#"{"type":"string"}"# "not-found"
        "The problem type's code." "Feltypens kod.";
    DOMAIN Path "domain" r#"{"type":"string","enum":["person","role","organisation","geography","service"]}"# "organisation"
        "The domain." "Domänen.";

    VALID_AT Query "validAt" r#"{"type":"string","format":"date"}"# "2026-12-31"
        "The day on which things hold. Default: today (Europe/Stockholm)." "Dagen då det gäller. Förval: i dag (svensk tid).";
    KNOWN_AT Query "knownAt" r#"{"type":"string","format":"date-time"}"# "2026-11-21T10:15:30.123456Z"
        "The instant at which things are known; not in the future. Default: everything recorded so far." "Tidpunkten då det är känt; inte i framtiden. Förval: allt som hittills registrerats.";
    KNOWN_BY Query "knownBy" r#"{"type":"string","enum":["origin","holder"],"default":"origin"}"# "holder"
        "By whom it was known at knownAt: when the origin recorded it, or when it came to this registry. They differ for copies of other registries alone." "Av vem det var känt vid knownAt: när det registrerades där det hör hemma, eller när det kom till detta register. Skiljer sig bara för kopior av andra register.";
    AS_OF Query "asOf" r#"{"type":"string"}"# "AQALXY0A"
        "A token from an earlier answer: reads at exactly its coordinate. Instead of validAt and knownAt." "En markör ur ett tidigare svar: läser på exakt samma koordinat. I stället för validAt och knownAt.";
    WRITE_FROM Query "validFrom" r#"{"type":"string"}"# "2027-01-01"
        "First day of the period that is written: a date, `start` for the record's first day, or `unknown`. Default: today." "Första dagen i perioden som skrivs: ett datum, `start` för postens första dag, eller `unknown`. Förval: i dag.";
    WRITE_TO Query "validTo" r#"{"type":"string"}"# "open"
        "The first day after the period: a date, or `open`. Default: that of the operation." "Första dagen efter perioden: ett datum, eller `open`. Förval: operationens eget.";
    MATCH Query "match" r#"{"type":"string"}"# "source:hr"
        "Upsert: find the record by the identifier of this scheme in the body and replace it, or create it." "Upsert: hitta posten med identiteten av detta schema i innehållet och ersätt den, eller skapa den.";
    ON_UNCOVERED Query "onUncovered" r#"{"type":"string","enum":["reject","clip","flag"],"default":"reject"}"# "reject"
        "What to do with a reference whose target does not hold all the time." "Vad som görs med en referens vars mål inte gäller hela tiden.";
    ON_UNRESOLVED Query "onUnresolved" r#"{"type":"string","enum":["reject","pending"],"default":"reject"}"# "reject"
        "What to do with a reference by identifier that leads to no record: pending keeps it until a record gets the identifier." "Vad som görs med en referens med en identitet som ingen post har: pending behåller den tills en post får identiteten.";
    BEFORE Query "before" r#"{"type":"integer","minimum":1}"# "12"
        "Only versions before this one; the next link gives it." "Bara versioner före denna; länken next anger den.";
    FROM_VERSION Query "from" r#"{"type":"integer","minimum":1}"# "1"
        "The earlier version." "Den tidigare versionen.";
    TO_VERSION Query "to" r#"{"type":"integer","minimum":1}"# "3"
        "The later version. Default: the present one." "Den senare versionen. Förval: den nuvarande.";
    RELATION Query "relation" r#"{"type":"string"}"# "parent"
        "Only these relations, separated by commas; a name without suffix holds all its kinds." "Bara dessa relationer, åtskilda med komma; ett namn utan tillägg omfattar alla dess slag.";
    DIRECTION Query "direction" r#"{"type":"string","enum":["out","in","both"],"default":"out"}"# "in"
        "`out`: what the record refers to; `in`: what refers to it; `both`." "`out`: det som posten hänvisar till; `in`: det som hänvisar till den; `both`: båda.";
    DEPTH Query "depth" r#"{"type":"integer","minimum":1,"maximum":10,"default":1}"# "2"
        "How many steps." "Antal steg.";
    INCLUDE_RECORDS Query "include" r#"{"type":"string","enum":["records"]}"# "records"
        "`records`: the neighbours' records come along, each once, under included." "`records`: grannarnas poster följer med, var och en en gång, under included.";
    LIMIT Query "limit" r#"{"type":"integer","minimum":1,"maximum":1000,"default":20}"# "20"
        "The size of a page." "Sidans storlek.";
    PAGE Query "page" r#"{"type":"integer","minimum":1,"default":1}"# "1"
        "The page, from 1, among the first 10,000 hits." "Sidan, från 1, bland de första 10 000 träffarna.";
    AFTER Query "after" r#"{"type":"string"}"# "eyJ2IjoxfQ"
        "A cursor from the next link, for any depth." "En markör ur länken next, för valfritt djup.";
    COUNT Query "count" r#"{"type":"string","enum":["none","estimate","exact"],"default":"none"}"# "exact"
        "Whether the hits are counted." "Om träffarna räknas.";
    TEXT Query "q" r#"{"type":"string"}"# "förskola norra"
        "Text: ranked, folded for case and accents, tolerant of typing errors." "Fritext: rangordnad, oberoende av versaler och accenter, tål skrivfel.";
    SEARCH_IDENTIFIER Query "identifier" r#"{"type":"string"}"# "se-municipality-code:0331"
        "SCHEME:VALUE of an identifier valid at the coordinate. Personal identifiers are refused in an address." "SCHEMA:VÄRDE för en identitet som gäller vid koordinaten. Personliga identiteter avvisas i en adress.";
    OWNER Query "owner" r#"{"type":"string"}"# "se-2480"
        "Only records of this owner." "Bara poster för denna informationsägare.";
    CONTROLLER Query "controller" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000002"
        "Only records for which this organisation is responsible." "Bara poster som denna organisation är personuppgiftsansvarig för.";
    SORT Query "sort" r#"{"type":"string"}"# "-name,validFrom"
        "Indexed properties, separated by commas; a minus sign turns the order." "Indexerade egenskaper, åtskilda med komma; minustecken vänder ordningen.";
    FIELDS Query "fields" r#"{"type":"string"}"# "name,kind"
        "Only these properties of data, separated by commas." "Bara dessa egenskaper i data, åtskilda med komma.";
    EXPORT_COLLECTION Query "collection" r#"{"type":"string"}"# "organisations"
        "Which collections, separated by commas. CSV, XLSX and Parquet take exactly one, GeoJSON and GeoPackage geographies. Default: all." "Vilka samlingar, åtskilda med komma. CSV, XLSX och Parquet tar precis en, GeoJSON och GeoPackage geographies. Förval: alla.";
    EXPORT_FORMAT Query "format" r#"{"type":"string","enum":["ndjson","csv","geojson","xlsx","parquet","geopackage"],"default":"ndjson"}"# "ndjson"
        "NDJSON: one record of the lists' shape on each line, and a last line with number and SHA-256. CSV: flat columns derived from the model. GeoJSON: a feature collection. XLSX: the columns as a sheet, with dates and numbers as such. Parquet: the columns with types. GeoPackage: a table of features with the columns." "NDJSON: en post med listornas form på varje rad, och en sista rad med antal och SHA-256. CSV: platta kolumner ur modellen. GeoJSON: en FeatureCollection. XLSX: kolumnerna som ett blad, med datum och tal som sådana. Parquet: kolumnerna med typer. GeoPackage: en tabell med geoobjekt och kolumnerna.";
    LOSSLESS_OWNER Query "owner" r#"{"type":"string"}"# "se-2480"
        "Only these owners, separated by commas. Their records must not refer to those of others." "Bara dessa informationsägare, åtskilda med komma. Deras poster får inte hänvisa till andras.";
    EXPORT_HISTORY Query "history" r#"{"type":"boolean","default":false}"# "false"
        "NDJSON: every state of each record as known, under states." "NDJSON: varje posts alla tillstånd så som de är kända, under states.";
    EXPORT_GEOMETRY Query "geometry" r#"{"type":"boolean","default":false}"# "false"
        "Whether geometry comes along; always in GeoJSON and GeoPackage." "Om geometri följer med; alltid i GeoJSON och GeoPackage.";
    EXPORT_DELIMITER Query "delimiter" r#"{"type":"string","enum":["comma","semicolon","tab"],"default":"comma"}"# "semicolon"
        "CSV: what stands between the cells." "CSV: vad som står mellan cellerna.";
    EXPORT_BOM Query "bom" r#"{"type":"boolean","default":false}"# "true"
        "CSV: a byte order mark at the beginning, by which Excel knows UTF-8." "CSV: en byte order mark i början, så att Excel känner igen UTF-8.";
    FEED_OWNER Query "owner" r#"{"type":"string"}"# "se-2480"
        "Required. Whose log." "Krävs. Vems logg.";
    FEED_AFTER Query "after" r#"{"type":["integer","string"],"default":0}"# "4711"
        "Only what comes after this position or cursor of an earlier answer. 0 = everything, now = nothing that is there already." "Bara det som kommer efter denna position eller markör ur ett tidigare svar. 0 = allt, now = inget som redan finns.";
    FEED_WAIT Query "wait" r#"{"type":"integer","minimum":0,"maximum":60}"# "30"
        "How many seconds the answer waits when there is nothing yet." "Hur många sekunder svaret väntar när inget finns ännu.";
    FEED_DOMAIN Query "domain" r#"{"type":"string"}"# "organisation,role"
        "Only records of these domains, separated by commas." "Bara poster i dessa domäner, åtskilda med komma.";
    FEED_KIND Query "kind" r#"{"type":"string"}"# "create,end"
        "Only these kinds, separated by commas: create, replace, amend, end, revive, retract, revert, follow, merge, erase, effective. What is withdrawn always comes." "Bara dessa slag, åtskilda med komma: create, replace, amend, end, revive, retract, revert, follow, merge, erase, effective. Det som återkallas kommer alltid.";
    FEED_RECORD Query "record" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000001"
        "Only of this record." "Bara om denna post.";
    FEED_PROOF Query "proof" r#"{"type":"boolean","default":false}"# "true"
        "With content=states, for readers of the whole owner: what is needed to compute the leaf of each entry in the log's tree." "Med content=states, för den som läser hela informationsägaren: det som behövs för att räkna ut varje händelses löv i loggens träd.";
    FEED_EPOCH Query "epoch" r#"{"type":"integer","minimum":1}"# "1"
        "In which epoch of the log the position in after was given, as an answer said in _meta.epoch. After a restore from a backup a position that is gone is refused then, with where to go back to." "I vilken av loggens epoker positionen i after gavs, enligt ett svars _meta.epoch. Efter en återställning från säkerhetskopia avvisas då en position som inte längre finns, med uppgift om vart läsaren ska backa.";
    LOG_POSITION Path "position" r#"{"type":"integer","minimum":1}"# "4711"
        "The position in the log." "Positionen i loggen.";
    LOG_SIZE Query "size" r#"{"type":"integer","minimum":1}"# "5000"
        "The head of the log when it had so many entries. Without it that of now." "Loggens huvud när den hade så många händelser. Utan det gäller huvudet nu.";
    HEAD_FROM Query "from" r#"{"type":"integer","minimum":1}"# "4711"
        "Required. How many entries the earlier head covers." "Krävs. Hur många händelser det tidigare huvudet omfattar.";
    HEAD_TO Query "to" r#"{"type":"integer","minimum":1}"# "5000"
        "How many entries the later head covers. Without it that of now." "Hur många händelser det senare huvudet omfattar. Utan det gäller huvudet nu.";
    FEED_CONTENT Query "content" r#"{"type":"string","enum":["thin","states","copy"],"default":"thin"}"# "states"
        "`states`: with every state as believed at the change, and with who wrote and why. `copy`: the same for another registry that keeps a copy." "`states`: med alla tillstånd som ändringen ledde till, och med vem som skrivit och varför. `copy`: detsamma för ett annat register som håller en kopia.";
    FEED_FORMAT Query "format" r#"{"type":"string","enum":["json","ndjson"],"default":"json"}"# "ndjson"
        "`ndjson`: everything there is now in one answer, one entry on each line." "`ndjson`: allt som finns nu i ett svar, en händelse per rad.";
    SOURCE_KEY Path "source" r#"{"type":"string"}"# "hr"
        "The key of the source." "Källans nyckel.";
    LOAD Path "load" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000010"
        "The load's id." "Inläsningens id.";
    UPLOAD Path "upload" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000011"
        "The upload's id." "Uppladdningens id.";
    LOAD_OWNER Query "owner" r#"{"type":"string"}"# "se-2480"
        "The owner. May be left out by who works for exactly one." "Informationsägaren. Får utelämnas av den som arbetar för exakt en.";
    LOAD_KIND Query "kind" r#"{"type":"string","enum":["full","delta"]}"# "full"
        "Required. `full`: what the file leaves out has ended; `delta`: what has changed." "Krävs. `full`: det som filen utelämnar har upphört; `delta`: det som ändrats.";
    FILE_NAME Query "name" r#"{"type":"string","maxLength":200}"# "hr.csv"
        "The name of the file: stands in every message, and its ending helps to tell what it is." "Filens namn: står i varje meddelande, och ändelsen hjälper till att avgöra vad den är.";
    FILE_DATE Query "date" r#"{"type":"string","format":"date"}"# "2026-11-21"
        "The day on which the file was made: one older than the last is stopped." "Dagen då filen gjordes: en som är äldre än den förra stoppas.";
    REFERENCE_DATE Query "referenceDate" r#"{"type":"string","format":"date"}"# "2026-11-21"
        "The day from which what the file says without a date holds. Default: as the source says." "Dagen från vilken det som filen säger utan datum gäller. Förval: som källan anger.";
    REPLACE Query "replace" r#"{"type":"boolean","default":false}"# "false"
        "Whether a plan of the source that nobody has begun on is given up for this one." "Om en plan för källan som ingen börjat på ges upp för denna.";
    UPLOAD_QUERY Query "upload" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000011"
        "A file that has come in pieces, in the place of a body." "En fil som kommit i delar, i stället för innehåll.";
    BEFORE_LOAD Query "before" r#"{"type":"string","format":"uuid"}"# "01990c3e-7a5b-7000-8000-000000000010"
        "Only loads before this one; the next link gives it." "Bara inläsningar före denna; länken next anger den.";
    OUTCOME Query "outcome" r#"{"type":"string"}"# "end,conflict"
        "Only these outcomes, with commas: create, change, end, revive, confirm, release, rejected, conflict." "Bara dessa utfall, med komma: create, change, end, revive, confirm, release, rejected, conflict.";
    ROW_STATE Query "state" r#"{"type":"string","enum":["planned","applied","set-aside"]}"# "set-aside"
        "Only rows in this state." "Bara rader i detta läge.";
    AFTER_RECORD Query "after" r#"{"type":"string","format":"uuid"}"# "01990c3e-0000-7000-8000-0000000000a1"
        "The record after which the list goes on; the next link gives it." "Posten som listan fortsätter efter; länken next anger den.";
    AFTER_ROW Query "after" r#"{"type":"integer","minimum":0}"# "20"
        "Only rows after this number; the next link gives it." "Bara rader efter detta nummer; länken next anger det.";
    AFTER_BATCH Query "afterBatch" r#"{"type":"integer","minimum":0}"# "0"
        "Only of batches after this one; the next link gives it." "Bara från omgångar efter denna; länken next anger den.";
    LANGUAGE Query "lang" r#"{"type":"string","enum":["sv","en"]}"# "en"
        "The language of the page." "Sidans språk.";

    IF_MATCH Header "If-Match" r#"{"type":"string"}"# "\"3-9c1f0a2b3c4d5e6f\""
        "The version that the write was made from: the ETag, only `\"3\"`, or `*`. Required for an existing record." "Versionen som skrivningen utgår från: ETag, bara `\"3\"`, eller `*`. Krävs för en befintlig post.";
    IF_NONE_MATCH Header "If-None-Match" r#"{"type":"string"}"# "\"3-9c1f0a2b3c4d5e6f\""
        "An ETag: 304 if the representation is still the same." "En ETag: 304 om representationen är densamma.";
    IDEMPOTENCY_KEY Header "Idempotency-Key" r#"{"type":"string","minLength":1,"maxLength":255}"# "8e03978e-40d5-43dd-bc93-6894a57f9324"
        "Makes a repeated write safe for 24 hours: the same outcome is answered, nothing is written twice." "Gör en upprepad skrivning ofarlig i 24 timmar: samma utfall besvaras, ingenting skrivs två gånger.";
    REPR_DIGEST Header "Repr-Digest" r#"{"type":"string"}"# "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        "The SHA-256 of the file (RFC 9530): what came otherwise is not kept." "Filens SHA-256 (RFC 9530): det som kommit på annat sätt behålls inte.";
    CONTENT_DIGEST Header "Content-Digest" r#"{"type":"string"}"# "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        "The SHA-256 of the piece (RFC 9530)." "Delens SHA-256 (RFC 9530).";
    UPLOAD_OFFSET Header "Upload-Offset" r#"{"type":"integer","minimum":0}"# "0"
        "Required. The byte of the file at which the piece begins." "Krävs. Den byte i filen där delen börjar.";
    LAST_EVENT_ID Header "Last-Event-ID" r#"{"type":"string"}"# "4711"
        "The id of the last event that was received: goes before after." "Id för den senast mottagna händelsen: går före after.";
    PREFER_WAIT Header "Prefer" r#"{"type":"string"}"# "wait=10"
        "`wait=N`: how many seconds the answer waits for the work (RFC 7240)." "`wait=N`: hur många sekunder svaret väntar på arbetet (RFC 7240).";
    PREFER Header "Prefer" r#"{"type":"string"}"# "return=minimal"
        "`return=minimal`: the answer has no body (RFC 7240)." "`return=minimal`: svaret har inget innehåll (RFC 7240).";
}

/// `traceparent`: on every operation.
pub(crate) static TRACEPARENT: Parameter = Parameter {
    name: "traceparent",
    place: Place::Header,
    schema: r#"{"type":"string","pattern":"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"}"#,
    example: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    text: Text {
        sv: "W3C Trace Context: anropets spår. Förs vidare och besvaras.",
        en: "W3C Trace Context: the trace that the request belongs to. Propagated and answered.",
    },
};
