//! Hand-offs: what the other owner needs to begin a record of its own about a person who moves. Nothing is handed over: the
//! giver's record stays as it is, and the receiver's says from where it has what it knows.

use std::sync::Arc;

use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_store::{
    Lookup, Needs, RecordRow, TransferKind, TransferRow, TransferSide, TransferState, Visibility,
    WriteTx,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::content::read;
use super::forward::at;
use super::give::{present, step};
use super::hand_off_content::{HandOff, HandOffContent, HandOffPayload, NewHandOff, refers, shown};
use super::{LISTED, administers, may_see, must_administer, wrong_state};
use crate::registry::{refuse_store, refuse_write};
use crate::write::{Failure, check_text};
use crate::{
    Code, Command, Content, Context, Create, Envelope, Note, Operation, Refusal, Registry,
};

/// The longest text of a basis, in characters.
const BASIS: usize = 500;
/// The most properties of a hand-off.
const PROPERTIES: usize = 100;

fn unknown(id: Uuid) -> Refusal {
    Refusal::new(
        Code::UnknownTransfer,
        format!("There is no hand-off {id}, or it is not yours to see. GET /hand-offs lists them."),
    )
}

/// What is told to the actor: by which token the other registry asks is the giver's own.
fn told(context: &Context, row: &TransferRow, mut content: HandOffContent) -> HandOffContent {
    if row.side != TransferSide::Giver || !administers(context, &row.owner) {
        content.client_id = None;
    }
    content
}

impl Registry {
    /// Makes a hand-off: the receiver may take it once, until it expires.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the owner, and for a protected person unless that is said;
    /// [`Code::NotFound`]; [`Code::InvalidParameter`] for properties that cannot be told, each of them;
    /// [`Code::InvalidText`], [`Code::UnknownOwner`].
    pub fn make_hand_off(&self, context: &Context, new: NewHandOff) -> Result<HandOff, Refusal> {
        let id = RecordId::mint(context.now).uuid();
        context.disclosed.acted(
            [new.owner.clone()],
            json!({"handOff": id, "receiver": new.receiver, "properties": new.properties, "basis": new.basis.kind}),
        );
        context.disclosed.about(&new.owner, new.person);
        must_administer(context, &new.owner)?;
        check_text("basis.text", &new.basis.text, BASIS)?;
        let wrong = |what: String| Err(Refusal::new(Code::InvalidParameter, what));
        if new.properties.is_empty() || new.properties.len() > PROPERTIES {
            return wrong(format!("A hand-off tells 1 to {PROPERTIES} properties."));
        }
        if new.expires < context.today {
            return wrong("expires is a day from today on.".to_owned());
        }
        if new.registry.is_none() {
            let owners = self.inner.store.owners().map_err(refuse_store)?;
            if new.receiver == new.owner {
                return wrong("The receiver is the giver: name another owner.".to_owned());
            }
            if !owners.iter().any(|owner| owner.key == new.receiver) {
                return Err(refuse_store(grunddata_store::StoreError::UnknownOwner(
                    new.receiver,
                )));
            }
        }
        let client = match &new.registry {
            None => None,
            Some(_) => Some(self.asking_registry(context, new.client.as_deref())?),
        };
        let content = HandOffContent {
            registry: new.registry,
            client: client.as_ref().map(|client| client.name.clone()),
            client_id: client.map(|client| client.line),
            person: new.person,
            to: RecordId::mint(context.now),
            properties: new.properties,
            basis: new.basis,
            expires: new.expires,
            protected: new.protected,
            ended: None,
        };
        // What cannot be told is told now, and not when somebody comes for it.
        self.chosen(context, &new.owner, &content)?;
        let row = TransferRow {
            owner: new.owner.clone(),
            id,
            kind: TransferKind::Person,
            side: TransferSide::Giver,
            state: TransferState::Offered,
            other: new.receiver,
            content: content.written()?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
        };
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            tx.hand_over(step(row.clone(), None));
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&new.owner, Needs::default(), job)
            .map_err(refuse_write)?;
        self.hand_off(context, id)
    }

    /// The chosen properties as they are today.
    fn chosen(
        &self,
        context: &Context,
        owner: &OwnerKey,
        content: &HandOffContent,
    ) -> Result<Map<String, Value>, Refusal> {
        let row = self.person_today(context, owner, content.person)?;
        let level = row.protection.max(row.record_protection.level);
        if level > 0 && !content.protected {
            return Err(Refusal::new(
                Code::Forbidden,
                "The person is protected: say protected, if the receiver is to be told of them all the same.",
            ));
        }
        let mut all: Map<String, Value> =
            serde_json::from_str(&row.body).map_err(|_| Refusal::internal())?;
        let mut data = Map::new();
        let mut missing: Vec<&str> = Vec::new();
        for name in &content.properties {
            match all.remove(name) {
                Some(value) if content.registry.is_some() && refers(&value) => missing.push(name),
                Some(value) => {
                    data.insert(name.clone(), value);
                }
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "These properties cannot be told: {}. The record has none of them today, each is named once, and what refers to other records is not told to another registry.",
                    missing.join(", ")
                ),
            )
            .fact("properties", json!(missing)));
        }
        let text = serde_json::to_string(&data).map_err(|_| Refusal::internal())?;
        let value = self
            .inner
            .model
            .reload(Domain::Person, &row.model, Arc::from(text))
            .map_err(|_| Refusal::internal())?;
        if value.protection() < level {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "The protection goes along: name the property that says it as well. Of a person whose processing is restricted nothing is told.",
            ));
        }
        Ok(data)
    }

    fn person_today(
        &self,
        context: &Context,
        owner: &OwnerKey,
        person: RecordId,
    ) -> Result<RecordRow, Refusal> {
        let everything = Visibility::everything();
        let found = self
            .inner
            .store
            .read(|reader| reader.find(person, context.today, None, &everything))
            .map_err(refuse_store)?;
        match found {
            Lookup::Found { row, .. } if row.owner == *owner && row.domain == Domain::Person => {
                Ok(*row)
            }
            _ => Err(Refusal::not_found(person)),
        }
    }

    fn hand_off_side(
        &self,
        context: &Context,
        id: Uuid,
        side: Option<TransferSide>,
    ) -> Result<(TransferRow, HandOffContent), Refusal> {
        let rows = self
            .inner
            .store
            .read(|reader| reader.transfer(id))
            .map_err(refuse_store)?;
        for row in rows {
            if row.kind != TransferKind::Person || side.is_some_and(|side| side != row.side) {
                continue;
            }
            let content: HandOffContent = read(&row)?;
            if may_see(context, &row, &content.parties()) {
                return Ok((row, content));
            }
        }
        Err(unknown(id))
    }

    /// The hand-offs of an owner, those that are offered to it included, the latest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn hand_offs(&self, context: &Context, owner: &OwnerKey) -> Result<Vec<HandOff>, Refusal> {
        must_administer(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| {
                let mut rows = reader.transfers(owner, TransferKind::Person, LISTED)?;
                rows.extend(reader.transfers_to(owner, TransferKind::Person, LISTED)?);
                Ok(rows)
            })
            .map_err(refuse_store)?;
        let mut all: Vec<HandOff> = Vec::with_capacity(rows.len());
        for row in rows {
            let content: HandOffContent = read(&row)?;
            let known = all.iter().any(|one| one.id == row.id);
            if !known && may_see(context, &row, &content.parties()) {
                all.push(shown(&row, told(context, &row, content)));
            }
        }
        all.sort_by_key(|one| (std::cmp::Reverse(one.created_at), one.id));
        Ok(all)
    }

    /// One hand-off.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`].
    pub fn hand_off(&self, context: &Context, id: Uuid) -> Result<HandOff, Refusal> {
        let (row, content) = self.hand_off_side(context, id, None)?;
        Ok(shown(&row, told(context, &row, content)))
    }

    /// What a hand-off tells, for whoever may take it.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] when it was taken or withdrawn, or has expired.
    pub fn hand_off_content(&self, context: &Context, id: Uuid) -> Result<HandOffPayload, Refusal> {
        let (row, content) = self.takeable(context, id)?;
        if row.state != TransferState::Offered {
            return Err(wrong_state(row.state, "it tells nothing any more"));
        }
        if content.expires < context.today {
            return Err(Refusal::new(
                Code::TransferState,
                format!(
                    "The hand-off could be taken until {}: ask for another one.",
                    content.expires
                ),
            ));
        }
        // Why it is not told would tell of the person: that is for the giver.
        let data = self.chosen(context, &row.owner, &content).map_err(|refusal| {
            tracing::info!(hand_off = %id, code = refusal.code.as_str(), "a hand-off cannot be taken");
            Refusal::new(
                Code::TransferState,
                "What was offered cannot be told any more: ask the giver for another hand-off.",
            )
        })?;
        context.disclosed.about(&row.owner, content.person);
        Ok(HandOffPayload {
            hand_off: shown(&row, told(context, &row, content)),
            data,
        })
    }

    fn takeable(
        &self,
        context: &Context,
        id: Uuid,
    ) -> Result<(TransferRow, HandOffContent), Refusal> {
        let (row, content) = self.hand_off_side(context, id, Some(TransferSide::Giver))?;
        context.disclosed.acted(
            [row.owner.clone()],
            json!({"handOff": id, "receiver": row.other, "basis": content.basis.kind}),
        );
        match &content.registry {
            None => must_administer(context, &row.other)?,
            Some(_) if content.parties().is_asking(context) => {}
            Some(_) => {
                return Err(Refusal::new(
                    Code::Forbidden,
                    "The receiver is in another registry, and takes it there.",
                ));
            }
        }
        Ok((row, content))
    }

    /// Takes a hand-off of an owner of this registry. What was broken off goes on.
    ///
    /// # Errors
    /// As [`hand_off_content`](Self::hand_off_content), and those of creating the record.
    pub fn take_hand_off(&self, context: &Context, id: Uuid) -> Result<HandOff, Refusal> {
        let (row, _) = self.takeable(context, id)?;
        if row.state != TransferState::Done {
            let payload = self.hand_off_content(context, id)?;
            self.begin_record(context, payload, None)?;
            self.close_hand_off(context, id)?;
        }
        self.hand_off(context, id)
    }

    /// Creates the receiver's own record from what a hand-off tells; `registry` = where that was. Can be asked for again.
    ///
    /// # Errors
    /// [`Code::Forbidden`], and those of creating the record.
    pub fn begin_record(
        &self,
        context: &Context,
        payload: HandOffPayload,
        registry: Option<&str>,
    ) -> Result<(), Refusal> {
        let HandOffPayload { hand_off, data } = payload;
        let owner = hand_off.receiver.clone();
        context.disclosed.acted(
            [owner.clone()],
            json!({"handOff": hand_off.id, "giver": hand_off.giver, "basis": hand_off.content.basis.kind}),
        );
        context.disclosed.about(&owner, hand_off.content.to);
        must_administer(context, &owner)?;
        let whose = self
            .inner
            .store
            .read(|reader| reader.record_owner(hand_off.content.to))
            .map_err(refuse_store)?;
        if whose.is_none() {
            let basis = &hand_off.content.basis;
            let reason = format!(
                "Hand-off {} from {}{} ({}: {})",
                hand_off.id,
                hand_off.giver,
                at(registry),
                basis.kind.as_str(),
                basis.text
            );
            let create = Create {
                id: Some(hand_off.content.to),
                temporary_id: None,
                envelope: Envelope {
                    owner: Some(owner.clone()),
                    ..Envelope::default()
                },
                content: Content {
                    data: Value::Object(data),
                    model: None,
                },
                valid_from: None,
                valid_to: None,
                matching: None,
            };
            let note = Note {
                reason: Some(reason),
                source: Some(format!("hand-off:{}", hand_off.giver)),
                ..Note::default()
            };
            let command = Command::new(Domain::Person, Operation::Create(create)).note(note);
            let job = self.job(context, Some(owner.clone()), vec![command], None, false)?;
            let needs = job.needs();
            self.inner
                .store
                .write_blocking(&owner, needs, move |tx| job.run(tx))
                .map_err(refuse_write)?;
        }
        self.note_taken(context, &hand_off, registry)
    }

    /// The receiver's side: that it was taken, and from where.
    fn note_taken(
        &self,
        context: &Context,
        hand_off: &HandOff,
        registry: Option<&str>,
    ) -> Result<(), Refusal> {
        let content = HandOffContent {
            registry: registry.map(str::to_owned),
            client: None,
            client_id: None,
            ..hand_off.content.clone()
        };
        let row = TransferRow {
            owner: hand_off.receiver.clone(),
            id: hand_off.id,
            kind: TransferKind::Person,
            side: TransferSide::Receiver,
            state: TransferState::Done,
            other: hand_off.giver.clone(),
            content: content.written()?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
        };
        let owner = row.owner.clone();
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            if tx.transfer(row.id)?.is_none() {
                tx.hand_over(step(row.clone(), None));
            }
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&owner, Needs::default(), job)
            .map_err(refuse_write)
    }

    /// Notes at the giver that the receiver has its record: the hand-off tells nothing any more. Can be asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`], [`Code::TransferState`].
    pub fn close_hand_off(&self, context: &Context, id: Uuid) -> Result<HandOff, Refusal> {
        let (row, _) = self.takeable(context, id)?;
        self.move_hand_off(&row, TransferState::Done, None)?;
        self.hand_off(context, id)
    }

    /// Takes a hand-off back that was not taken.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`], [`Code::TransferState`].
    pub fn withdraw_hand_off(
        &self,
        context: &Context,
        id: Uuid,
        reason: &str,
    ) -> Result<HandOff, Refusal> {
        let (row, _) = self.hand_off_side(context, id, Some(TransferSide::Giver))?;
        must_administer(context, &row.owner)?;
        check_text("reason", reason, BASIS)?;
        self.move_hand_off(&row, TransferState::Withdrawn, Some(reason.to_owned()))?;
        self.hand_off(context, id)
    }

    fn move_hand_off(
        &self,
        row: &TransferRow,
        to: TransferState,
        ended: Option<String>,
    ) -> Result<(), Refusal> {
        let id = row.id;
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            if row.state == to {
                return Ok(());
            }
            if row.state != TransferState::Offered {
                return Err(wrong_state(row.state, "ask for another one").into());
            }
            let mut content: HandOffContent = read(&row)?;
            content.ended.clone_from(&ended);
            let row = TransferRow {
                state: to,
                content: content.written()?,
                ..row
            };
            tx.hand_over(step(row, Some(TransferState::Offered)));
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&row.owner, Needs::default(), job)
            .map_err(refuse_write)
    }
}
