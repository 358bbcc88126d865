//! Pages of HTML that come in the place of a file: a sign-in page, the error page of a proxy, a web page that is called a
//! workbook.

use crate::problem::shown;
use crate::{Place, Problem, code};

/// What a page begins with, once declarations and comments are passed over.
const BEGINNINGS: [&str; 5] = ["<!doctype html", "<html", "<head", "<body", "<title"];

/// Whether what begins so is a page of HTML.
#[must_use]
pub fn is_page(start: &[u8]) -> bool {
    let mut rest = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    loop {
        rest = rest.trim_ascii_start();
        let passed = [("<?", "?>"), ("<!--", "-->")];
        let after = passed.into_iter().find_map(|(begin, end)| {
            let inner = rest.strip_prefix(begin.as_bytes())?;
            let at = inner
                .windows(end.len())
                .position(|part| part == end.as_bytes())?;
            inner.get(at + end.len()..)
        });
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    BEGINNINGS.iter().any(|beginning| {
        let begins = rest.get(..beginning.len());
        let next = rest.get(beginning.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(beginning.as_bytes()))
            && next.is_none_or(|next| matches!(next, b'>' | b'/') || next.is_ascii_whitespace())
    })
}

/// What is said of it.
pub(super) fn refused(start: &[u8], place: &Place) -> Option<Problem> {
    if !is_page(start) {
        return None;
    }
    let title = title(start);
    let (en, sv) = match &title {
        Some(title) => (
            format!(" with the title \"{title}\""),
            format!(" med titeln \"{title}\""),
        ),
        None => Default::default(),
    };
    Some(Problem::new(
        code::PAGE,
        place.clone(),
        format!(
            "This is a page of HTML{en} and not the file: a page to sign in, or that of an error, is often saved or sent in its place. Nothing was read, and nothing is taken to have ended; fetch the file itself. A page that is called a workbook is opened in the program and saved as XLSX."
        ),
        format!(
            "Detta är en HTML-sida{sv} och inte filen: en inloggningssida eller felsida sparas eller skickas ofta i dess ställe. Inget lästes och inget räknas som avslutat; hämta själva filen. En sida som kallas arbetsbok öppnas i programmet och sparas som XLSX."
        ),
    ))
}

/// The title of a page, where its beginning has it.
fn title(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let lower = text.to_ascii_lowercase();
    let at = lower.find("<title")?;
    let from = at + lower.get(at..)?.find('>')? + 1;
    let to = from + lower.get(from..)?.find('<')?;
    let words: Vec<&str> = text.get(from..to)?.split_whitespace().collect();
    (!words.is_empty()).then(|| shown(&words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::{is_page, title};

    #[test]
    fn pages_are_known_and_nothing_else_is() {
        for page in [
            "<!DOCTYPE html>\n<html>",
            "\u{feff} <HTML lang=\"sv\">",
            "<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0\">",
            "<html>",
            "<head><title>x</title>",
            "<body\n",
        ] {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for other in [
            "",
            "<",
            "<?xml version=\"1.0\"?><paxml>",
            "<htmlx>",
            "<!-- never closed <html>",
            "html;head\n1;2",
            "\"<html>\";a",
            "<!doctype paxml>",
        ] {
            assert!(!is_page(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_title_is_told_on_one_line() {
        let page = b"<html><head><TITLE class=x>\n Logga\n in </TITLE></head>";
        assert_eq!(title(page).as_deref(), Some("Logga in"));
        assert_eq!(title(b"<html><title></title>"), None);
        assert_eq!(title(b"<html>"), None);
    }
}
