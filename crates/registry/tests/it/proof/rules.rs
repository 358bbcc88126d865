//! Who may see what, written a second time: a naive reading of the rules of privacy, without the product's predicate,
//! its types or its SQL. Shared by the proofs at the registry and over HTTP.

use std::collections::{BTreeMap, BTreeSet};

/// The form in which something is seen, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shown {
    Nothing,
    Place,
    Name,
    Whole,
}

/// As owners write them in their policies.
pub(crate) const FORMS: [(&str, Shown); 4] = [
    ("hidden", Shown::Nothing),
    ("placeholder", Shown::Place),
    ("name-only", Shown::Name),
    ("full", Shown::Whole),
];
/// The levels 1 to 3.
pub(crate) const LEVELS: [&str; 3] = [
    "local-protection",
    "confidentiality-marking",
    "protected-registration",
];
/// How near a reader is, as owners write it.
pub(crate) const RELATIONS: [&str; 3] = ["sameController", "sameOwner", "outside"];
/// The classes by rank: a grant of a rank shows it and all before it.
pub(crate) const CLASSES: [&str; 4] = ["public", "internal", "personal", "protected"];

pub(crate) const PUBLIC: usize = 0;
pub(crate) const INTERNAL: usize = 1;
pub(crate) const PERSONAL: usize = 2;
pub(crate) const PROTECTED: usize = 3;

/// What an owner has decided: whether its public data are open, and the forms by level and relation.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) open: bool,
    pub(crate) forms: [[Shown; 3]; 3],
}

impl Decided {
    pub(crate) fn by_default(open: bool) -> Self {
        Self {
            open,
            forms: [[Shown::Name, Shown::Place, Shown::Nothing]; 3],
        }
    }
}

/// The controllers that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Controllers {
    All,
    /// Records that the owner itself answers for.
    Own,
    These(BTreeSet<String>),
}

/// A right to read.
#[derive(Debug, Clone)]
pub(crate) struct Right {
    /// `None` = every owner.
    pub(crate) owner: Option<String>,
    pub(crate) controllers: Controllers,
    /// Empty = all.
    pub(crate) domains: Vec<&'static str>,
    pub(crate) ceiling: usize,
}

/// A record as far as the rules ask.
#[derive(Debug, Clone)]
pub(crate) struct Thing<'a> {
    pub(crate) owner: &'a str,
    pub(crate) controller: Option<&'a str>,
    pub(crate) domain: &'a str,
    pub(crate) level: usize,
}

/// The class of what a domain's properties are where they say nothing.
pub(crate) fn class_of(domain: &str) -> usize {
    match domain {
        "person" => PERSONAL,
        "role" => INTERNAL,
        _ => PUBLIC,
    }
}

/// The form, and the classes that are shown in it.
pub(crate) fn seen(
    owners: &BTreeMap<String, Decided>,
    rights: &[Right],
    thing: &Thing<'_>,
) -> (Shown, BTreeSet<usize>) {
    let Some(decided) = owners.get(thing.owner) else {
        return (Shown::Nothing, BTreeSet::new());
    };
    let mut ways: Vec<(Shown, usize)> = Vec::new();
    let mut way = |ceiling: usize, relation: usize| {
        if ceiling < class_of(thing.domain) {
            return;
        }
        let form = match thing.level {
            0 => Shown::Whole,
            _ if ceiling == PROTECTED => Shown::Whole,
            level => decided.forms[level - 1][relation],
        };
        ways.push((form, ceiling));
    };
    for right in rights {
        let covers = right
            .owner
            .as_deref()
            .is_none_or(|owner| owner == thing.owner)
            && (right.domains.is_empty() || right.domains.contains(&thing.domain))
            && match &right.controllers {
                Controllers::All => true,
                Controllers::Own => thing.controller.is_none(),
                Controllers::These(these) => thing
                    .controller
                    .is_some_and(|controller| these.contains(controller)),
            };
        if covers {
            let relation = match (&right.owner, &right.controllers) {
                (None, _) => 2,
                (Some(_), Controllers::All) => 1,
                (Some(_), _) => 0,
            };
            way(right.ceiling, relation);
        }
    }
    if decided.open {
        way(PUBLIC, 2);
    }
    let best = ways
        .iter()
        .map(|(form, _)| *form)
        .max()
        .unwrap_or(Shown::Nothing);
    let highest = ways
        .iter()
        .filter(|(form, _)| *form == best)
        .map(|(_, ceiling)| *ceiling)
        .max();
    let classes = match (best, highest) {
        (Shown::Nothing | Shown::Place, _) | (_, None) => BTreeSet::new(),
        (Shown::Name, Some(highest)) if thing.domain != "person" => {
            (PUBLIC..=highest.min(INTERNAL)).collect()
        }
        (_, Some(highest)) => (PUBLIC..=highest).collect(),
    };
    (best, classes)
}

/// A text that stands in one body alone, with what a reader must be allowed to see to see it.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The number of the record.
    pub(crate) record: usize,
    pub(crate) property: &'static str,
    pub(crate) class: usize,
    /// Whether it is a part of a person's name, or of what stands for the name of another thing.
    pub(crate) name: bool,
    /// The level that the body itself says.
    pub(crate) level: usize,
    /// The records that the body identifies.
    pub(crate) identified: Vec<usize>,
}

/// All marks by number.
#[derive(Debug, Default)]
pub(crate) struct Marks(pub(crate) Vec<Mark>);

/// How many letters a mark has after its two. So many that no two marks differ by a typing error.
const LETTERS: usize = 10;
/// Odd, so that every number has a code of its own; and what undoes it.
const SPREAD: u64 = 0x9e_3779_b97f;

/// What a mark is written as.
pub(crate) fn written(number: usize) -> String {
    let number = u64::try_from(number).unwrap_or_default() + 1;
    let code = number.wrapping_mul(SPREAD) & 0xff_ffff_ffff;
    let letter = |place: usize| {
        char::from(b'a' + u8::try_from(code >> (4 * place) & 15).unwrap_or_default())
    };
    format!("Zq{}", (0..LETTERS).rev().map(letter).collect::<String>())
}

impl Marks {
    pub(crate) fn make(&mut self, mark: Mark) -> String {
        self.0.push(mark);
        written(self.0.len() - 1)
    }

    /// The marks that occur in a text, or in what the text says in base64.
    pub(crate) fn in_text(&self, text: &str) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.find(text, &mut found);
        let word =
            |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
        for run in text.split(word).filter(|run| run.len() >= 16) {
            if let Some(bytes) = from_base64(run) {
                self.find(&String::from_utf8_lossy(&bytes), &mut found);
            }
        }
        found
    }

    fn find(&self, text: &str, found: &mut BTreeSet<usize>) {
        let text = text.to_ascii_lowercase();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("zq") {
            rest = rest.get(at + 2..).unwrap_or_default();
            let letters = rest.as_bytes().get(..LETTERS).unwrap_or_default();
            if letters.len() == LETTERS
                && letters.iter().all(|letter| (b'a'..=b'p').contains(letter))
            {
                let code = letters
                    .iter()
                    .fold(0_u64, |sum, letter| sum << 4 | u64::from(letter - b'a'));
                let number = code.wrapping_mul(inverse(SPREAD)) & 0xff_ffff_ffff;
                let number = usize::try_from(number).unwrap_or_default();
                if (1..=self.0.len()).contains(&number) {
                    found.insert(number - 1);
                }
            }
        }
    }
}

/// The number by which an odd number is multiplied to 1, modulo a power of two.
fn inverse(odd: u64) -> u64 {
    // Each step doubles the bits that are right.
    (0..6).fold(odd, |guess, _| {
        guess.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(guess)))
    })
}

/// base64url without padding; `None` for what is none.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap_or_default());
        }
    }
    Some(bytes)
}

/// The first day, the first that is not any more, the level, and who is identified.
pub(crate) type Believed = (String, Option<String>, usize, Vec<usize>);

/// A record as it was made, and as it is believed now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) controller: Option<String>,
    pub(crate) domain: &'static str,
    /// What was said last of each day: what is believed of it now, and where nothing is, what was believed last.
    pub(crate) states: Vec<Believed>,
    /// What is believed now.
    pub(crate) believed: Vec<Believed>,
    /// Whether any body of it ever said a level, or identified somebody.
    pub(crate) ever_protected: bool,
}

/// All that the rules are asked about.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) owners: BTreeMap<String, Decided>,
    pub(crate) records: Vec<Made>,
    pub(crate) marks: Marks,
    pub(crate) today: String,
}

impl World {
    /// The level that counts whatever the coordinate: the highest of those believed today or planned, or that a record
    /// had last, of the record itself and of those whom it identifies.
    pub(crate) fn level_now(&self, record: usize) -> usize {
        self.level_from(record, &mut BTreeSet::new())
    }

    fn level_from(&self, record: usize, visited: &mut BTreeSet<usize>) -> usize {
        if !visited.insert(record) {
            return 0;
        }
        let made = &self.records[record];
        let last = made.states.iter().map(|(from, ..)| from).max();
        let mut level = 0;
        for state in &made.states {
            let (from, to, own, identified) = state;
            let counts = Some(from) == last || to.as_ref().is_none_or(|to| *to > self.today);
            if counts {
                level = level.max(*own);
                for target in identified {
                    level = level.max(self.level_from(*target, visited));
                }
            }
        }
        level
    }

    /// The level of what is believed now to have held on a day: its own, and if it is over, or ends with the protection of
    /// somebody whom it identifies, any that ever covered it there.
    pub(crate) fn level_on(&self, record: usize, day: &str) -> usize {
        let holds = |from: &String, to: &Option<String>| {
            from.as_str() <= day && to.as_ref().is_none_or(|to| day < to.as_str())
        };
        let states = self.records[record].believed.iter();
        states
            .filter(|(from, to, ..)| holds(from, to))
            .map(|state| self.level_of(record, state, false))
            .max()
            .unwrap_or_default()
    }

    /// The level of a state, with what it has of those whom it identifies. What is not believed any more is old, whatever
    /// days it spoke of.
    pub(crate) fn level_of(&self, record: usize, state: &Believed, superseded: bool) -> usize {
        self.inherited(state, superseded, &mut BTreeSet::from([record]))
    }

    fn inherited(
        &self,
        state: &Believed,
        superseded: bool,
        visited: &mut BTreeSet<usize>,
    ) -> usize {
        let (from, to, own, identified) = state;
        let mut level = *own;
        for target in identified {
            if !visited.insert(*target) {
                continue;
            }
            for other in &self.records[*target].believed {
                let begun = to.as_ref().is_none_or(|to| other.0 < *to);
                let going_on = other.1.as_ref().is_none_or(|to| from < to);
                let over = to.as_ref().is_some_and(|to| *to <= self.today);
                let ends_with_it = match (to, &other.1) {
                    (_, None) => true,
                    (None, Some(_)) => false,
                    (Some(to), Some(other)) => to <= other,
                };
                if begun && going_on && (superseded || over || ends_with_it) {
                    level = level.max(self.inherited(other, false, visited));
                }
            }
            visited.remove(target);
        }
        level
    }

    pub(crate) fn thing(&self, record: usize, level: usize) -> Thing<'_> {
        let made = &self.records[record];
        Thing {
            owner: &made.owner,
            controller: made.controller.as_deref(),
            domain: made.domain,
            level,
        }
    }

    pub(crate) fn sight(
        &self,
        rights: &[Right],
        record: usize,
        level: usize,
    ) -> (Shown, BTreeSet<usize>) {
        seen(&self.owners, rights, &self.thing(record, level))
    }

    /// Why the reader may not see the mark anywhere; `None` where it may see it somewhere.
    pub(crate) fn forbids(&self, rights: &[Right], mark: usize) -> Option<String> {
        let mark = &self.marks.0[mark];
        let identified = mark
            .identified
            .iter()
            .map(|target| self.level_now(*target))
            .max();
        let level = self
            .level_now(mark.record)
            .max(mark.level)
            .max(identified.unwrap_or_default());
        let (form, classes) = self.sight(rights, mark.record, level);
        let domain = self.records[mark.record].domain;
        let shown = match form {
            Shown::Nothing | Shown::Place => false,
            Shown::Name if domain == "person" => mark.name && classes.contains(&mark.class),
            Shown::Name | Shown::Whole => classes.contains(&mark.class),
        };
        (!shown).then(|| {
            format!(
                "{} ({}) of {domain} {} at level {level} is {form:?}",
                mark.property, CLASSES[mark.class], self.records[mark.record].id
            )
        })
    }

    /// Whether protection hides the record from the reader at every coordinate, so that not even its id may be told.
    pub(crate) fn forbids_id(&self, rights: &[Right], record: usize) -> bool {
        let level = self.level_now(record);
        level > 0 && self.sight(rights, record, level).0 == Shown::Nothing
    }
}
