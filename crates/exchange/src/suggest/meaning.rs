//! What a column is about, by its header or by its values.

use grunddata_model::identifiers::{CoordinationNumber, HsaId, PersonalIdentityNumber};

/// What a column is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// A personal identity number or coordination number.
    PersonalNumber,
    /// Given names.
    Given,
    /// The family name.
    Family,
    /// The whole name.
    FullName,
    /// The name by which a person is called.
    PreferredGiven,
    /// A day of birth.
    BirthDate,
    /// Sex.
    Sex,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A mobile phone number.
    Mobile,
    /// A street with its number.
    Street,
    /// A postal code.
    PostalCode,
    /// A postal town.
    Locality,
    /// A user name in a directory.
    UserName,
    /// The number of an employment.
    EmployeeNumber,
    /// What the employed is called.
    Position,
    /// The form of employment.
    EmploymentForm,
    /// The rate of employment.
    EmploymentRate,
    /// The first day.
    From,
    /// The last day.
    To,
    /// The key of a unit.
    UnitKey,
    /// The name of a unit.
    UnitName,
    /// The key of the unit above.
    ParentKey,
    /// An organisation number.
    OrganisationNumber,
    /// The code of a school unit.
    SchoolUnitCode,
    /// A school class or group.
    Group,
    /// A HSA-id.
    HsaId,
    /// The code of a municipality.
    MunicipalityCode,
}

/// Headers in Swedish and English, as they are compared: lower case, letters and digits alone.
const NAMES: &[(Meaning, &[&str])] = &[
    (
        Meaning::PersonalNumber,
        &[
            "personnummer",
            "personnr",
            "persnr",
            "pnr",
            "pin",
            "personid",
            "civicno",
            "ssn",
            "personalidentitynumber",
            "nationalid",
            "samordningsnummer",
            "personnummersamordningsnummer",
        ],
    ),
    (
        Meaning::Given,
        &["förnamn", "fornamn", "givenname", "firstname", "givennames"],
    ),
    (
        Meaning::Family,
        &["efternamn", "familyname", "lastname", "surname", "eftern"],
    ),
    (
        Meaning::FullName,
        &[
            "namn",
            "name",
            "fullname",
            "displayname",
            "visningsnamn",
            "heltnamn",
            "personnamn",
        ],
    ),
    (
        Meaning::PreferredGiven,
        &[
            "tilltalsnamn",
            "preferredname",
            "callname",
            "preferredfirstname",
        ],
    ),
    (
        Meaning::BirthDate,
        &[
            "födelsedatum",
            "född",
            "fodd",
            "birthdate",
            "dateofbirth",
            "födelsedag",
        ],
    ),
    (Meaning::Sex, &["kön", "kon", "sex", "gender"]),
    (
        Meaning::Email,
        &[
            "epost",
            "epostadress",
            "mail",
            "email",
            "emailaddress",
            "mejl",
            "epostarbete",
        ],
    ),
    (
        Meaning::Phone,
        &[
            "telefon",
            "telefonnummer",
            "tfn",
            "tel",
            "phone",
            "phonenumber",
            "telefonarbete",
        ],
    ),
    (
        Meaning::Mobile,
        &[
            "mobil",
            "mobiltelefon",
            "mobilnummer",
            "mobile",
            "mobilephone",
            "cellphone",
        ],
    ),
    (
        Meaning::Street,
        &[
            "adress",
            "gatuadress",
            "utdelningsadress",
            "besöksadress",
            "address",
            "street",
            "streetaddress",
        ],
    ),
    (
        Meaning::PostalCode,
        &[
            "postnummer",
            "postnr",
            "postalcode",
            "zip",
            "zipcode",
            "postcode",
        ],
    ),
    (
        Meaning::Locality,
        &["ort", "postort", "locality", "city", "town"],
    ),
    (
        Meaning::UserName,
        &[
            "användarnamn",
            "användarid",
            "upn",
            "userprincipalname",
            "username",
            "login",
            "kontonamn",
        ],
    ),
    (
        Meaning::EmployeeNumber,
        &[
            "anställningsnummer",
            "anstnr",
            "anställningsnr",
            "anstid",
            "anställningsid",
            "employeenumber",
            "employeeid",
            "employmentid",
        ],
    ),
    (
        Meaning::Position,
        &[
            "befattning",
            "titel",
            "yrke",
            "position",
            "jobtitle",
            "title",
            "tjänst",
        ],
    ),
    (
        Meaning::EmploymentForm,
        &[
            "anställningsform",
            "anstform",
            "employmentform",
            "employmenttype",
            "contracttype",
        ],
    ),
    (
        Meaning::EmploymentRate,
        &[
            "sysselsättningsgrad",
            "sysgrad",
            "tjänstgöringsgrad",
            "omfattning",
            "employmentrate",
            "fte",
            "grad",
        ],
    ),
    (
        Meaning::From,
        &[
            "from",
            "från",
            "fromdatum",
            "frånochmed",
            "startdatum",
            "anställdfrom",
            "anställdfrån",
            "anstfrom",
            "gällerfrån",
            "giltigfrån",
            "startdate",
            "validfrom",
            "begindate",
            "anställningsdatum",
        ],
    ),
    (
        Meaning::To,
        &[
            "tom",
            "till",
            "tomdatum",
            "tillochmed",
            "slutdatum",
            "anställdtom",
            "anställdtill",
            "ansttom",
            "gällertill",
            "giltigtill",
            "enddate",
            "validto",
            "avgångsdatum",
        ],
    ),
    (
        Meaning::UnitKey,
        &[
            "enhet",
            "enhetskod",
            "enhetsid",
            "enhetsnr",
            "orgenhet",
            "organisationskod",
            "avdelningskod",
            "unitid",
            "unitcode",
            "departmentid",
            "orgid",
            "departmentcode",
            "orgkod",
        ],
    ),
    (
        Meaning::UnitName,
        &[
            "enhetsnamn",
            "avdelning",
            "organisation",
            "unit",
            "unitname",
            "department",
            "departmentname",
            "arbetsplats",
        ],
    ),
    (
        Meaning::ParentKey,
        &[
            "överordnadenhet",
            "överordnad",
            "överordnadenhetskod",
            "parent",
            "parentid",
            "parentunit",
            "överordnadkod",
        ],
    ),
    (
        Meaning::OrganisationNumber,
        &[
            "organisationsnummer",
            "orgnr",
            "orgnummer",
            "organisationnumber",
            "arbetsgivare",
            "huvudmannensorganisationsnummer",
        ],
    ),
    (
        Meaning::SchoolUnitCode,
        &["skolenhetskod", "skolenhet", "schoolunitcode", "skolkod"],
    ),
    (
        Meaning::Group,
        &[
            "klass",
            "grupp",
            "undervisningsgrupp",
            "class",
            "group",
            "klassnamn",
        ],
    ),
    (Meaning::HsaId, &["hsaid", "hsaidentitet", "personhsaid"]),
    (
        Meaning::MunicipalityCode,
        &["kommunkod", "municipalitycode"],
    ),
];

pub(super) fn by_name(header: &str) -> Option<Meaning> {
    let plain: String = header
        .chars()
        .filter(|char| char.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    NAMES
        .iter()
        .find(|(_, names)| names.contains(&plain.as_str()))
        .map(|(meaning, _)| *meaning)
}

/// Whether a value has a form.
type Test = fn(&str) -> bool;

/// What nearly all values look like. Only forms that hardly anything else has.
pub(super) fn by_values(samples: &[String]) -> Option<Meaning> {
    const TESTS: [(Meaning, Test); 4] = [
        (Meaning::PersonalNumber, is_personal),
        (Meaning::Email, is_email),
        (Meaning::HsaId, is_hsa_id),
        (Meaning::Mobile, is_mobile),
    ];
    let enough = |test: Test| {
        let fits = samples.iter().filter(|text| test(text)).count();
        samples.len() >= 2 && fits * 10 >= samples.len() * 9
    };
    TESTS
        .into_iter()
        .find(|(_, test)| enough(*test))
        .map(|(meaning, _)| meaning)
}

fn is_personal(text: &str) -> bool {
    // Any date will do: whether it is a number does not depend on its century.
    let day = chrono::NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
    PersonalIdentityNumber::parse_at(text, day).is_ok()
        || CoordinationNumber::parse_at(text, day).is_ok()
}

fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !text.contains(' '))
}

fn is_hsa_id(text: &str) -> bool {
    HsaId::parse(text).is_ok()
}

fn is_mobile(text: &str) -> bool {
    let digits: String = text.chars().filter(|char| !" -".contains(*char)).collect();
    let rest = digits
        .strip_prefix("07")
        .or_else(|| digits.strip_prefix("+467"));
    rest.is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
