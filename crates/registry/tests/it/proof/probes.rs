//! Readers by chance, and what each of them is answered: against the other answers to the same reader, and against the
//! rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, RecordId};
use grunddata_registry::{
    Action, At, Code, Context, ControllerScope, Form, Got, Grant, KnownAt, OwnerScope, PageChoice,
    Place, Record, Refusal, Role,
};
use grunddata_testing::Dice;
use serde_json::Value;

use super::rules::{Controllers, Right, Shown, written};
use super::world::{Built, OWNERS};
use crate::stack::*;

pub(super) const ABSENT: &str = "01990c3e-0000-7000-8000-0000000000ff";

/// What was found out.
#[derive(Default)]
pub(crate) struct Proof {
    pub(crate) probes: usize,
    pub(crate) readers: usize,
    pub(crate) violations: Vec<String>,
}

impl Proof {
    /// The first of each kind.
    pub(crate) fn report(&self) -> String {
        let mut kinds: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for violation in &self.violations {
            let kind = violation.split(':').next().unwrap_or_default();
            kinds.entry(kind).or_default().push(violation);
        }
        let parts = kinds.into_iter().map(|(kind, list)| {
            let shown: Vec<String> = list
                .iter()
                .take(3)
                .map(|text| format!("    {}", text.chars().take(900).collect::<String>()))
                .collect();
            format!("  {} of {kind}:\n{}\n", list.len(), shown.join("\n"))
        });
        parts.collect()
    }
}

pub(super) struct Reader {
    pub(super) name: String,
    pub(super) context: Context,
    pub(super) rights: Vec<Right>,
    /// The marks that it may see nowhere, with the reason.
    pub(super) forbidden: BTreeMap<usize, String>,
    /// The ids that it may be told nowhere.
    hidden: BTreeSet<usize>,
}

pub(super) struct Prover<'s> {
    pub(super) stack: &'s Stack,
    pub(super) built: &'s Built,
    pub(super) dice: Dice,
    pub(super) proof: Proof,
}

pub(crate) fn prove(stack: &Stack, built: &Built, seed: u64) -> Proof {
    let mut prover = Prover {
        stack,
        built,
        dice: Dice::new(seed ^ 0xdead),
        proof: Proof::default(),
    };
    let readers = prover.readers();
    prover.proof.readers = readers.len();
    for reader in &readers {
        for round in 0..2 {
            let at = prover.coordinate(round);
            prover.at_coordinate(reader, &at, round);
        }
        prover.whole_records(reader);
        prover.lookups(reader);
        prover.counts(reader);
        prover.exports(reader);
    }
    prover.proof
}

pub(super) fn anything<T: Debug>(answer: &Result<T, Refusal>) -> String {
    format!("{answer:?}")
}

impl Prover<'_> {
    pub(super) fn violation(&mut self, what: String) {
        self.proof.violations.push(what);
    }

    fn readers(&mut self) -> Vec<Reader> {
        let mut readers = vec![self.reader("anonymous", None)];
        let of = |owner: &str, role| {
            Grant::of(OwnerScope::Owner(super::super::stack::owner(owner)), role)
        };
        let fixed = [
            ("steward of a", of("a", Role::Steward)),
            ("reader of a", of("a", Role::Reader)),
            ("reader of c", of("c", Role::Reader)),
            ("outside reader", Grant::of(OwnerScope::All, Role::Reader)),
            ("open reader of b", of("b", Role::OpenDataReader)),
            (
                "internal of a",
                Grant {
                    ceiling: PrivacyClass::Internal,
                    ..of("a", Role::Reader)
                },
            ),
            (
                "own of b",
                Grant {
                    controller: ControllerScope::Own,
                    ..of("b", Role::Reader)
                },
            ),
        ];
        for (name, grant) in fixed {
            readers.push(self.reader(name, Some(vec![grant])));
        }
        for number in 0..4 {
            let count = 1 + self.dice.below(3);
            let grants = (0..count).map(|_| self.grant()).collect();
            readers.push(self.reader(&format!("random {number}"), Some(grants)));
        }
        readers
    }

    fn grant(&mut self) -> Grant {
        let owner_key = *self.dice.of(&OWNERS);
        let scope = if self.dice.one_in(6) {
            OwnerScope::All
        } else {
            OwnerScope::Owner(owner(owner_key))
        };
        let role = *self.dice.of(&[
            Role::OpenDataReader,
            Role::Reader,
            Role::Editor,
            Role::Editor,
            Role::Steward,
            Role::Publisher,
            Role::Auditor,
        ]);
        let mut grant = Grant::of(scope, role);
        if self.dice.one_in(3) {
            grant.ceiling = *self.dice.of(&PrivacyClass::ALL);
        }
        if self.dice.one_in(4) {
            let count = 1 + self.dice.below(3);
            grant.domains = (0..count).map(|_| *self.dice.of(&Domain::ALL)).collect();
        }
        let top = self.built.ids[*self.dice.of(&self.built.top)];
        grant.controller = match self.dice.below(6) {
            0 => ControllerScope::Own,
            1 | 2 => ControllerScope::Organisation(top),
            3 => ControllerScope::Subtree(top),
            _ => ControllerScope::All,
        };
        grant
    }

    fn reader(&mut self, name: &str, grants: Option<Vec<Grant>>) -> Reader {
        let rights = grants
            .iter()
            .flatten()
            .filter(|grant| grant.allows(Action::Read))
            .map(|grant| self.right(grant))
            .collect::<Vec<_>>();
        let told = format!(
            "{name} {:?}",
            grants
                .iter()
                .flatten()
                .map(|grant| (
                    &grant.scope,
                    &grant.controller,
                    &grant.domains,
                    grant.ceiling
                ))
                .collect::<Vec<_>>()
        );
        let context = match grants {
            None => self.stack.anonymous(),
            Some(grants) => self.stack.with_grants(name, grants),
        };
        let world = &self.built.world;
        let forbidden = (0..world.marks.0.len())
            .filter_map(|mark| Some((mark, world.forbids(&rights, mark)?)))
            .collect();
        let hidden = (0..world.records.len())
            .filter(|record| world.forbids_id(&rights, *record))
            .collect();
        Reader {
            name: told,
            context,
            rights,
            forbidden,
            hidden,
        }
    }

    fn right(&self, grant: &Grant) -> Right {
        Right {
            owner: match &grant.scope {
                OwnerScope::All => None,
                OwnerScope::Owner(key) => Some(key.to_string()),
            },
            controllers: match &grant.controller {
                ControllerScope::All => Controllers::All,
                ControllerScope::Own => Controllers::Own,
                ControllerScope::Organisation(id) => {
                    Controllers::These(BTreeSet::from([id.to_string()]))
                }
                ControllerScope::Subtree(top) => Controllers::These(self.below(*top)),
            },
            domains: grant.domains.iter().map(|domain| domain.as_str()).collect(),
            ceiling: PrivacyClass::ALL
                .iter()
                .position(|class| *class == grant.ceiling)
                .unwrap(),
        }
    }

    /// The organisation and all below it today.
    fn below(&self, top: RecordId) -> BTreeSet<String> {
        let system = self.stack.system();
        let parents: Vec<(String, Option<String>)> = self
            .built
            .ids
            .iter()
            .filter_map(|id| {
                let record = self.stack.get_as(&system, *id, &At::now(&system)).ok()?;
                let data: Value = serde_json::from_str(&record.data).unwrap();
                (record.domain == Domain::Organisation).then(|| {
                    (
                        id.to_string(),
                        data["parent"]["id"].as_str().map(str::to_owned),
                    )
                })
            })
            .collect();
        let mut below = BTreeSet::from([top.to_string()]);
        loop {
            let before = below.len();
            for (id, parent) in &parents {
                if parent.as_ref().is_some_and(|parent| {
                    below.contains(parent) && parents.iter().any(|(id, _)| id == parent)
                }) {
                    below.insert(id.clone());
                }
            }
            if below.len() == before {
                return below;
            }
        }
    }

    pub(super) fn coordinate(&mut self, round: usize) -> At {
        if round == 0 {
            return At::now(&self.stack.system());
        }
        let valid_at = day(self.dice.of::<&str>(&[
            "2019-12-01",
            "2021-03-01",
            "2024-06-01",
            "2025-12-31",
            "2026-03-01",
            "2026-08-01",
            "2027-09-01",
        ]));
        let known = if self.dice.one_in(3) {
            KnownAt::Latest
        } else {
            KnownAt::Instant(*self.dice.of(&self.built.instants))
        };
        At { valid_at, known }
    }

    /// Looks at an answer for what may not be in it. `asked` = the record that the question named.
    pub(super) fn scan(&mut self, reader: &Reader, what: &str, asked: Option<usize>, answer: &str) {
        self.proof.probes += 1;
        for mark in self.built.world.marks.in_text(answer) {
            if let Some(why) = reader.forbidden.get(&mark) {
                self.violation(format!(
                    "mark in {what}: {} is shown {why}; asked {asked:?}; by {answer}",
                    reader.name
                ));
            }
        }
        if reader.hidden.is_empty() {
            return;
        }
        for record in &reader.hidden {
            if Some(*record) != asked && answer.contains(&self.built.world.records[*record].id) {
                self.violation(format!(
                    "hidden id in {what}: {} is told of {:?} {}; asked {asked:?}; by {answer}",
                    reader.name,
                    self.built.world.records[*record].domain,
                    self.built.world.records[*record].id
                ));
            }
        }
    }

    /// That a hidden record is answered like one that there is not.
    pub(super) fn like_absent<T: Debug>(
        &mut self,
        what: &str,
        reader: &Reader,
        id: RecordId,
        hidden: &Result<T, Refusal>,
        absent: &Result<T, Refusal>,
    ) {
        let hidden = anything(hidden).replace(&id.to_string(), "ID");
        let absent = anything(absent).replace(ABSENT, "ID");
        if hidden != absent {
            self.violation(format!(
                "not like absent in {what}: {} asked for {id}\n      {hidden}\n      {absent}",
                reader.name
            ));
        }
    }

    pub(super) fn get(
        &mut self,
        reader: &Reader,
        record: usize,
        at: &At,
    ) -> Result<Record, Refusal> {
        let id = self.built.ids[record];
        let got = self.stack.registry.get(&reader.context, None, id, at, None);
        self.scan(reader, "get", Some(record), &anything(&got));
        if let Err(refusal) = &got
            && refusal.code == Code::NotFound
        {
            let absent =
                self.stack
                    .registry
                    .get(&reader.context, None, ABSENT.parse().unwrap(), at, None);
            self.like_absent("get", reader, id, &got, &absent);
        }
        match got? {
            Got::Found(found) => Ok(found.record),
            Got::Merged { .. } | Got::Moved { .. } => panic!("nothing is merged here"),
        }
    }

    fn at_coordinate(&mut self, reader: &Reader, at: &At, round: usize) {
        let world = &self.built.world;
        let system = self.stack.system();
        let on = at.valid_at.to_string();
        let mut seen: BTreeMap<RecordId, Record> = BTreeMap::new();
        let mut whole: BTreeMap<RecordId, Record> = BTreeMap::new();
        for record in 0..self.built.ids.len() {
            let id = self.built.ids[record];
            let full = self.stack.get_as(&system, id, at).ok();
            let got = self.get(reader, record, at);
            if let Ok(got) = &got {
                // The coordinate never lowers the level: on a day it is at least what is believed of that day now.
                let level = world.level_now(record).max(world.level_on(record, &on));
                let (form, _) = world.sight(&reader.rights, record, level);
                let shown = match got.form {
                    Form::Hidden => Shown::Nothing,
                    Form::Placeholder => Shown::Place,
                    Form::NameOnly => Shown::Name,
                    Form::Full => Shown::Whole,
                };
                if shown > form {
                    self.violation(format!("coordinate lowers the level: {} sees {id} at {at:?} as {shown:?}, and by level {level} it is {form:?}: {got:?}", reader.name));
                }
                if shown < Shown::Name && (got.display.is_some() || got.data != "{}") {
                    self.violation(format!("placeholder with content: {got:?}"));
                }
            }
            if let Some(full) = &full
                && !world.records[record].ever_protected
            {
                let (form, classes) = world.sight(&reader.rights, record, 0);
                match (&got, form) {
                    (Ok(got), Shown::Whole) => {
                        for mark in world.marks.in_text(&full.data) {
                            let known = &world.marks.0[mark];
                            if known.record == record && classes.contains(&known.class) && !world.marks.in_text(&got.data).contains(&mark) {
                                self.violation(format!("too little: {} is not shown {} of {id}", reader.name, known.property));
                            }
                        }
                    }
                    (Err(_), Shown::Nothing) => {}
                    _ => self.violation(format!("too little or too much: {} by the rules sees {id} at {at:?} as {form:?}: {got:?}", reader.name)),
                }
            }
            if let (Ok(got), Some(full)) = (got, full) {
                seen.insert(id, got);
                whole.insert(id, full);
            }
        }
        for of in Domain::ALL {
            self.searches(reader, at, of, &seen, &whole);
        }
        self.all_links(reader, at, &seen, round);
        self.hierarchies(reader, at, &seen);
    }

    fn search(
        &mut self,
        reader: &Reader,
        at: &At,
        of: Domain,
        parameters: &[(&str, &str)],
    ) -> Result<(Vec<Record>, u64), Refusal> {
        let given = parameters.iter().copied().chain([("count", "exact")]);
        let mut query = self
            .stack
            .registry
            .query(&reader.context, of, given, Place::Body)?;
        query.at = at.clone();
        let mut items = Vec::new();
        let mut total = None;
        loop {
            let page = self.stack.registry.search(&reader.context, &query);
            self.scan(
                reader,
                &format!(
                    "search {of} {}",
                    parameters.first().map_or("", |(name, _)| name)
                ),
                None,
                &anything(&page),
            );
            let page = page?;
            items.extend(page.items);
            total = total.or(page.total.map(|total| total.records));
            match page.after {
                Some(after) if items.len() < 1_000 => query.page = PageChoice::After(after),
                _ => break,
            }
        }
        Ok((items, total.unwrap_or_default()))
    }

    fn searches(
        &mut self,
        reader: &Reader,
        at: &At,
        of: Domain,
        seen: &BTreeMap<RecordId, Record>,
        whole: &BTreeMap<RecordId, Record>,
    ) {
        let expected: BTreeSet<RecordId> = seen
            .values()
            .filter(|record| record.domain == of)
            .map(|record| record.id)
            .collect();
        for parameters in [&[][..], &[("limit", "3")][..]] {
            let (items, total) = match self.search(reader, at, of, parameters) {
                Ok(found) => found,
                Err(refusal) => {
                    self.violation(format!("list is refused: {} {refusal:?}", reader.name));
                    continue;
                }
            };
            let listed: BTreeSet<RecordId> = items.iter().map(|record| record.id).collect();
            if listed != expected
                || items.len() != listed.len()
                || total != u64::try_from(listed.len()).unwrap()
            {
                self.violation(format!("list is not the gets: {} {of} at {at:?}: {} listed, {} got, total {total}; only listed {:?}, only got {:?}", reader.name, items.len(), expected.len(), listed.difference(&expected).collect::<Vec<_>>(), expected.difference(&listed).collect::<Vec<_>>()));
            }
            for item in &items {
                if let Some(got) = seen.get(&item.id)
                    && (got.form, got.version, &got.display, got.hash)
                        != (item.form, item.version, &item.display, item.hash)
                {
                    self.violation(format!(
                        "list shows another: {} {got:?} {item:?}",
                        reader.name
                    ));
                }
            }
        }
        let full: BTreeSet<RecordId> = seen
            .values()
            .filter(|record| record.domain == of && record.form == Form::Full)
            .map(|record| record.id)
            .collect();
        // Words that are there somewhere, mostly of what this reader does not see.
        let mut words: Vec<String> = Vec::new();
        for _ in 0..1 {
            let mark = self.dice.below(self.built.world.marks.0.len());
            words.push(written(mark));
        }
        let other: Vec<&Record> = whole
            .values()
            .filter(|record| record.domain == of)
            .collect();
        if !other.is_empty() {
            let text = &other[self.dice.below(other.len())].data;
            let marks: Vec<usize> = self.built.world.marks.in_text(text).into_iter().collect();
            if !marks.is_empty() {
                let mark = *self.dice.of(&marks);
                words.push(written(mark));
            }
        }
        let properties: &[&str] = match of {
            Domain::Person => &[
                "name.family",
                "name.given",
                "birthDate",
                "registrationStatus",
            ],
            Domain::Role => &[
                "kind",
                "title",
                "position",
                "employmentRate",
                "employmentForm",
                "delegations.item",
            ],
            Domain::Organisation => &["name", "costCentre", "kind", "alternativeNames"],
            Domain::Geography => &["name", "kind"],
            Domain::Service => &["name", "status"],
        };
        let mut questions: Vec<Vec<(String, String)>> = Vec::new();
        for word in &words {
            questions.push(vec![("q".to_owned(), word.clone())]);
            questions.push(vec![(self.dice.of(properties).to_string(), word.clone())]);
            questions.push(vec![("identifier".to_owned(), format!("source:hr:{word}"))]);
        }
        let first = self.dice.of(properties).to_string();
        questions.push(vec![(first.clone(), "Zq*".to_owned())]);
        for key in ["display", "validFrom", "-recordedAt", &first] {
            questions.push(vec![
                ("sort".to_owned(), key.to_owned()),
                ("limit".to_owned(), "4".to_owned()),
            ]);
        }
        for value in ["employment", "75", "unit", "active"] {
            questions.push(vec![(
                self.dice.of(properties).to_string(),
                value.to_owned(),
            )]);
        }
        // Where references lead, mostly to what this reader does not see.
        for _ in 0..2 {
            questions.push(self.reference_question(of, whole));
        }
        for question in questions {
            let parameters: Vec<(&str, &str)> = question
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let Ok((items, total)) = self.search(reader, at, of, &parameters) else {
                continue;
            };
            let found: BTreeSet<RecordId> = items.iter().map(|record| record.id).collect();
            if !found.is_subset(&full)
                || total != u64::try_from(found.len()).unwrap()
                || items.len() != found.len()
            {
                self.violation(format!("search finds what is not seen whole: {} {of} {parameters:?} at {at:?}: total {total}, found {found:?}, more than {:?}", reader.name, found.difference(&full).collect::<Vec<_>>()));
            }
            if let Ok(target) = parameters[0].1.parse::<RecordId>()
                && !found.is_empty()
                && seen
                    .get(&target)
                    .is_none_or(|target| target.form < Form::NameOnly)
            {
                self.violation(format!("search tells who refers to what is not shown: {} {of} {parameters:?} at {at:?}", reader.name));
            }
            // What is chosen by a text shows it.
            if parameters[0].0 != "sort" && !parameters[0].1.ends_with('*') {
                for mark in self.built.world.marks.in_text(parameters[0].1) {
                    let known = &self.built.world.marks.0[mark];
                    if found.contains(&self.built.ids[known.record])
                        && reader.forbidden.contains_key(&mark)
                    {
                        self.violation(format!(
                            "search tells what is not shown: {} {of} {parameters:?}: {}",
                            reader.name, reader.forbidden[&mark]
                        ));
                    }
                }
            }
        }
    }
}
