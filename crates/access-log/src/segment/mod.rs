//! The format of the files, version 1.
//!
//! A directory holds any number of series, one for each process that writes at the same time. A series is one Merkle
//! tree ([`merkle`](crate::merkle)); its leaves are the entries, numbered from 0. `ID` is the UUID (version 7) of the
//! series, in lower case with hyphens:
//!
//! | file | what |
//! |---|---|
//! | `ID.lock` | empty; locked by the process that writes the series |
//! | `ID-ORDINAL.log` | a segment; ORDINAL is 10 decimal digits and grows |
//! | `ID-ORDINAL.log.torn-N` | bytes that were cut off after a crash, or a segment that had nothing but those |
//! | `ID.removed` | tombstones of segments that were removed after their time, see below |
//! | `removal.lock` | empty; locked while segments are removed |
//!
//! # Segment
//!
//! A sequence of frames, all integers little-endian:
//!
//! ```text
//! length u32 | kind u8 | payload (length bytes) | XXH3-64 of everything before, u64
//! ```
//!
//! | kind | payload |
//! |---|---|
//! | 1 header | JSON: `format`, `series`, `ordinal`, `first` (number of the first entry), `peaks` (the tree before it, as the hashes of its complete subtrees from left to right) and `previous`: the `ordinal` of the segment that is continued, the `bytes` of it that count, the `root` there and whether it was `closed` |
//! | 2 entry | JSON, see [`Entry`](crate::Entry). These bytes are the leaf |
//! | 3 checkpoint | `gdcheck1`, where the batch begins (u64), entries of the series (u64), root (32 bytes) |
//! | 4 index | binary: leaf hashes, offsets, and the sorted pairs of term and entry in buckets with a checksum each |
//! | 5 footer | JSON: `count`, `root`, `peaks`, `range`, the earliest and latest instant, `labels`, and the measures of the index |
//!
//! A batch is one or more entries and a checkpoint (the first batch begins with the header, at 0). It is written with one
//! call and made durable with one fdatasync; only then is any of its entries acknowledged, and only then is the next
//! batch written. A closed segment ends with index, footer and a trailer of 24 bytes: where the footer begins (u64), the
//! XXH3-64 of those eight bytes, `gdclose1`. Index and footer follow from the entries: anybody can compute them again,
//! and `verify` compares every byte.
//!
//! # After a crash, and after a failed write
//!
//! What follows the last whole batch of the last segment of a series is a torn tail if no later batch is found in it: none
//! of its entries was acknowledged. The next opening keeps these bytes beside the segment, writes the whole batches, with
//! what closes them, to a new file and puts that in the old one's place. It does not go on in the old file, and neither
//! does a writer whose write or fdatasync failed: after such a failure the system may take pages for written that are not.
//! The next segment says how many bytes of the last one count.
//!
//! # Removal
//!
//! `ID.removed` has one line of JSON for each removed segment: `stone` (what the footer said of it, who removed it and
//! when, by which decision, and the SHA-256 of the line before) and `check`, the XXH3-64 of the stone as 16 hexadecimal digits. Its roots and
//! subtrees keep the rest of the series verifiable.

pub(crate) mod contents;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod parts;
pub(crate) mod reader;
pub(crate) mod walk;
