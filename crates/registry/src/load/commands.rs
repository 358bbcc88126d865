//! From what a row is to do to commands of the ordinary pipeline.

use grunddata_store::{LoadRow, PlanRow};

use super::row::{Planned, RowContent, from_bound, to_bound};
use super::settings::SourceSettings;
use crate::{
    Amend, ChangeKind, Command, Content as Body, Create, End, Envelope, From, IfMatch, Note,
    Operation, Origin, Patch, Replace, Retract, Revert, Revive, Subject, stockholm_day,
};

/// Where a record comes from that the source makes.
fn origin(load: &LoadRow, settings: &SourceSettings) -> Origin {
    settings
        .copy_of
        .clone()
        .map_or(Origin::Own, |of| Origin::Copy {
            of,
            copied: Some(stockholm_day(load.created_at)),
            received_at: None,
        })
}

/// The commands of a row.
pub(super) fn commands_of(
    load: &LoadRow,
    settings: &SourceSettings,
    row: &PlanRow,
    content: &RowContent,
) -> Vec<Command> {
    let Some(id) = row.record else {
        return Vec::new();
    };
    let subject = || Subject::Id(id);
    let body = |data: serde_json::Value| Body { data, model: None };
    let mut commands = Vec::with_capacity(content.operations.len());
    for planned in &content.operations {
        let mut correction = false;
        let operation = match planned {
            Planned::Create { piece, from, to } => {
                let data = content
                    .said
                    .pieces
                    .get(*piece)
                    .map(|piece| piece.resolved());
                let content = body(data.unwrap_or_default());
                if commands.is_empty() {
                    Operation::Create(Create {
                        id: Some(id),
                        temporary_id: None,
                        envelope: Envelope {
                            owner: Some(load.owner.clone()),
                            controller: settings.controller,
                            origin: origin(load, settings),
                        },
                        content,
                        valid_from: Some(from_bound(*from)),
                        valid_to: Some(to_bound(*to)),
                        matching: None,
                    })
                } else {
                    Operation::Revive(Revive {
                        subject: subject(),
                        content,
                        valid_from: from_bound(*from),
                        valid_to: Some(to_bound(*to)),
                    })
                }
            }
            Planned::Amend {
                patch,
                from,
                to,
                correction: is_correction,
            } => {
                correction = *is_correction;
                Operation::Amend(Amend {
                    subject: subject(),
                    patch: Patch::Merge(patch.clone()),
                    valid_from: Some(From::At(from_bound(*from))),
                    valid_to: Some(to_bound(*to)),
                })
            }
            Planned::Fill {
                data,
                from,
                to,
                correction: is_correction,
            } => {
                correction = *is_correction;
                Operation::Replace(Replace {
                    subject: subject(),
                    envelope: Envelope::default(),
                    content: body(data.clone()),
                    valid_from: Some(From::At(from_bound(*from))),
                    valid_to: Some(to_bound(*to)),
                    overwrite_planned: true,
                })
            }
            Planned::Revive { data, from, to } => Operation::Revive(Revive {
                subject: subject(),
                content: body(data.clone()),
                valid_from: from_bound(*from),
                valid_to: Some(to_bound(*to)),
            }),
            Planned::End { from, to } => Operation::End(End {
                subject: subject(),
                valid_from: Some(From::At(from_bound(*from))),
                valid_to: to.map(to_bound),
            }),
            Planned::Retract { period } => Operation::Retract(Retract {
                subject: subject(),
                valid_from: period.map(|(from, _)| From::At(from_bound(from))),
                valid_to: period.map(|(_, to)| to_bound(to)),
            }),
            Planned::Revert { version } => Operation::Revert(Revert {
                subject: subject(),
                version: *version,
            }),
        };
        let mut command = Command::new(row.domain, operation).note(Note {
            reason: Some(format!("load {}", load.id)),
            change_kind: if correction {
                ChangeKind::Correction
            } else {
                ChangeKind::Change
            },
            corrects: None,
            source: Some(load.source.clone()),
        });
        command.on_uncovered = settings.on_uncovered;
        command.on_unresolved = settings.on_unresolved;
        command.if_match = row.base_version.map(IfMatch::Version);
        commands.push(command);
    }
    commands
}
