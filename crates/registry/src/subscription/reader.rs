//! Whose access a subscription has: looked up anew whenever something is to be sent.

use grunddata_model::OwnerKey;
use serde::{Deserialize, Serialize};

use crate::registry::refuse_store;
use crate::tokens::token_of;
use crate::{
    Action, Actor, Code, Context, Grant, GrantSubject, OwnerScope, Refusal, Registry, SubjectKind,
};

/// Whose access a subscription has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionReader {
    /// What tells the client from others: the line of a token, or an account of another issuer.
    pub client: String,
    /// Its name.
    pub name: String,
    /// The unit that it works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// For what it said that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Of an account of another issuer: the names by which grants are given to it. Those of its groups are not among them:
    /// each token tells of them anew, and nobody tells here when somebody leaves a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<Subject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Subject {
    kind: String,
    name: String,
}

impl SubscriptionReader {
    /// The caller of a request. `subjects` are the names by which grants are given to it; none for a token of the registry.
    #[must_use]
    pub fn of(context: &Context, subjects: &[GrantSubject]) -> Self {
        let actor = &context.actor;
        let lasting = subjects
            .iter()
            .filter(|subject| matches!(subject.kind, SubjectKind::User | SubjectKind::Client));
        Self {
            client: actor.client.clone(),
            name: actor.name.clone(),
            unit: actor.unit.clone(),
            purpose: context.purpose.clone(),
            subjects: lasting
                .map(|subject| Subject {
                    kind: subject.kind.as_str().to_owned(),
                    name: subject.name.clone(),
                })
                .collect(),
        }
    }
}

impl Registry {
    /// The reader that a token stands for, by the token's id.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who administers nothing; [`Code::NotFound`] when the actor administers no such token.
    pub fn reader_of_token(
        &self,
        context: &Context,
        id: &str,
    ) -> Result<SubscriptionReader, Refusal> {
        let tokens = self.tokens(context)?;
        let token = tokens.into_iter().find(|token| token.id == id);
        let token = token.ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "There is no such token that you administer. The list of tokens shows those that you do.",
            )
        })?;
        Ok(SubscriptionReader {
            client: token.client,
            name: token.name,
            unit: token.unit,
            purpose: None,
            subjects: Vec::new(),
        })
    }

    /// What a reader may do now; `None` when it is let in no more. Reads the store.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn present_reader(&self, reader: &SubscriptionReader) -> Result<Option<Actor>, Refusal> {
        let now = self.now();
        if !reader.subjects.is_empty() {
            let subjects: Vec<GrantSubject> = reader
                .subjects
                .iter()
                .filter_map(|subject| {
                    Some(GrantSubject {
                        kind: SubjectKind::from_name(&subject.kind)?,
                        name: subject.name.clone(),
                    })
                })
                .collect();
            let grants = self.grants_of(&subjects)?;
            return Ok(Some(Actor {
                name: reader.name.clone(),
                client: reader.client.clone(),
                grants,
                feeds_copies: false,
                unit: reader.unit.clone(),
                expires_at: None,
            }));
        }
        // The newest of its line that is good: after a change of its secret there are two for a while, with the same rights.
        for row in self.inner.store.tokens().map_err(refuse_store)? {
            if row.revoked_at.is_some() || row.expires_at.is_some_and(|at| at <= now) {
                continue;
            }
            let token = token_of(row)?;
            if token.client == reader.client {
                return Ok(Some(Actor {
                    name: token.name,
                    client: token.client,
                    grants: token.grants.into(),
                    feeds_copies: token.feeds_copies,
                    unit: token.unit,
                    expires_at: token.expires_at,
                }));
            }
        }
        Ok(None)
    }

    /// Whether the actor may say where a subscription goes and what it sends: who administers the whole owner, and the reader
    /// itself. An account of another issuer has other rights with each program, and is the reader only with no less.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub(super) fn may_direct(
        &self,
        context: &Context,
        owner: &OwnerKey,
        reader: &SubscriptionReader,
    ) -> Result<(), Refusal> {
        let actor = &context.actor;
        if reader.subjects.is_empty() || actor.may_for_whole(Action::Administer, owner) {
            return Ok(());
        }
        let Some(read) = self.present_reader(reader)? else {
            return Ok(());
        };
        let grants = read
            .grants
            .counting(context.today, reader.purpose.as_deref());
        let told = |grant: &&Grant| match &grant.scope {
            OwnerScope::All => true,
            OwnerScope::Owner(key) => key == owner,
        };
        let held = actor.grants.list();
        let all = grants
            .list()
            .iter()
            .filter(told)
            .all(|grant| held.iter().any(|held| held.covers(grant)));
        if all {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Forbidden,
            "The subscription is sent more than this token is shown. Change it with the program that it was made with, and for the same purpose.",
        ))
    }

    /// In whose name something is read for a subscription now.
    #[must_use]
    pub fn reading_as(
        &self,
        reader: &SubscriptionReader,
        actor: Actor,
        request_id: impl Into<String>,
    ) -> Context {
        let mut context = self.context(actor, request_id);
        context.purpose.clone_from(&reader.purpose);
        let grants = &context.actor.grants;
        context.actor.grants = grants.counting(context.today, context.purpose.as_deref());
        context
    }
}

/// Whether the actor may look after a subscription: it is the actor's own, or of an owner that the actor administers as a whole.
pub(super) fn looks_after(
    context: &Context,
    owner: &OwnerKey,
    reader: &SubscriptionReader,
) -> bool {
    let actor = &context.actor;
    let own = !actor.is_anonymous() && actor.client == reader.client;
    own || actor.may_for_whole(Action::Administer, owner)
}
