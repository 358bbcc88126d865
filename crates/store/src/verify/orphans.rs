//! Rows that belong to nothing, and links that lead to nothing.

use diesel::sql_types::{BigInt, Text};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::verify::Verifier;
use crate::write::owner_key;

/// Each rule counts, per owner, rows that must not be there.
const RULES: [(&str, &str); 24] = [
    (
        "state-has-record",
        "SELECT s.owner, COUNT(*) FROM state s LEFT JOIN record r ON r.owner = s.owner AND r.id = s.record_id \
         WHERE r.id IS NULL OR r.domain <> s.domain GROUP BY s.owner",
    ),
    (
        // What the head said ended with a version of the record; of what was erased nothing is kept.
        "former-head-has-version",
        "SELECT f.owner, COUNT(*) FROM former_head f LEFT JOIN record r ON r.owner = f.owner AND r.id = f.record_id \
         LEFT JOIN change c ON c.owner = f.owner AND c.record_id = f.record_id AND c.recorded_at = f.superseded_at \
         AND c.operation <> 11 WHERE r.id IS NULL OR r.status = 4 OR c.owner IS NULL GROUP BY f.owner",
    ),
    (
        "change-has-record",
        "SELECT c.owner, COUNT(*) FROM change c LEFT JOIN record r ON r.owner = c.owner AND r.id = c.record_id \
         WHERE r.id IS NULL OR r.domain <> c.domain GROUP BY c.owner",
    ),
    (
        "identifier-has-record",
        "SELECT i.owner, COUNT(*) FROM identifier i LEFT JOIN record r ON r.owner = i.owner AND r.id = i.record_id \
         WHERE r.id IS NULL GROUP BY i.owner",
    ),
    (
        "link-has-record",
        "SELECT l.owner, COUNT(*) FROM link l LEFT JOIN record r ON r.owner = l.owner AND r.id = l.source_id \
         WHERE r.id IS NULL OR r.domain <> l.source_domain GROUP BY l.owner",
    ),
    (
        "entry-has-record",
        "SELECT e.owner, COUNT(*) FROM entry e LEFT JOIN record r ON r.owner = e.owner AND r.id = e.record_id \
         WHERE r.id IS NULL OR r.domain <> e.domain GROUP BY e.owner",
    ),
    (
        // A copy may refer to owners that are not copied, and what it holds may be withdrawn from under those that refer to it;
        // with its owner too. A record that another registry handed over may refer to what stayed there.
        "link-target-exists",
        "SELECT l.owner, COUNT(*) FROM link l LEFT JOIN directory_id d ON d.id = l.target_id \
         WHERE d.id IS NULL AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.owner = l.owner) \
         AND NOT EXISTS (SELECT 1 FROM owner_reference f JOIN peer p ON p.owner = f.target WHERE f.source = l.owner) \
         AND NOT EXISTS (SELECT 1 FROM owner_reference f LEFT JOIN owner o ON o.key = f.target WHERE f.source = l.owner \
         AND o.key IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM record r WHERE r.owner = l.owner AND r.id = l.source_id \
         AND r.origin LIKE '{\"kind\":\"received\"%') GROUP BY l.owner",
    ),
    (
        "owner-reference-exists",
        "SELECT l.owner, COUNT(*) FROM link l JOIN directory_id d ON d.id = l.target_id \
         LEFT JOIN owner_reference f ON f.target = d.owner AND f.source = l.owner WHERE f.source IS NULL GROUP BY l.owner",
    ),
    (
        "directory-id-has-record",
        "SELECT d.owner, COUNT(*) FROM directory_id d LEFT JOIN record r ON r.owner = d.owner AND r.id = d.id \
         WHERE r.id IS NULL GROUP BY d.owner",
    ),
    (
        "directory-identifier-has-record",
        "SELECT h.owner, COUNT(*) FROM directory_identifier h LEFT JOIN record r ON r.owner = h.owner AND r.id = h.record_id \
         WHERE r.id IS NULL GROUP BY h.owner",
    ),
    (
        "identifier-in-directory",
        "SELECT i.owner, COUNT(*) FROM identifier i LEFT JOIN directory_identifier h ON h.scheme = i.scheme \
         AND h.value = i.value AND h.owner = i.owner AND h.record_id = i.record_id WHERE h.owner IS NULL GROUP BY i.owner",
    ),
    (
        "transaction-has-changes",
        "SELECT t.owner, COUNT(*) FROM accepted_transaction t LEFT JOIN change c ON c.owner = t.owner \
         AND c.position = t.first_position AND c.transaction_id = t.id AND c.recorded_at = t.recorded_at \
         WHERE c.owner IS NULL GROUP BY t.owner",
    ),
    (
        "change-has-transaction",
        "SELECT c.owner, COUNT(*) FROM change c LEFT JOIN accepted_transaction t ON t.owner = c.owner \
         AND t.id = c.transaction_id AND c.position >= t.first_position AND c.position <= t.last_position \
         WHERE t.owner IS NULL GROUP BY c.owner",
    ),
    (
        // What time itself did makes no version.
        "effective-has-version",
        "SELECT e.owner, COUNT(*) FROM change e LEFT JOIN change c ON c.owner = e.owner AND c.record_id = e.record_id \
         AND c.version = e.version AND c.operation <> 11 WHERE e.operation = 11 AND c.owner IS NULL GROUP BY e.owner",
    ),
    (
        "record-has-owner",
        "SELECT r.owner, COUNT(*) FROM record r LEFT JOIN owner o ON o.key = r.owner WHERE o.key IS NULL GROUP BY r.owner",
    ),
    (
        "term-has-variant",
        "SELECT t.owner, COUNT(*) FROM term t LEFT JOIN term_variant v ON v.owner = t.owner AND v.domain = t.domain \
         AND v.deletion = t.word AND v.word = t.word WHERE v.word IS NULL GROUP BY t.owner",
    ),
    (
        "mark-has-record",
        "SELECT m.owner, COUNT(*) FROM record_mark m LEFT JOIN record r ON r.owner = m.owner AND r.id = m.record_id \
         WHERE r.id IS NULL OR (r.status = 4 AND m.reason <> '') GROUP BY m.owner",
    ),
    (
        "term-has-entry",
        "SELECT x.owner, COUNT(*) FROM (SELECT t.owner, t.domain, t.word FROM term t EXCEPT \
         SELECT e.owner, e.domain, e.value FROM entry e WHERE e.mode = 3) x GROUP BY x.owner",
    ),
    (
        "assertion-has-record",
        "SELECT a.owner, COUNT(*) FROM assertion a LEFT JOIN record r ON r.owner = a.owner AND r.id = a.record_id \
         WHERE r.id IS NULL OR r.status = 4 GROUP BY a.owner",
    ),
    (
        "assertion-has-content",
        "SELECT x.owner, COUNT(*) FROM (SELECT a.owner, a.source, a.key_hash FROM assertion a EXCEPT \
         SELECT c.owner, c.source, c.key_hash FROM assertion_content c) x GROUP BY x.owner",
    ),
    (
        "assertion-content-has-assertion",
        "SELECT x.owner, COUNT(*) FROM (SELECT c.owner, c.source, c.key_hash FROM assertion_content c EXCEPT \
         SELECT a.owner, a.source, a.key_hash FROM assertion a) x GROUP BY x.owner",
    ),
    (
        "load-batch-is-in-log",
        "SELECT b.owner, COUNT(*) FROM load_batch b LEFT JOIN accepted_transaction t ON t.owner = b.owner \
         AND t.id = b.transaction_id LEFT JOIN load l ON l.owner = b.owner AND l.id = b.load_id \
         WHERE l.id IS NULL OR b.number > l.batches OR (b.transaction_id IS NOT NULL AND (t.id IS NULL \
         OR t.recorded_at <> b.recorded_at)) GROUP BY b.owner",
    ),
    (
        // A row that was applied has a record; of one that was erased nothing is told any more.
        "plan-row-is-bare",
        "SELECT x.owner, COUNT(*) FROM load_row x JOIN record r ON r.owner = x.owner AND r.id = x.record_id \
         WHERE r.status = 4 AND (x.content <> '' OR x.key <> '') GROUP BY x.owner",
    ),
    (
        // The decision on the erasure alone says why; nothing else in the log tells of the content.
        "erased-log-is-bare",
        "SELECT c.owner, COUNT(*) FROM record r JOIN change c ON c.owner = r.owner AND c.record_id = r.id \
         WHERE r.status = 4 AND c.operation <> 10 AND (c.reason IS NOT NULL OR c.source IS NOT NULL) GROUP BY c.owner",
    ),
];

impl Verifier<'_> {
    pub(super) fn check_orphans(&mut self) -> Result<(), StoreError> {
        for (rule, text) in RULES {
            let sql = Sql::<(Text, BigInt)>::new(text);
            let rows: Vec<(String, i64)> = self.connection.load(&sql)?;
            for (owner, count) in rows {
                self.found(&owner_key(&owner)?, None, rule, format!("{count} rows"));
            }
        }
        Ok(())
    }
}
