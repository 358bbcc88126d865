//! The one table of problem types: code, HTTP status, titles and the cure, in English and Swedish.
//!
//! A code, once published, never changes its meaning; `GET /api/v1/problems/{code}` serves this table.

/// A text in the two languages of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Swedish.
    pub sv: &'static str,
    /// English.
    pub en: &'static str,
}

/// One problem type.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// Stable, kebab-case; the last segment of the problem's `type`.
    pub code: &'static str,
    /// HTTP status (RFC 9110, RFC 6585).
    pub status: u16,
    /// What happened, in a few words.
    pub title: Text,
    /// What to do about it.
    pub cure: Text,
}

const fn row(
    code: &'static str,
    status: u16,
    en: &'static str,
    sv: &'static str,
    cure_en: &'static str,
    cure_sv: &'static str,
) -> ProblemType {
    ProblemType {
        code,
        status,
        title: Text { sv, en },
        cure: Text {
            sv: cure_sv,
            en: cure_en,
        },
    }
}

/// The type for everything that is our fault.
pub(crate) fn internal() -> &'static ProblemType {
    static INTERNAL: ProblemType = INTERNAL_ROW;
    &INTERNAL
}

const INTERNAL_ROW: ProblemType = row(
    "internal",
    500,
    "Internal error",
    "Internt fel",
    "The fault is on this side. Try again; if it persists, report the instance id to the operator.",
    "Felet ligger hos oss. Försök igen; om felet kvarstår, meddela driften ärendets id (instance).",
);

/// The entry for `code`.
#[must_use]
pub fn find(code: &str) -> Option<&'static ProblemType> {
    TYPES
        .binary_search_by(|kind| kind.code.cmp(code))
        .ok()
        .and_then(|at| TYPES.get(at))
}

/// Every problem type, ordered by code.
pub static TYPES: &[ProblemType] = &[
    row(
        "access-changed",
        410,
        "What you are shown has changed",
        "Vad du visas har ändrats",
        "Read the feed from its beginning, after=0, and remove what does not come any more.",
        "Läs flödet från början, after=0, och ta bort det som inte längre kommer.",
    ),
    row(
        "access-log-unavailable",
        503,
        "The access log cannot be written",
        "Åtkomstloggen går inte att skriva",
        "Personal data are not shown before it is logged that they are. Try again after the seconds in Retry-After; if it persists, tell the operator.",
        "Personuppgifter visas inte förrän det är loggat att de visas. Försök igen efter sekunderna i Retry-After; om felet kvarstår, meddela driften.",
    ),
    row(
        "address-too-long",
        414,
        "Address too long",
        "För lång adress",
        "Keep the address within 2,048 characters; send long queries as a body with POST /{collection}/search.",
        "Håll adressen inom 2 048 tecken; skicka långa frågor som innehåll med POST /{collection}/search.",
    ),
    row(
        "approval-required",
        409,
        "The plan must be approved",
        "Planen måste godkännas",
        "Let somebody else who may load for the owner look at the plan and approve it.",
        "Låt någon annan som får ladda för ägaren granska planen och godkänna den.",
    ),
    row(
        "body-too-large",
        413,
        "Body too large",
        "För stort innehåll",
        "Send less in one request: split the list, or ask the operator to raise the limit that the problem states.",
        "Skicka mindre i varje anrop: dela upp listan, eller be driften höja gränsen som anges.",
    ),
    row(
        "busy",
        503,
        "Too much to do just now",
        "För mycket att göra just nu",
        "Nothing was stored. Try again after the seconds in Retry-After; with an Idempotency-Key that is always safe.",
        "Ingenting lagrades. Försök igen efter sekunderna i Retry-After; med Idempotency-Key är det alltid säkert.",
    ),
    row(
        "clock-jump",
        503,
        "The clock of the registry is wrong",
        "Registrets klocka går fel",
        "Writes are stopped until the operator has set the clock right. Reads go on.",
        "Skrivning är stoppad tills driften ställt klockan rätt. Läsning fungerar.",
    ),
    row(
        "code-not-valid-at-date",
        422,
        "A code does not hold at that date",
        "En kod gäller inte vid det datumet",
        "Use the successor that the error names, or a date within the code's validity.",
        "Använd efterträdaren som felet anger, eller ett datum då koden gäller.",
    ),
    row(
        "digest-mismatch",
        400,
        "The checksum does not fit",
        "Kontrollsumman stämmer inte",
        "Reckon the SHA-256 of exactly the bytes that are sent, and send the file again.",
        "Räkna SHA-256 på just de byte som skickas och skicka filen igen.",
    ),
    row(
        "duplicate-in-transaction",
        422,
        "Given twice in one transaction",
        "Angivet två gånger i en transaktion",
        "Use each temporary id, and create each record, once.",
        "Använd varje tillfälligt id, och skapa varje post, en gång.",
    ),
    row(
        "erased",
        410,
        "The content was erased",
        "Innehållet är gallrat",
        "Nothing remains to be read: stop asking, and remove your copy.",
        "Inget finns kvar att läsa: sluta fråga, och ta bort din kopia.",
    ),
    row(
        "forbidden",
        403,
        "Not permitted",
        "Inte tillåtet",
        "Use a token that holds the permission which the problem names, for this owner.",
        "Använd en nyckel som har den behörighet som anges, för denna informationsägare.",
    ),
    row(
        "headers-too-large",
        431,
        "Headers too large",
        "För stora huvuden",
        "Send fewer or shorter headers; the limit stands in the problem.",
        "Skicka färre eller kortare huvuden; gränsen står i felet.",
    ),
    row(
        "hierarchy-cycle",
        409,
        "A circle in the hierarchy",
        "En cirkel i hierarkin",
        "Choose another parent, or move the records of the circle that the problem lists.",
        "Välj en annan överordnad, eller flytta någon av posterna i cirkeln som listas.",
    ),
    row(
        "idempotency-key-reused",
        422,
        "The idempotency key was used for another request",
        "Idempotensnyckeln har använts för ett annat anrop",
        "Use a new key for a new request; repeat exactly the same request under the old one.",
        "Använd en ny nyckel för ett nytt anrop; upprepa exakt samma anrop med den gamla.",
    ),
    row(
        "identifier-in-use",
        409,
        "The identifier is in use",
        "Identiteten används redan",
        "Check the identifier and its period; end it on the other record first, or swap both in one transaction.",
        "Kontrollera identiteten och dess period; avsluta den först på den andra posten, eller byt båda i en transaktion.",
    ),
    INTERNAL_ROW,
    row(
        "invalid-as-of",
        400,
        "Not an asOf token",
        "Inte en asOf-markör",
        "Take the token from _meta.asOf or from the header Grunddata-As-Of of an earlier answer.",
        "Ta markören från _meta.asOf eller huvudet Grunddata-As-Of i ett tidigare svar.",
    ),
    row(
        "invalid-body",
        400,
        "The body does not have the expected form",
        "Innehållet har inte väntad form",
        "Send the JSON object that the documentation of this operation shows; every fault is listed under errors.",
        "Skicka det JSON-objekt som dokumentationen visar för anropet; varje fel står under errors.",
    ),
    row(
        "invalid-cursor",
        400,
        "Not a cursor of this query",
        "Inte en markör för denna fråga",
        "Take the cursor from the next link of the same query, or start from the first page.",
        "Ta markören från länken next i samma fråga, eller börja från första sidan.",
    ),
    row(
        "invalid-data",
        422,
        "The data does not agree with the information model",
        "Uppgifterna följer inte informationsmodellen",
        "Correct every error listed under errors, each at its pointer, and send the request again.",
        "Rätta varje fel under errors, vart och ett på sin plats, och skicka anropet igen.",
    ),
    row(
        "invalid-date",
        400,
        "Not a date",
        "Inte ett datum",
        "Write dates as YYYY-MM-DD and instants as RFC 3339; leave a bound out rather than empty.",
        "Skriv datum som ÅÅÅÅ-MM-DD och tidpunkter enligt RFC 3339; utelämna en gräns i stället för att lämna den tom.",
    ),
    row(
        "invalid-header",
        400,
        "A header has a wrong value",
        "Ett huvud har fel värde",
        "Write the header as the documentation of this operation shows.",
        "Skriv huvudet så som dokumentationen för anropet visar.",
    ),
    row(
        "invalid-id",
        400,
        "Not an id",
        "Inte ett id",
        "Give the record's id, a UUID. To find a record by a number of another kind, use /records?identifier=SCHEME:VALUE.",
        "Ange postens id, ett UUID. En post söks på andra nummer med /records?identifier=SCHEMA:VÄRDE.",
    ),
    row(
        "invalid-idempotency-key",
        400,
        "Not an idempotency key",
        "Inte en idempotensnyckel",
        "Send 1 to 255 visible characters; a UUID serves well.",
        "Skicka 1 till 255 synliga tecken; ett UUID fungerar bra.",
    ),
    row(
        "invalid-parameter",
        400,
        "A parameter has a wrong value",
        "En parameter har fel värde",
        "Give the parameter a value of the form that the problem states.",
        "Ge parametern ett värde av den form som anges.",
    ),
    row(
        "invalid-period",
        422,
        "Not a period",
        "Inte en period",
        "Give a validTo after validFrom; periods are half-open, so validTo is the first day on which it no longer holds.",
        "Ange ett validTo efter validFrom; perioder är halvöppna, så validTo är första dagen då det inte längre gäller.",
    ),
    row(
        "invalid-settings",
        422,
        "The settings are not right",
        "Inställningarna är inte rätt",
        "Correct every place that errors lists, and send the settings again.",
        "Rätta varje ställe som errors anger och skicka inställningarna igen.",
    ),
    row(
        "invalid-text",
        422,
        "A text is too long or holds control characters",
        "En text är för lång eller innehåller styrtecken",
        "Shorten the text to the length that the problem states, and remove control characters.",
        "Korta texten till den längd som anges, och ta bort styrtecken.",
    ),
    row(
        "issuer-unreachable",
        503,
        "The issuer of the token cannot be reached",
        "Nyckelns utfärdare går inte att nå",
        "Its keys are needed to check the token. Try again after the seconds in Retry-After.",
        "Dess nycklar behövs för att pröva nyckeln. Försök igen efter sekunderna i Retry-After.",
    ),
    row(
        "known-at-in-future",
        400,
        "knownAt lies in the future",
        "knownAt ligger i framtiden",
        "Leave knownAt out for what is known now, or give an instant that has passed.",
        "Utelämna knownAt för det som är känt nu, eller ange en tidpunkt som har varit.",
    ),
    row(
        "legal-hold",
        409,
        "A legal hold or a restriction keeps it from being erased",
        "Ett gallringsstopp eller en begränsning hindrar att den gallras",
        "Lift the hold, or the restriction of processing, first, when its reason is gone.",
        "Häv gallringsstoppet eller begränsningen av behandling först, när skälet är borta.",
    ),
    row(
        "limit-out-of-range",
        400,
        "Page size out of range",
        "Sidstorleken är utanför gränserna",
        "Give limit a value between 1 and 1,000, and follow the next link for more.",
        "Ge limit ett värde mellan 1 och 1 000 och följ länken next för fler.",
    ),
    row(
        "load-open",
        409,
        "The source has an open load",
        "Källan har en öppen laddning",
        "Apply or cancel the load that the problem names, or begin again and say that it is to be replaced.",
        "Genomför eller avbryt laddningen som anges, eller börja om och ange att den ska ersättas.",
    ),
    row(
        "load-state",
        409,
        "The load is not in that state",
        "Laddningen är inte i det läget",
        "Read the load: its status says what can be done with it.",
        "Läs laddningen: dess status säger vad som går att göra.",
    ),
    row(
        "locked-out",
        429,
        "Too many refused tokens from this address",
        "För många avvisade nycklar från denna adress",
        "Wait the seconds in the header Retry-After, and send a token that holds. Requests without a token, and with a token that has been in use here, go on.",
        "Vänta de sekunder som står i huvudet Retry-After och skicka en giltig nyckel. Anrop utan nyckel, och med en nyckel som redan används här, går bra.",
    ),
    row(
        "malformed-json",
        400,
        "The body is not JSON",
        "Innehållet är inte JSON",
        "Correct the syntax at the line and column that the problem states (RFC 8259, UTF-8).",
        "Rätta skrivfelet på den rad och kolumn som anges (RFC 8259, UTF-8).",
    ),
    row(
        "match-ambiguous",
        409,
        "Several records match",
        "Flera poster matchar",
        "Write to the right one by its id.",
        "Skriv till rätt post med dess id.",
    ),
    row(
        "merged",
        409,
        "The record was merged",
        "Posten är sammanslagen",
        "Use the record that took over; the problem names it.",
        "Använd posten som tog över; den står i felet.",
    ),
    row(
        "method-not-allowed",
        405,
        "Method not allowed here",
        "Metoden är inte tillåten här",
        "Use one of the methods in the header Allow.",
        "Använd någon av metoderna i huvudet Allow.",
    ),
    row(
        "missing-body",
        400,
        "The body is missing",
        "Innehåll saknas",
        "Send the JSON object that the documentation of this operation shows.",
        "Skicka det JSON-objekt som dokumentationen visar för anropet.",
    ),
    row(
        "never-valid",
        409,
        "The record would never be valid",
        "Posten skulle aldrig gälla",
        "Use POST …/retractions if it was recorded in error, or choose a later date.",
        "Använd POST …/retractions om den registrerats av misstag, eller välj ett senare datum.",
    ),
    row(
        "no-match-identifier",
        422,
        "No identifier to match by",
        "Ingen identitet att matcha på",
        "Put exactly one identifier of the scheme into data.identifiers.",
        "Ange exakt en identitet av schemat i data.identifiers.",
    ),
    row(
        "not-acceptable",
        406,
        "No such representation",
        "Representationen finns inte",
        "Accept application/json (or */*).",
        "Acceptera application/json (eller */*).",
    ),
    row(
        "not-ended",
        409,
        "The record has not ended",
        "Posten är inte avslutad",
        "Use PUT or PATCH: only an ended or retracted record is revived.",
        "Använd PUT eller PATCH: bara en avslutad eller makulerad post återupptas.",
    ),
    row(
        "not-found",
        404,
        "No such record",
        "Posten finns inte",
        "Check the id, the collection and your token: what you may not see is answered like what does not exist.",
        "Kontrollera id, samling och nyckel: det du inte får se besvaras som det som inte finns.",
    ),
    row(
        "not-known-then",
        404,
        "Not known at that instant",
        "Inte känt vid den tidpunkten",
        "Choose a later knownAt, or leave it out.",
        "Välj ett senare knownAt, eller utelämna det.",
    ),
    row(
        "not-valid-then",
        404,
        "Nothing holds at that date",
        "Inget gäller vid det datumet",
        "Choose a validAt within the periods that the problem states, or read the timeline.",
        "Välj ett validAt inom de perioder som anges, eller läs tidslinjen.",
    ),
    row(
        "nothing-valid",
        409,
        "Nothing is valid in that period",
        "Inget gäller i den perioden",
        "Choose a period in which the record is valid (see its timeline); an amendment never creates validity.",
        "Välj en period då posten gäller (se tidslinjen); en ändring skapar aldrig giltighet.",
    ),
    row(
        "nul-character",
        400,
        "NUL character",
        "NUL-tecken",
        "Remove the character U+0000: no text in the registry may hold it.",
        "Ta bort tecknet U+0000: ingen text i registret får innehålla det.",
    ),
    row(
        "owner-exists",
        409,
        "The owner exists already",
        "Informationsägaren finns redan",
        "Use the existing owner, or choose another key.",
        "Använd den som finns, eller välj en annan nyckel.",
    ),
    row(
        "owner-required",
        400,
        "Say for which owner",
        "Ange informationsägare",
        "Give owner: you write for several owners, or for all.",
        "Ange owner: du skriver för flera informationsägare, eller för alla.",
    ),
    row(
        "page-too-deep",
        400,
        "Page beyond reach",
        "Sidan är utom räckhåll",
        "Only the first 10,000 hits can be reached by page; follow the next link (the cursor after) for more.",
        "Endast de första 10 000 träffarna nås med page; följ länken next (markören after) för fler.",
    ),
    row(
        "patch-failed",
        409,
        "The patch does not apply",
        "Ändringen går inte att göra",
        "Read the record again: a tested value or a path is not as the patch expects.",
        "Läs posten på nytt: ett värde eller en sökväg är inte som ändringen förutsätter.",
    ),
    row(
        "patch-malformed",
        400,
        "The patch cannot be read",
        "Ändringen går inte att läsa",
        "Send a JSON Merge Patch (RFC 7396) or a JSON Patch (RFC 6902) of the right form.",
        "Skicka en JSON Merge Patch (RFC 7396) eller JSON Patch (RFC 6902) av rätt form.",
    ),
    row(
        "patch-needs-test",
        409,
        "Array positions need a test",
        "Listpositioner kräver test",
        "Begin the JSON Patch with a test of the list, or amend a period in which it is the same throughout.",
        "Inled med ett test av listan, eller ändra en period där den är densamma hela tiden.",
    ),
    row(
        "personal-identifier-in-address",
        400,
        "A personal identifier must not stand in an address",
        "En personlig identitet får inte stå i en adress",
        "Send it in the body with POST /records/lookup or POST /{collection}/search: addresses end up in logs.",
        "Skicka den i innehållet med POST /records/lookup eller POST /{collection}/search: adresser hamnar i loggar.",
    ),
    row(
        "plan-changed",
        409,
        "What is due has changed",
        "Det som ska gallras har ändrats",
        "Look at the plan as it is now, and run that one.",
        "Granska planen som den är nu, och genomför den.",
    ),
    row(
        "planned-states",
        409,
        "Planned states are in the way",
        "Planerade tillstånd är i vägen",
        "Give an explicit validTo, amend instead of replacing, or say overwritePlanned=true; the planned states are listed.",
        "Ange ett uttryckligt validTo, ändra i stället för att ersätta, eller ange overwritePlanned=true; de planerade tillstånden listas.",
    ),
    row(
        "precondition-failed",
        412,
        "The record has changed",
        "Posten har ändrats",
        "Read the record again, apply your change to what is there now, and send the new ETag as If-Match.",
        "Läs posten på nytt, gör ändringen på det som finns nu, och skicka den nya ETag som If-Match.",
    ),
    row(
        "precondition-required",
        428,
        "If-Match is required",
        "If-Match krävs",
        "Read the record, and send its ETag (or \"N\" for version N, or * for whatever it is) as If-Match.",
        "Läs posten och skicka dess ETag (eller \"N\" för version N, eller * för vilken som helst) som If-Match.",
    ),
    row(
        "protection-lowered",
        409,
        "A copy does not lower a protection",
        "En kopia sänker inte ett skydd",
        "Leave the level of protection as it is or raise it; a steward takes it back by an amendment (PATCH) of it alone, with a token that feeds no copies.",
        "Låt skyddsnivån vara eller höj den; en förvaltare häver skyddet genom att ändra bara det (PATCH), med en nyckel som inte matar kopior.",
    ),
    row(
        "read-only-copy",
        409,
        "A read-only copy",
        "En skrivskyddad kopia",
        "Change the record at its origin; the copy here follows. Only its protection is amended here, by the owner's stewards and alone.",
        "Ändra posten där den hör hemma; kopian här följer efter. Bara skyddet ändras här, av ägarens förvaltare och för sig.",
    ),
    row(
        "record-ended",
        409,
        "The record has ended",
        "Posten är avslutad",
        "Use POST …/revivals to bring it back, or choose a validFrom before its end.",
        "Använd POST …/revivals för att återuppta den, eller välj ett validFrom före slutet.",
    ),
    row(
        "record-exists",
        409,
        "The id is taken",
        "Id:t är upptaget",
        "Write to the existing record with PUT or PATCH and If-Match, or leave id out to have one minted.",
        "Skriv till den befintliga posten med PUT eller PATCH och If-Match, eller utelämna id så skapas ett.",
    ),
    row(
        "reference-ambiguous",
        422,
        "A reference leads to several records",
        "En referens leder till flera poster",
        "Refer to the record by its id.",
        "Hänvisa till posten med dess id.",
    ),
    row(
        "reference-not-covered",
        422,
        "The target does not hold all that time",
        "Målet gäller inte hela tiden",
        "Shorten the period, refer to a record that holds throughout, or prolong the target first.",
        "Korta perioden, hänvisa till en post som gäller hela tiden, eller förläng målet först.",
    ),
    row(
        "reference-not-found",
        422,
        "A reference leads to nothing",
        "En referens leder ingenstans",
        "Refer to an existing record that you may see, or create it first or in the same transaction.",
        "Hänvisa till en post som finns och som du får se, eller skapa den först eller i samma transaktion.",
    ),
    row(
        "reference-wrong-target",
        422,
        "A reference leads to the wrong kind of record",
        "En referens leder till fel sorts post",
        "Refer to a record of one of the domains and kinds that the error lists.",
        "Hänvisa till en post i någon av de domäner och av de slag som felet anger.",
    ),
    row(
        "repeated-parameter",
        400,
        "A parameter is given twice",
        "En parameter är angiven två gånger",
        "Give each parameter once; where several values are allowed, separate them with commas.",
        "Ange varje parameter en gång; där flera värden är tillåtna skiljs de åt med komma.",
    ),
    row(
        "request-timeout",
        408,
        "The request took too long to arrive",
        "Anropet tog för lång tid att komma fram",
        "Send the whole body within the time that the problem states.",
        "Skicka hela innehållet inom den tid som anges.",
    ),
    row(
        "retracted",
        404,
        "Recorded in error",
        "Makulerad",
        "The record is no longer believed; an earlier knownAt shows what was recorded.",
        "Posten är makulerad; ett tidigare knownAt visar vad som var registrerat.",
    ),
    row(
        "revert-conflict",
        409,
        "It has been built upon since",
        "Det har byggts vidare på",
        "Undo the later changes that the problem lists first, or correct the record by hand.",
        "Ångra först de senare ändringar som listas, eller rätta posten för hand.",
    ),
    row(
        "same-person",
        403,
        "Somebody else must do this",
        "Någon annan måste göra detta",
        "The plan is approved by another person than the one who had it made.",
        "Planen godkänns av en annan person än den som lät göra den.",
    ),
    row(
        "several-owners",
        409,
        "Records of several owners",
        "Poster med olika informationsägare",
        "Send one transaction for each owner.",
        "Skicka en transaktion för varje informationsägare.",
    ),
    row(
        "source-retired",
        409,
        "The source takes no more loads",
        "Källan tar inte emot fler laddningar",
        "Send the file to the source that has replaced it, or have an administrator put retired to false.",
        "Skicka filen till källan som ersatt den, eller låt en administratör sätta retired till false.",
    ),
    row(
        "still-referenced",
        409,
        "Other records refer to it",
        "Andra poster hänvisar till den",
        "End or move the referrers that the problem lists first, or do all of it in one transaction.",
        "Avsluta eller flytta först de poster som listas, eller gör allt i en transaktion.",
    ),
    row(
        "timeout",
        503,
        "It took too long",
        "Det tog för lång tid",
        "Ask for less: a smaller limit, a narrower condition, a lower depth.",
        "Fråga efter mindre: lägre limit, snävare villkor, mindre djup.",
    ),
    row(
        "too-deep",
        400,
        "Nested too deeply",
        "För djupt nästlat",
        "Keep JSON within the depth that the problem states.",
        "Håll JSON inom det djup som anges.",
    ),
    row(
        "too-many-items",
        400,
        "Too many items in a list",
        "För många poster i en lista",
        "Send fewer items in each request; the limit stands in the problem.",
        "Skicka färre poster i varje anrop; gränsen står i felet.",
    ),
    row(
        "too-many-requests",
        429,
        "Too many requests",
        "För många anrop",
        "Wait the seconds in the header Retry-After, then go on at a lower rate.",
        "Vänta de sekunder som står i huvudet Retry-After och fortsätt i lägre takt.",
    ),
    row(
        "too-many-streams",
        429,
        "Too many wait for changes",
        "För många väntar på ändringar",
        "End a stream or a request that waits, follow several things in one stream, or ask without wait.",
        "Avsluta en ström eller ett anrop som väntar, följ flera saker i en ström, eller fråga utan wait.",
    ),
    row(
        "unauthenticated",
        401,
        "A token is needed",
        "En nyckel behövs",
        "Send Authorization: Bearer TOKEN with a valid token; an administrator issues one with POST /tokens.",
        "Skicka Authorization: Bearer NYCKEL med en giltig nyckel; en administratör ger ut den med POST /tokens.",
    ),
    row(
        "unknown-address",
        404,
        "No such address",
        "Adressen finns inte",
        "Check the address against the documentation at /api/v1/docs.",
        "Jämför adressen med dokumentationen på /api/v1/docs.",
    ),
    row(
        "unknown-identifier-scheme",
        400,
        "Unknown identifier scheme",
        "Okänt identitetsschema",
        "Use a scheme of the code list identifier-scheme; the nearest one stands in the problem.",
        "Använd ett schema ur kodlistan identifier-scheme; det närmaste står i felet.",
    ),
    row(
        "unknown-load",
        404,
        "No such load",
        "Laddningen finns inte",
        "Check the id of the load and the owner.",
        "Kontrollera laddningens id och ägaren.",
    ),
    row(
        "unknown-model",
        422,
        "Unknown model version",
        "Okänd modellversion",
        "Leave model out for the current version, or use one that GET /models lists as published.",
        "Utelämna model för gällande version, eller använd en som GET /models visar som publicerad.",
    ),
    row(
        "unknown-owner",
        404,
        "No such owner",
        "Informationsägaren finns inte",
        "Use the key of an owner that GET /owners lists, or have an administrator create it.",
        "Använd en nyckel som GET /owners visar, eller be en administratör lägga upp informationsägaren.",
    ),
    row(
        "unknown-parameter",
        400,
        "Unknown parameter",
        "Okänd parameter",
        "Remove the parameter or correct its name; the nearest known one stands in the problem. Nothing is ignored in silence.",
        "Ta bort parametern eller rätta namnet; det närmaste kända står i felet. Ingenting ignoreras tyst.",
    ),
    row(
        "unknown-property",
        400,
        "Unknown or unindexed property",
        "Okänd eller oindexerad egenskap",
        "Use an indexed property of the domain; the nearest one stands in the problem, all of them in GET /models.",
        "Använd en indexerad egenskap i domänen; den närmaste står i felet, alla finns i GET /models.",
    ),
    row(
        "unknown-relation",
        400,
        "Unknown relation",
        "Okänd relation",
        "Use a relation of the domain; the nearest one stands in the problem, all of them in GET /models.",
        "Använd en relation i domänen; den närmaste står i felet, alla finns i GET /models.",
    ),
    row(
        "unknown-source",
        404,
        "No such source",
        "Källan finns inte",
        "Check the key of the source and the owner; the owner's administrators put sources.",
        "Kontrollera källans nyckel och ägaren; ägarens administratörer lägger upp källor.",
    ),
    row(
        "unknown-temporary-id",
        422,
        "Unknown temporary id",
        "Okänt tillfälligt id",
        "Give the tempId in an earlier operation of the same transaction.",
        "Ange tempId i en tidigare operation i samma transaktion.",
    ),
    row(
        "unknown-transaction",
        404,
        "No such transaction",
        "Transaktionen finns inte",
        "Use a transaction id that the history of a record shows.",
        "Använd ett transaktions-id som en posts historik visar.",
    ),
    row(
        "unknown-upload",
        404,
        "No such upload",
        "Uppladdningen finns inte",
        "Begin a new one with POST /sources/{source}/uploads.",
        "Börja en ny med POST /sources/{source}/uploads.",
    ),
    row(
        "unknown-version",
        404,
        "No such version",
        "Versionen finns inte",
        "Use a version that GET /{collection}/{id}/history lists.",
        "Använd en version som GET /{collection}/{id}/history visar.",
    ),
    row(
        "unsupported-media-type",
        415,
        "The body's media type is not supported",
        "Innehållets medietyp stöds inte",
        "Send one of the media types that the problem lists in Content-Type.",
        "Skicka någon av de medietyper som anges i Content-Type.",
    ),
    row(
        "unsupported-parameter",
        400,
        "Not offered in this version",
        "Erbjuds inte i denna version",
        "Leave out the parameter that the problem names; the documentation says what can be used instead.",
        "Utelämna parametern som anges; dokumentationen säger vad som kan användas i stället.",
    ),
    row(
        "upload-incomplete",
        409,
        "The upload is not whole",
        "Uppladdningen är inte hel",
        "Send the rest from the offset that the problem names.",
        "Skicka resten från den plats (offset) som felet anger.",
    ),
    row(
        "upload-offset",
        409,
        "The piece does not begin where the last one ended",
        "Delen börjar inte där den förra slutade",
        "Send from the offset that the problem names.",
        "Skicka från den plats (offset) som felet anger.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_complete() {
        for pair in TYPES.windows(2) {
            assert!(
                pair[0].code < pair[1].code,
                "{} stands before {}",
                pair[0].code,
                pair[1].code
            );
        }
        for kind in TYPES {
            assert!((400..600).contains(&kind.status), "{}", kind.code);
            assert!(
                kind.code
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                kind.code
            );
            for text in [kind.title, kind.cure] {
                assert!(!text.en.is_empty() && !text.sv.is_empty(), "{}", kind.code);
            }
            assert!(
                kind.cure.en.len() > 20 && kind.cure.sv.len() > 20,
                "{} has no cure",
                kind.code
            );
            assert_eq!(find(kind.code), Some(kind));
        }
    }

    #[test]
    fn every_refusal_of_the_registry_has_its_type() {
        for code in grunddata_registry::Code::ALL {
            assert!(find(code.as_str()).is_some(), "{code} is not in the table");
        }
    }
}
