//! The page that the root address shows.

use askama::Template;

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Swedish.
    #[default]
    Swedish,
    /// English.
    English,
}

impl Language {
    /// BCP 47.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Swedish => "sv",
            Self::English => "en",
        }
    }

    /// The language that a reader asks for: `?lang=` before `Accept-Language` (RFC 9110 section 12.5.4); Swedish when
    /// neither says English.
    #[must_use]
    pub fn asked(parameter: Option<&str>, accept_language: Option<&str>) -> Self {
        match parameter {
            Some("en") => return Self::English,
            Some("sv") => return Self::Swedish,
            _ => {}
        }
        let quality = |wanted: &str| {
            accept_language
                .unwrap_or_default()
                .split(',')
                .filter_map(|part| {
                    let mut pieces = part.trim().split(';');
                    let range = pieces.next()?.trim().to_ascii_lowercase();
                    let primary = range.split('-').next()?.to_owned();
                    let quality = pieces
                        .find_map(|piece| {
                            piece
                                .trim()
                                .strip_prefix("q=")
                                .map(|q| q.parse::<f32>().unwrap_or(0.0))
                        })
                        .unwrap_or(1.0);
                    (primary == wanted).then_some(quality)
                })
                .fold(0.0, f32::max)
        };
        if quality("en") > quality("sv") {
            Self::English
        } else {
            Self::Swedish
        }
    }
}

/// How many records a domain has.
#[derive(Debug, Clone)]
pub struct Count {
    /// The domain in the language of the page.
    pub label: String,
    /// The number as shown.
    pub shown: String,
    /// The list of the domain.
    pub href: String,
}

/// A record to begin with.
#[derive(Debug, Clone)]
pub struct RecordLink {
    /// Its display name.
    pub label: String,
    /// What it is.
    pub kind: String,
    /// Its address.
    pub href: String,
}

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The language of the page.
    pub language: Language,
    /// `https://host/api/v1`
    pub api: String,
    /// Per domain; empty for somebody who may see none.
    pub counts: Vec<Count>,
    /// A few real records.
    pub records: Vec<RecordLink>,
    /// Who answers for the installation.
    pub operator: String,
    /// Its page.
    pub operator_url: String,
    /// The version of the program.
    pub version: String,
}

struct Texts {
    title: &'static str,
    skip: &'static str,
    language: &'static str,
    other_lang: &'static str,
    other_name: &'static str,
    heading: &'static str,
    lead: &'static str,
    counts: &'static str,
    counts_caption: &'static str,
    no_counts: &'static str,
    domain: &'static str,
    number: &'static str,
    records: &'static str,
    no_records: &'static str,
    developers: &'static str,
    docs: &'static str,
    openapi: &'static str,
    models: &'static str,
    code_lists: &'static str,
    problems: &'static str,
    operator: &'static str,
}

const SWEDISH: Texts = Texts {
    title: "grunddata – register för offentlig sektor",
    skip: "Hoppa till innehållet",
    language: "Språk",
    other_lang: "en",
    other_name: "In English",
    heading: "Ett register för det som alla system behöver",
    lead: "Här finns personer, roller, organisationer, platser och tjänster enligt en gemensam informationsmodell: validerade, versionshanterade och länkade. Varje uppgift kan läsas som den gällde, och som den var känd, vilken dag som helst.",
    counts: "Så mycket finns här",
    counts_caption: "Poster som gäller i dag och som du får se",
    no_counts: "Innehållet är inte öppet. Den som har en nyckel når det genom API:et.",
    domain: "Domän",
    number: "Antal",
    records: "Börja här",
    no_records: "Det finns inga öppna poster att visa.",
    developers: "För utvecklare",
    docs: "Dokumentation av API:et",
    openapi: "OpenAPI-beskrivning",
    models: "Informationsmodellen",
    code_lists: "Kodlistor",
    problems: "Feltyper och hur de åtgärdas",
    operator: "Ansvarig för denna installation:",
};

const ENGLISH: Texts = Texts {
    title: "grunddata – a registry for the public sector",
    skip: "Skip to the content",
    language: "Language",
    other_lang: "sv",
    other_name: "På svenska",
    heading: "One registry for what every system needs",
    lead: "Persons, roles, organisations, places and services under one shared information model: validated, versioned and linked. Every fact can be read as it held, and as it was known, on any day.",
    counts: "What is here",
    counts_caption: "Records that hold today and that you may see",
    no_counts: "The content is not open. Those who have a token reach it through the API.",
    domain: "Domain",
    number: "Number",
    records: "Begin here",
    no_records: "There are no open records to show.",
    developers: "For developers",
    docs: "Documentation of the API",
    openapi: "OpenAPI description",
    models: "The information model",
    code_lists: "Code lists",
    problems: "Problem types and their cures",
    operator: "This installation is run by",
};

#[derive(Template)]
#[template(path = "landing.html")]
struct Page<'a> {
    lang: &'static str,
    text: &'static Texts,
    style: &'static str,
    api: &'a str,
    counts: &'a [Count],
    records: &'a [RecordLink],
    operator: &'a str,
    operator_url: &'a str,
    version: &'a str,
}

impl Landing {
    /// The page's own style, allowed by its hash in the content security policy.
    pub const STYLE: &'static str = include_str!("../templates/landing.css");

    /// Renders the page.
    ///
    /// # Errors
    /// Those of the template engine.
    pub fn render(&self) -> Result<String, askama::Error> {
        Page {
            lang: self.language.tag(),
            text: match self.language {
                Language::Swedish => &SWEDISH,
                Language::English => &ENGLISH,
            },
            style: Self::STYLE,
            api: &self.api,
            counts: &self.counts,
            records: &self.records,
            operator: &self.operator,
            operator_url: &self.operator_url,
            version: &self.version,
        }
        .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(language: Language) -> String {
        Landing {
            language,
            api: "https://host/api/v1".to_owned(),
            counts: vec![Count {
                label: "Organisationer".to_owned(),
                shown: "737".to_owned(),
                href: "https://host/api/v1/organisations".to_owned(),
            }],
            records: vec![RecordLink {
                label: "Norrberga <kommun>".to_owned(),
                kind: "organisation".to_owned(),
                href: "https://host/x".to_owned(),
            }],
            operator: "Norrberga".to_owned(),
            operator_url: "https://norrberga.example".to_owned(),
            version: "0.1.0".to_owned(),
        }
        .render()
        .expect("page")
    }

    #[test]
    fn the_page_is_accessible_and_self_contained() {
        let page = page(Language::Swedish);
        for part in [
            "<html lang=\"sv\">",
            "class=\"skip\" href=\"#content\"",
            "<main id=\"content\"",
            "<caption>",
            "scope=\"row\"",
            "<h1>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(
            page.contains("Norrberga &#60;kommun&#62;"),
            "text is escaped"
        );
        for outside in ["<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn english_is_given_on_request() {
        assert!(page(Language::English).contains("<html lang=\"en\">"));
        assert_eq!(Language::asked(None, None), Language::Swedish);
        assert_eq!(Language::asked(Some("en"), Some("sv")), Language::English);
        assert_eq!(
            Language::asked(None, Some("en-GB,en;q=0.9,sv;q=0.8")),
            Language::English
        );
        assert_eq!(
            Language::asked(None, Some("sv,en;q=0.8")),
            Language::Swedish
        );
        assert_eq!(Language::asked(None, Some("de")), Language::Swedish);
    }

    /// WCAG 2.1, 1.4.3: at least 4.5 to 1 for text, in both colour schemes.
    #[test]
    fn colours_have_contrast() {
        for (text, ground) in [
            ("1a1f26", "ffffff"),
            ("4a5563", "ffffff"),
            ("0a4b8f", "ffffff"),
            ("eef1f5", "14181d"),
            ("b9c2ce", "14181d"),
            ("9cc7ff", "14181d"),
        ] {
            assert!(Landing::STYLE.contains(&format!("#{text}")), "{text}");
            let ratio = (luminance(text).max(luminance(ground)) + 0.05)
                / (luminance(text).min(luminance(ground)) + 0.05);
            assert!(ratio >= 4.5, "{text} on {ground}: {ratio}");
        }
    }

    fn luminance(hex: &str) -> f64 {
        [(0, 0.2126), (2, 0.7152), (4, 0.0722)]
            .iter()
            .map(|(at, weight)| {
                let channel =
                    f64::from(u8::from_str_radix(&hex[*at..at + 2], 16).expect("hex")) / 255.0;
                let linear = if channel <= 0.03928 {
                    channel / 12.92
                } else {
                    ((channel + 0.055) / 1.055).powf(2.4)
                };
                weight * linear
            })
            .sum()
    }
}
