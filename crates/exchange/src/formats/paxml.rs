//! PAXml 2 (paxml.se): the persons of a personnel file as objects.
//!
//! Must never read more of a person than identity, employment and unit: pay, tax, bank, private addresses and messages are
//! skipped here, before anything holds them (data minimisation, GDPR article 5.1 c).

use std::io::{BufReader, Read};

use encoding_rs::Encoding;
use quick_xml::Reader;
use quick_xml::encoding::DecodingReader;
use quick_xml::events::{BytesStart, Event as Xml};
use serde_json::{Map, Value};

use crate::rows::{
    Content, Event, Format, Header, ReadOptions, RecordBudget, Row, Sink, Summary, io_problem,
};
use crate::{Place, Problem, code};

/// The attributes and elements of `person` that are read; every other is skipped.
const ATTRIBUTES: [&str; 3] = ["anstid", "persnr", "delete"];
const ELEMENTS: [&str; 11] = [
    "fornamn",
    "efternamn",
    "epostarb",
    "personaltyp",
    "kategori",
    "befattning",
    "befattningskod",
    "anstform",
    "anstdatum",
    "avgdatum",
    "sysgrad",
];
/// What is read of a result unit.
const UNIT: [&str; 3] = ["dim", "id", "andel"];

/// Where the reader is.
struct State<'o> {
    options: &'o ReadOptions,
    place: Place,
    path: Vec<String>,
    person: Map<String, Value>,
    units: Vec<Value>,
    text: String,
    rows: u64,
}

pub(crate) fn read(
    input: Box<dyn Read + '_>,
    encoding: Option<&'static Encoding>,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let header = Header::of_objects(place.clone());
    let mut state = State {
        options,
        place,
        path: Vec::new(),
        person: Map::new(),
        units: Vec::new(),
        text: String::new(),
        rows: 0,
    };
    if sink(Event::Header(&header)).is_break() {
        return Ok(state.summary());
    }
    let limits = &options.limits;
    let (budget, refill) = RecordBudget::new(input, limits.record_bytes);
    let mut decoding = DecodingReader::new(BufReader::new(budget));
    // What the bytes are goes before what the declaration says: many files say UTF-8 and are not. Where the beginning is
    // plain ASCII the declaration decides.
    if let Some(encoding) = encoding {
        decoding.set_encoding(encoding);
    }
    let mut reader = Reader::from_reader(decoding);
    let mut buffer = Vec::new();
    let mut root = false;
    loop {
        buffer.clear();
        let event = reader
            .read_event_into(&mut buffer)
            .map_err(|error| state.broken(&error))?;
        match event {
            Xml::Start(element) => {
                if state.path.is_empty() {
                    root = element.local_name().as_ref() == "paxml";
                    if !root {
                        break;
                    }
                }
                state.open(&element)?;
            }
            Xml::Empty(element) => {
                state.open(&element)?;
                if let Some(row) = state.close()
                    && sink(Event::Row(row)).is_break()
                {
                    return Ok(state.summary());
                }
            }
            Xml::End(_) => {
                if state.path.len() == 3 {
                    refill.next_record();
                }
                if let Some(row) = state.close()
                    && sink(Event::Row(row)).is_break()
                {
                    return Ok(state.summary());
                }
            }
            Xml::Text(text) => {
                let text = text.xml10_content();
                state.text.push_str(&text);
            }
            Xml::CData(text) => {
                let text = text.xml10_content();
                state.text.push_str(&text);
            }
            Xml::GeneralRef(name) => state.reference(&name)?,
            // Entities of a document type can grow without end; PAXml has none.
            Xml::DocType(_) => {
                return Err(state.refused(
                    "The file has a document type (DOCTYPE), which PAXml has not; remove it.",
                    "Filen har en dokumenttyp (DOCTYPE), vilket PAXml inte har; ta bort den.",
                ));
            }
            Xml::Eof => break,
            Xml::Decl(_) | Xml::Comment(_) | Xml::PI(_) => {}
        }
        if state.rows > limits.rows {
            return Err(Problem::new(
                code::LIMIT,
                state.place,
                format!("The file has more than {} persons; divide it.", limits.rows),
                format!("Filen har fler än {} personer; dela upp den.", limits.rows),
            ));
        }
    }
    if !root {
        return Err(state.refused(
            "The file is not PAXml: its outermost element is not paxml.",
            "Filen är inte PAXml: dess yttersta element är inte paxml.",
        ));
    }
    if !state.path.is_empty() {
        return Err(Problem::new(
            code::TRUNCATED_FILE,
            state.place,
            "The file ends in the middle: the transfer was probably broken off. Send it again.",
            "Filen slutar mitt i: överföringen avbröts troligen. Skicka den igen.",
        ));
    }
    Ok(state.summary())
}

impl State<'_> {
    fn summary(&self) -> Summary {
        Summary {
            format: Format::Paxml,
            rows: self.rows,
        }
    }

    fn refused(&self, message: &str, message_sv: &str) -> Problem {
        Problem::new(code::XML, self.place.clone(), message, message_sv)
    }

    fn broken(&self, error: &quick_xml::Error) -> Problem {
        let place = self.place.at_row(self.rows + 1);
        match error {
            quick_xml::Error::Io(error) => io_problem(error, &place),
            quick_xml::Error::Syntax(_) => Problem::new(
                code::TRUNCATED_FILE,
                place,
                "The file ends in the middle: the transfer was probably broken off. Send it again.",
                "Filen slutar mitt i: överföringen avbröts troligen. Skicka den igen.",
            ),
            other => Problem::new(
                code::XML,
                place,
                format!("The file is not well-formed XML: {other}."),
                format!("Filen är inte välformad XML: {other}."),
            ),
        }
    }

    /// Whether the reader is in `paxml/personal/person` and so many elements deeper.
    fn in_person(&self, deeper: usize) -> bool {
        self.path.len() == 3 + deeper
            && self
                .path
                .iter()
                .zip(["paxml", "personal", "person"])
                .all(|(step, name)| step == name)
    }

    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        self.path.push(element.local_name().as_ref().to_owned());
        self.text.clear();
        if self.path.len() > self.options.limits.depth as usize {
            return Err(self.refused(
                "The elements are nested too deep.",
                "Elementen är nästlade för djupt.",
            ));
        }
        if self.in_person(0) {
            self.person = attributes(element, &ATTRIBUTES);
            self.units.clear();
        }
        let unit = self.path.get(3).is_some_and(|step| step == "resenheter");
        if self.in_person(2) && unit {
            self.units.push(Value::Object(attributes(element, &UNIT)));
        }
        Ok(())
    }

    /// Leaves an element. A person that is complete is a row.
    fn close(&mut self) -> Option<Row> {
        if self.in_person(1)
            && let Some(name) = self.path.last()
            && ELEMENTS.contains(&name.as_str())
        {
            let text = self.text.trim();
            if !text.is_empty() {
                self.person.insert(name.clone(), Value::from(text));
            }
        }
        let complete = self.in_person(0);
        self.path.pop();
        self.text.clear();
        if !complete {
            return None;
        }
        self.rows += 1;
        let mut person = std::mem::take(&mut self.person);
        if !self.units.is_empty() {
            person.insert(
                "resenheter".to_owned(),
                Value::from(std::mem::take(&mut self.units)),
            );
        }
        Some(Row {
            number: self.rows,
            content: Content::Object(Value::Object(person)),
        })
    }

    /// `&amp;` and the like, and characters by number.
    fn reference(&mut self, name: &quick_xml::events::BytesRef<'_>) -> Result<(), Problem> {
        if let Ok(Some(char)) = name.resolve_char_ref() {
            self.text.push(char);
            return Ok(());
        }
        let decoded = name.xml10_content();
        match quick_xml::escape::resolve_xml_entity(&decoded) {
            Some(text) => {
                self.text.push_str(text);
                Ok(())
            }
            None => Err(self.refused(
                "The file uses an entity that XML does not have.",
                "Filen använder en entitet som XML inte har.",
            )),
        }
    }
}

/// The attributes of the list that the element has.
fn attributes(element: &BytesStart<'_>, names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .filter_map(|name| {
            let attribute = element.try_get_attribute(name).ok()??;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()?;
            Some(((*name).to_owned(), Value::from(value.trim())))
        })
        .collect()
}
