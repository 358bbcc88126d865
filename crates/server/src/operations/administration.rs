//! Owners, tokens, grants and the access log.

use super::parameter as p;
use super::table::ADMINISTRATION;
use super::{Operation, admin, audit, read};
use crate::body::JSON;
use crate::handlers::{access_log, given_grants, owners, tokens};

pub(super) fn operations() -> Vec<Operation> {
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
    vec![
        Operation::get("/owners", "listOwners", read(owners::list))
            .tag(ADMINISTRATION)
            .summary("The owners that you may see", "Informationsägarna som du får se")
            .text("The information owners of this registry.", "Registrets informationsägare.")
            .answers(200, "Owners", "The owners", "Informationsägarna"),
        Operation::get("/owners/{owner}", "getOwner", read(owners::get))
            .tag(ADMINISTRATION)
            .summary("One owner", "En informationsägare")
            .text("Where you may see it.", "Om du får se den.")
            .takes(&[&p::OWNER_KEY])
            .answers(200, "Owner", "The owner", "Informationsägaren")
            .problems(&["unknown-owner", "invalid-parameter"]),
        Operation::new(actix_web::http::Method::PUT, "/owners/{owner}", "putOwner", admin(owners::put))
            .tag(ADMINISTRATION)
            .summary("Create or change an owner", "Skapa eller ändra en informationsägare")
            .text("Needs administration of every owner to create one. openData lets anybody read its public properties.", "Att skapa kräver administration av alla informationsägare. openData låter vem som helst läsa dess öppna egenskaper.")
            .takes(&[&p::OWNER_KEY])
            .body(JSON, "OwnerRequest")
            .answers(200, "Owner", "Changed: the owner", "Ändrad: informationsägaren")
            .answers(201, "Owner", "Created: the owner, with Location", "Skapad: informationsägaren, med Location")
            .problems(&BODY).problems(&["invalid-text", "invalid-parameter"]),
        Operation::get("/tokens", "listTokens", admin(tokens::list))
            .tag(ADMINISTRATION)
            .summary("The tokens that you administer", "Nycklarna som du administrerar")
            .text("Never the tokens themselves: they are stored as hashes.", "Aldrig själva nycklarna: de lagras som kontrollsummor.")
            .answers(200, "Tokens", "The tokens", "Nycklarna"),
        Operation::post("/tokens", "createToken", admin(tokens::create))
            .tag(ADMINISTRATION)
            .summary("Issue a token", "Ge ut en nyckel")
            .text("The token is shown once, in this answer. You cannot grant more than you hold.", "Nyckeln visas en gång, i detta svar. Du kan inte ge mer än du själv har.")
            .body(JSON, "TokenRequest")
            .answers(201, "NewToken", "The token", "Nyckeln")
            .problems(&BODY).problems(&["unknown-owner", "invalid-text", "invalid-date"]),
        Operation::get("/tokens/{token}", "getToken", admin(tokens::get))
            .tag(ADMINISTRATION)
            .summary("One token", "En nyckel")
            .text("Never the token itself.", "Aldrig själva nyckeln.")
            .takes(&[&p::TOKEN])
            .answers(200, "Token", "The token", "Nyckeln")
            .problems(&["not-found"]),
        Operation::get("/grants", "listGrants", admin(given_grants::list))
            .tag(ADMINISTRATION)
            .summary("The grants that you administer", "Behörigheterna som du administrerar")
            .text("What users, groups and clients of other issuers may do here, those that were taken back included.", "Vad användare, grupper och klienter hos andra utfärdare får göra här, även återtagna behörigheter.")
            .answers(200, "GivenGrants", "The grants", "Behörigheterna"),
        Operation::post("/grants", "giveGrant", admin(given_grants::create))
            .tag(ADMINISTRATION)
            .summary("Give a grant", "Ge en behörighet")
            .text("To a user, group or client of another issuer, named ISSUER#NAME. Nobody gives more than they hold.", "Till en användare, grupp eller klient hos en annan utfärdare, med namnet UTFÄRDARE#NAMN. Ingen kan ge mer än den själv har.")
            .body(JSON, "GivenGrantRequest")
            .answers(201, "GivenGrant", "Given: the grant, with Location", "Given: behörigheten, med Location")
            .problems(&BODY).problems(&["invalid-text", "invalid-parameter"]),
        Operation::new(actix_web::http::Method::DELETE, "/grants/{grant}", "takeBackGrant", admin(given_grants::end))
            .tag(ADMINISTRATION)
            .summary("Take a grant back", "Återta en behörighet")
            .text("It stays in the list, so that it can be told who could do what when.", "Den står kvar i listan, så att det går att säga vem som kunde vad när.")
            .takes(&[&p::GRANT])
            .answers_empty(204, "Taken back", "Återtagen")
            .problems(&["not-found"]),
        Operation::get("/access-log", "searchAccessLog", audit(access_log::search))
            .tag(ADMINISTRATION)
            .summary("Search the access log", "Sök i åtkomstloggen")
            .text("Who read personal data when, which records and classes, for what purpose; and every administrative act. Reading it is logged. Who audits one owner names it with owner.", "Vem som läst personuppgifter när, vilka poster och klasser, för vilket ändamål; och varje administrativ åtgärd. Läsningen loggas. Den som granskar en informationsägare anger den med owner.")
            .takes(&[&p::LOG_FROM, &p::LOG_TO, &p::LOG_ACTOR, &p::LOG_ON_BEHALF_OF, &p::LOG_RECORD, &p::OWNER, &p::LOG_KIND, &p::LOG_OPERATION, &p::LOG_PURPOSE, &p::LOG_REQUEST, &p::LOG_OUTCOME, &p::LOG_TEXT, &p::LOG_ORDER, &p::LIMIT, &p::AFTER])
            .answers(200, "AccessLogPage", "The entries, newest first", "Posterna, nyast först")
            .problems(&["invalid-parameter", "invalid-date", "invalid-cursor", "limit-out-of-range"]),
        Operation::post("/tokens/{token}/rotations", "rotateToken", admin(tokens::rotate))
            .tag(ADMINISTRATION)
            .summary("Give a token a new secret", "Byt hemlighet på en nyckel")
            .text("A new token of the same name and rights, shown once in this answer; its user stays the same client. The old one is good for overlapDays more (7 unless something else is said, at most 90), so that the change can be made without a stop. Each tells when it was last used.", "En ny nyckel med samma namn och behörighet, som visas en gång, i detta svar; användaren förblir samma klient. Den gamla gäller i overlapDays dagar till (7 om inget annat sägs, högst 90), så att bytet kan göras utan avbrott. Var och en visar när den senast användes.")
            .takes(&[&p::TOKEN])
            .body(JSON, "TokenRotation")
            .answers(201, "NewToken", "The new token", "Den nya nyckeln")
            .problems(&BODY).problems(&["not-found", "invalid-parameter", "invalid-date"]),
        Operation::new(actix_web::http::Method::DELETE, "/tokens/{token}", "revokeToken", admin(tokens::revoke))
            .tag(ADMINISTRATION)
            .summary("Revoke a token", "Återkalla en nyckel")
            .text("Takes effect at once here, within five seconds on other servers of the same database.", "Gäller genast här, inom fem sekunder på andra servrar mot samma databas.")
            .takes(&[&p::TOKEN])
            .answers_empty(204, "Revoked", "Återkallad")
            .problems(&["not-found"]),
    ]
}
