//! Where in the text of a JSON document the value of a JSON Pointer stands, so that an error can name its line.

use std::collections::HashMap;

/// The line (from 1) on which each value of a JSON document begins, by JSON Pointer. The text must be JSON: what is not
/// gives lines up to the place where it stops being so.
pub(crate) fn lines(text: &str) -> HashMap<String, usize> {
    let mut scanner = Scanner {
        rest: text.as_bytes(),
        line: 1,
        found: HashMap::new(),
    };
    scanner.value("");
    scanner.found
}

/// The line of a pointer, or of the nearest value around it.
pub(crate) fn line_of(lines: &HashMap<String, usize>, pointer: &str) -> usize {
    let mut pointer = pointer;
    loop {
        if let Some(line) = lines.get(pointer) {
            return *line;
        }
        match pointer.rfind('/') {
            Some(at) => pointer = pointer.get(..at).unwrap_or_default(),
            None => return 1,
        }
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
    line: usize,
    found: HashMap<String, usize>,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(*first == b'\n');
        Some(*first)
    }

    /// The next byte that is no white space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        while self.rest.first()?.is_ascii_whitespace() {
            self.next();
        }
        self.rest.first().copied()
    }

    /// Takes the byte if it comes next.
    fn take(&mut self, wanted: u8) -> bool {
        let comes = self.peek() == Some(wanted);
        if comes {
            self.next();
        }
        comes
    }

    fn value(&mut self, pointer: &str) {
        let Some(first) = self.peek() else { return };
        self.found.insert(pointer.to_owned(), self.line);
        match first {
            b'{' => {
                self.next();
                while self.peek() == Some(b'"') {
                    let Some(name) = self.string() else { return };
                    if !self.take(b':') {
                        return;
                    }
                    let name = name.replace('~', "~0").replace('/', "~1");
                    self.value(&format!("{pointer}/{name}"));
                    if !self.take(b',') {
                        break;
                    }
                }
                self.take(b'}');
            }
            b'[' => {
                self.next();
                let mut index = 0;
                while self.peek().is_some_and(|byte| byte != b']') {
                    self.value(&format!("{pointer}/{index}"));
                    index += 1;
                    if !self.take(b',') {
                        break;
                    }
                }
                self.take(b']');
            }
            b'"' => drop(self.string()),
            _ => {
                while self.rest.first().is_some_and(|byte| {
                    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b']' | b'}')
                }) {
                    self.next();
                }
            }
        }
    }

    /// A string with its escapes resolved.
    fn string(&mut self) -> Option<String> {
        let start = self.rest;
        self.next()?;
        loop {
            match self.next()? {
                b'\\' => drop(self.next()?),
                b'"' => break,
                _ => {}
            }
        }
        let taken = start.get(..start.len() - self.rest.len())?;
        serde_json::from_slice(taken).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line() {
        let text = "{\n  \"name\": {\"sv\": \"a \\\" {\"},\n  \"list\": [\n    1,\n    {\"a/b\": true}\n  ],\n  \"end\": null\n}";
        let lines = lines(text);
        assert_eq!(lines[""], 1);
        assert_eq!(lines["/name/sv"], 2);
        assert_eq!(lines["/list/0"], 4);
        assert_eq!(lines["/list/1/a~1b"], 5);
        assert_eq!(lines["/end"], 7);
        assert_eq!(line_of(&lines, "/list/1/missing/deeper"), 5);
        assert_eq!(line_of(&lines, "/missing"), 1);
    }

    #[test]
    fn broken_text_gives_lines_up_to_where_it_breaks() {
        assert_eq!(lines("{\n\"a\": 1,\n\"b\" 2}").len(), 2);
        assert!(lines("").is_empty());
        assert_eq!(lines("[1, [2, \"open").len(), 5);
    }
}
