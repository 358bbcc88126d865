//! Grants to users, groups and clients of other issuers: given, listed, taken back. A registry's own token carries its
//! grants itself; see `tokens`.

use grunddata_model::Instant;
use grunddata_store::GrantRow;
use serde_json::json;
use uuid::Uuid;

use crate::registry::refuse_store;
use crate::tokens::{administers, hands_on, outlives};
use crate::write::check_text;
use crate::{Action, Code, Context, Grant, Grants, Refusal, Registry};

/// What a grant is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// One person's account: `ISSUER#SUBJECT`.
    User,
    /// A group or role that an issuer tells of: `ISSUER#GROUP`.
    Group,
    /// A service account or application: `ISSUER#CLIENT`.
    Client,
    /// Whoever a rule of the issuer's settings names: `ISSUER#GRANT`, by the name that the rule gives.
    Rule,
}

impl SubjectKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::User, Self::Group, Self::Client, Self::Rule];

    /// The word by which it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Client => "client",
            Self::Rule => "rule",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The number that is stored.
    const fn code(self) -> i16 {
        match self {
            Self::User => 1,
            Self::Group => 2,
            Self::Client => 3,
            Self::Rule => 4,
        }
    }

    fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Whom a grant is given to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantSubject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its name with its issuer: `ISSUER#NAME`.
    pub name: String,
}

/// A grant to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenGrant {
    /// The id by which it is taken back.
    pub id: Uuid,
    /// To whom.
    pub subject: GrantSubject,
    /// What.
    pub grant: Grant,
    /// Why.
    pub reason: Option<String>,
    /// When it was given.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it was taken back.
    pub ended_at: Option<Instant>,
    /// By whom.
    pub ended_by: Option<String>,
}

/// The longest name of a subject, in characters.
const NAME: usize = 500;

impl Registry {
    /// Gives a grant. The actor gives only what it holds itself, for no longer, and only as an administrator.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::InvalidText`], [`Code::InvalidParameter`] for a subject without its issuer.
    pub fn give_grant(
        &self,
        context: &Context,
        subject: GrantSubject,
        grant: Grant,
        reason: Option<String>,
    ) -> Result<GivenGrant, Refusal> {
        let told = json!({"subject": {"kind": subject.kind.as_str(), "name": subject.name}, "grant": grant, "reason": reason});
        self.note_rights(context, std::slice::from_ref(&grant), told)?;
        check_text("subject", &subject.name, NAME)?;
        if let Some(reason) = &reason {
            check_text("reason", reason, 1_000)?;
        }
        if !subject
            .name
            .split_once('#')
            .is_some_and(|(issuer, name)| !issuer.is_empty() && !name.is_empty())
        {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "A subject is written ISSUER#NAME, such as https://login.example.se#anna: the same name at another issuer is somebody else.",
            )
            .fact(crate::fact::PARAMETER, "subject"));
        }
        if !hands_on(&context.actor, &grant) || outlives(&context.actor, &grant) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Grants are given by administrators, each for the owners that they administer and with no more than they hold.",
            ));
        }
        let row = GrantRow {
            id: Uuid::now_v7(),
            subject_kind: subject.kind.code(),
            subject: subject.name,
            content: serde_json::to_string(&grant).map_err(|_| Refusal::internal())?,
            reason,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            ended_at: None,
            ended_by: None,
        };
        self.inner.store.put_grant(&row).map_err(refuse_store)?;
        context.disclosed.acted([], json!({"made": row.id}));
        given(row)
    }

    /// The grants that the actor administers, those that were taken back included; the newest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who administers nothing.
    pub fn given_grants(&self, context: &Context) -> Result<Vec<GivenGrant>, Refusal> {
        if !context.actor.may_somewhere(Action::Administer) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Grants are listed for administrators.",
            ));
        }
        let mut found = Vec::new();
        for row in self.inner.store.grants().map_err(refuse_store)? {
            let given = given(row)?;
            if administers(&context.actor, &given.grant) {
                found.push(given);
            }
        }
        Ok(found)
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the actor administers no such grant that still counts.
    pub fn take_back_grant(&self, context: &Context, id: Uuid) -> Result<(), Refusal> {
        let given = self.given_grants(context)?;
        let administered = given
            .iter()
            .find(|given| given.id == id && given.ended_at.is_none());
        if let Some(given) = administered {
            let told = json!({"taken": id, "subject": {"kind": given.subject.kind.as_str(), "name": given.subject.name}});
            self.note_rights(context, std::slice::from_ref(&given.grant), told)?;
        }
        let by = &context.actor.name;
        if administered.is_some() && self.inner.store.end_grant(id, by).map_err(refuse_store)? {
            return Ok(());
        }
        Err(Refusal::new(
            Code::NotFound,
            format!("There is no grant {id} that you administer and that still counts."),
        ))
    }

    /// What the subjects hold together.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn grants_of(&self, subjects: &[GrantSubject]) -> Result<Grants, Refusal> {
        let keys: Vec<(i16, String)> = subjects
            .iter()
            .map(|subject| (subject.kind.code(), subject.name.clone()))
            .collect();
        let rows = self.inner.store.grants_of(&keys).map_err(refuse_store)?;
        let grants = rows
            .into_iter()
            .map(|row| given(row).map(|given| given.grant))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(grants.into())
    }
}

fn given(row: GrantRow) -> Result<GivenGrant, Refusal> {
    let unreadable = |what: String| {
        tracing::error!(%what, grant = %row.id, "a stored grant cannot be read");
        Refusal::internal()
    };
    let kind = SubjectKind::from_code(row.subject_kind)
        .ok_or_else(|| unreadable(format!("subject kind {}", row.subject_kind)))?;
    let grant =
        serde_json::from_str(&row.content).map_err(|error| unreadable(error.to_string()))?;
    Ok(GivenGrant {
        id: row.id,
        subject: GrantSubject {
            kind,
            name: row.subject,
        },
        grant,
        reason: row.reason,
        created_at: row.created_at,
        created_by: row.created_by,
        ended_at: row.ended_at,
        ended_by: row.ended_by,
    })
}
