//! Code lists. Short closed ones are enums, which a test holds to the lists of the package in both directions; open and
//! long ones are a [`Code`] that the information model checks.

use crate::FormatError;
use crate::identifiers::identifier;

identifier! {
    /// A code of a list that has no enum here. Only its outline is checked: 1 to 100 characters without white space.
    Code, |text| text.trim().to_owned(), check_code
}

fn check_code(value: &str) -> Result<(), FormatError> {
    let forbidden = |char: char| char.is_whitespace() || char.is_control();
    if (1..=100).contains(&value.len()) && !value.contains(forbidden) {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not a code: write 1 to 100 characters without white space, as the code list has it",
            "inte en kod: skriv 1 till 100 tecken utan blanktecken, så som den står i kodlistan",
        ))
    }
}

macro_rules! code_list {
    ($(#[$doc:meta])* $name:ident, $list:literal, { $($(#[$variant_doc:meta])* $variant:ident => $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $code)] $variant,)+
        }

        impl $name {
            /// The name of the code list.
            pub const LIST: &'static str = $list;

            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

code_list! {
    /// What an address is for.
    AddressKind, "address-kind", {
        /// The address at which the person is registered, or which the organisation has given to the registration authority.
        Registered => "registered",
        /// The address that the person has given to the Swedish Tax Agency for post instead of the registered address.
        SpecialPostal => "special-postal",
        /// An address with the authority that forwards post to a person with protected registration.
        Forwarding => "forwarding",
        /// The address to which letters are to be sent.
        Postal => "postal",
        /// The address to which a visitor should go.
        Visiting => "visiting",
        /// The address to which goods are to be delivered.
        Delivery => "delivery",
        /// The address to which paper invoices are to be sent.
        Invoice => "invoice",
        /// The address at which the person stays for a limited time.
        Temporary => "temporary",
        /// An address abroad for someone not registered in Sweden.
        Foreign => "foreign",
    }
}

code_list! {
    /// A tie between organisations beside the line hierarchy.
    AffiliationKind, "affiliation-kind", {
        /// The administration or body answers to the committee or board pointed out.
        AnswersTo => "answers-to",
        /// The finances of the organisation are part of the budget of the one pointed out.
        Budget => "budget",
        /// The joint committee is set up by the one pointed out together with others.
        JointCommittee => "joint-committee",
        /// The organisation is a member of the one pointed out, such as a local federation.
        MemberOf => "member-of",
        /// The one pointed out owns the organisation in whole or in part.
        OwnedBy => "owned-by",
    }
}

code_list! {
    /// How certain it is that an identifier belongs to the individual.
    Assurance, "assurance", {
        /// The identity is proven by appearing in person with a valid document.
        Proven => "proven",
        /// The identity is probable from documents, without appearance in person.
        Probable => "probable",
        /// There is uncertainty about the identity.
        Uncertain => "uncertain",
    }
}

code_list! {
    /// What an attestation is the right to do.
    AttestationKind, "attestation-kind", {
        /// Final approval that the transaction is to be booked and paid.
        Decision => "decision",
        /// Certifies that the goods or service were received and agree with the order.
        Receipt => "receipt",
        /// Certifies that the documents were reviewed: price, terms and formal requirements.
        Review => "review",
        /// Approves that the payment is carried out.
        Payment => "payment",
    }
}

code_list! {
    /// Whether the holder of a role is at work. Never a cause: that would be health data.
    AvailabilityState, "availability-state", {
        /// Is on duty.
        Active => "active",
        /// Is on leave in whole or in part, whatever the cause.
        OnLeave => "on-leave",
        /// Is suspended from work.
        Suspended => "suspended",
    }
}

code_list! {
    /// By what channel a service is reached.
    ChannelKind, "channel-kind", {
        /// A web-based service in which the matter is opened or carried out.
        EService => "e-service",
        /// A conversation by telephone.
        Phone => "phone",
        /// A visit in person.
        Visit => "visit",
        /// A letter or form by post.
        Letter => "letter",
        /// An e-mail message.
        EMail => "e-mail",
        /// A program on a mobile device.
        App => "app",
    }
}

code_list! {
    /// What kind of contact point it is.
    ContactPointKind, "contact-point-kind", {
        /// A personal e-mail address.
        Email => "email",
        /// A fixed or direct telephone number, in international form.
        Phone => "phone",
        /// A mobile number, in international form, that also receives text messages.
        Mobile => "mobile",
        /// The number of a switchboard or contact centre.
        Switchboard => "switchboard",
        /// An e-mail address that belongs to a function and is read by several, such as the registry.
        FunctionMailbox => "function-mailbox",
        /// A mailbox in the infrastructure Mina meddelanden.
        DigitalMailbox => "digital-mailbox",
        /// A function address in SDK for messages of sensitive content between organisations.
        SecureDigitalCommunication => "secure-digital-communication",
        /// The electronic address in Peppol to which invoices are sent, such as 0007:2021002114.
        EInvoice => "e-invoice",
        /// A website or web page.
        Web => "web",
        /// A number for text telephony.
        TextTelephone => "text-telephone",
        /// A fax number.
        Fax => "fax",
    }
}

code_list! {
    /// By what right a property is held.
    HolderKind, "holder-kind", {
        /// The registered owner or one who owns the property in another way.
        Owner => "owner",
        /// Holds a site leasehold to the property.
        SiteLeaseholder => "site-leaseholder",
        /// Rents or leases all or parts of the property.
        Tenant => "tenant",
    }
}

code_list! {
    /// The standing of an identifier.
    IdentifierStatus, "identifier-status", {
        /// The value is the one in use.
        Active => "active",
        /// Another value has taken its place; the old one still leads to the record.
        Superseded => "superseded",
        /// The value is not in use but may become active again, such as a coordination number declared dormant.
        Dormant => "dormant",
        /// The issuer has deregistered the value and it will not be used again.
        Deregistered => "deregistered",
    }
}

code_list! {
    /// How strongly a person is protected, from weakest to strongest. A fictitious identity is never marked.
    ProtectionLevel, "protection-level", {
        /// The person's data have no special protection.
        None => "none",
        /// The information owner has itself decided to protect the data, such as while awaiting the decision of the Tax Agency.
        LocalProtection => "local-protection",
        /// The Tax Agency has marked that the data may be secret; harm must be examined before anything is disclosed.
        ConfidentialityMarking => "confidentiality-marking",
        /// The person is registered in a municipality other than that of residence; the real address is not in the population register.
        ProtectedRegistration => "protected-registration",
    }
}

code_list! {
    /// Who decided on the protection or told of it.
    ProtectionSource, "protection-source", {
        /// The statement comes from the population register.
        TaxAgency => "tax-agency",
        /// The information owner has taken a decision of its own.
        OwnerDecision => "owner-decision",
        /// The person or a custodian has said that protection exists or has been applied for.
        Person => "person",
        /// Another authority, such as a social welfare committee or the police, has told of it.
        OtherAuthority => "other-authority",
        /// The statement comes with a source system and its ground is not known.
        SourceSystem => "source-system",
    }
}

code_list! {
    /// A person's standing in the population register.
    RegistrationStatus, "registration-status", {
        /// Is registered as resident in Sweden.
        Resident => "resident",
        /// Deregistered as having moved from Sweden.
        Emigrated => "emigrated",
        /// Deregistered as deceased or declared dead.
        Deceased => "deceased",
        /// Deregistered after two years without a known place of residence.
        Missing => "missing",
        /// Deregistered for another reason, such as that the registration was wrong.
        Deregistered => "deregistered",
        /// Not registered as resident but given a coordination number.
        CoordinationNumber => "coordination-number",
    }
}

code_list! {
    /// What another person is to the person of the record.
    RelationshipKind, "relationship-kind", {
        /// Has custody of the child under the Children and Parents Code.
        Custodian => "custodian",
        /// Has been entrusted with custody by a court in place of the parents.
        SpeciallyAppointedCustodian => "specially-appointed-custodian",
        /// Is the legal parent of the child, with or without custody.
        Parent => "parent",
        /// Receives the child in a foster home for lasting care and upbringing.
        FosterCarer => "foster-carer",
        /// Manages the assets of the minor and represents the minor in matters of them.
        LegalGuardian => "legal-guardian",
        /// Appointed to safeguard rights, manage property or care for the person with the principal's consent.
        GodMan => "god-man",
        /// Appointed to decide alone on what the mandate covers, without need of the principal's consent.
        Administrator => "administrator",
        /// Appointed by a future power of attorney under the Act (2017:310), once in force.
        FuturePowerOfAttorney => "future-power-of-attorney",
        /// Married to, registered partner of or cohabiting with the person.
        SpouseOrPartner => "spouse-or-partner",
        /// The one to be told when something has happened to the person.
        EmergencyContact => "emergency-contact",
    }
}

code_list! {
    /// What kind of role it is.
    RoleKind, "role-kind", {
        /// A contract of employment between person and employer.
        Employment => "employment",
        /// Where in the organisation an employment is placed, in whole or in part.
        Placement => "placement",
        /// A task or function held beside or within an employment, such as data protection officer or lead teacher.
        Assignment => "assignment",
        /// An office as elected representative in an assembly, committee, board or drafting committee.
        ElectedOffice => "elected-office",
        /// Works for the organisation without being employed, such as a consultant or agency worker.
        Contractor => "contractor",
        /// Contributes without pay, such as a contact person or visiting friend.
        Volunteer => "volunteer",
        /// A child or pupil in preschool, school or other education under the Education Act.
        Pupil => "pupil",
        /// A student in adult, vocational or higher education.
        Student => "student",
        /// Is part of a group, such as a class, a teaching group or a team.
        GroupMember => "group-member",
        /// A member or deputy of the board of a legal entity.
        BoardMember => "board-member",
        /// Represents the owner at a general meeting or the like.
        OwnerRepresentative => "owner-representative",
    }
}

code_list! {
    /// Whom a service is for.
    ServiceKind, "service-kind", {
        /// Given to individuals, businesses or other organisations within a public mission.
        PublicService => "public-service",
        /// Given by one part of the public sector to another, such as IT operation or cleaning.
        InternalService => "internal-service",
    }
}

code_list! {
    /// Where a service is in its life.
    ServiceStatus, "service-status", {
        /// Decided but not in operation.
        Planned => "planned",
        /// Can be asked for and is delivered.
        Active => "active",
        /// Can no longer be asked for.
        Withdrawn => "withdrawn",
    }
}

code_list! {
    /// Legal sex.
    Sex, "sex", {
        /// Registered as female.
        Female => "female",
        /// Registered as male.
        Male => "male",
        /// Not known.
        Unknown => "unknown",
    }
}

code_list! {
    /// How a record succeeds another.
    SuccessionKind, "succession-kind", {
        /// Several have been merged into a new one.
        Merge => "merge",
        /// One has been split and this is one of the parts.
        Split => "split",
        /// The same body or area continues under a new name or code.
        Rename => "rename",
        /// An already existing one has taken over all or parts of the former.
        Takeover => "takeover",
    }
}

code_list! {
    /// Who may see a contact point.
    Visibility, "visibility", {
        /// May be shown to everyone, the web included.
        Public => "public",
        /// May be shown inside the organisation of the information owner.
        Internal => "internal",
        /// May be shown only to those who need it in their work.
        Restricted => "restricted",
    }
}

code_list! {
    /// A day of the week or a kind of day.
    Weekday, "weekday", {
        /// The first day of the week.
        Monday => "monday",
        /// The second day of the week.
        Tuesday => "tuesday",
        /// The third day of the week.
        Wednesday => "wednesday",
        /// The fourth day of the week.
        Thursday => "thursday",
        /// The fifth day of the week.
        Friday => "friday",
        /// The sixth day of the week.
        Saturday => "saturday",
        /// The seventh day of the week.
        Sunday => "sunday",
        /// A public holiday under the Act (1989:253) on public holidays.
        PublicHoliday => "public-holiday",
        /// The day just before a public holiday.
        EveOfHoliday => "eve-of-holiday",
        /// A working day between a public holiday and another day off.
        BridgeDay => "bridge-day",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The codes of a list of the package: the first column, which is never quoted.
    fn codes(list: &str) -> BTreeSet<String> {
        let path = format!(
            "{}/../../schemas/grunddata/1.0.0/codelists/{list}.csv",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        text.lines()
            .skip(1)
            .filter_map(|line| line.split(',').next())
            .map(str::to_owned)
            .collect()
    }

    macro_rules! assert_agree {
        ($($name:ident),+ $(,)?) => {
            $(
                let ours: BTreeSet<String> = $name::ALL.iter().map(|code| code.as_str().to_owned()).collect();
                assert_eq!(ours, codes($name::LIST), "{}", $name::LIST);
                for code in $name::ALL {
                    assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
                }
            )+
        };
    }

    #[test]
    fn enums_and_code_lists_have_the_same_codes() {
        assert_agree!(
            AddressKind,
            AffiliationKind,
            Assurance,
            AttestationKind,
            AvailabilityState,
            ChannelKind,
            ContactPointKind,
            HolderKind,
            IdentifierStatus,
            ProtectionLevel,
            ProtectionSource,
            RegistrationStatus,
            RelationshipKind,
            RoleKind,
            ServiceKind,
            ServiceStatus,
            Sex,
            SuccessionKind,
            Visibility,
            Weekday
        );
    }

    #[test]
    fn protection_levels_are_ordered_by_strength() {
        assert!(ProtectionLevel::None < ProtectionLevel::LocalProtection);
        assert!(ProtectionLevel::ConfidentialityMarking < ProtectionLevel::ProtectedRegistration);
    }
}
