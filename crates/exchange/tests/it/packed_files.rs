//! Compressed files, and the bombs among them.

use grunddata_exchange::code;
use grunddata_exchange::rows::ReadOptions;

use crate::files::{gzip, read, read_with, small, zip, zstd};

const TABLE: &[u8] = "Namn;Ort\nÅsa;Umeå\n".as_bytes();

#[test]
fn compressed_files_are_read_as_what_they_hold() {
    for (name, bytes) in [
        ("a.csv.gz", gzip(TABLE)),
        ("a.csv.zst", zstd(TABLE)),
        (
            "a.zip",
            zip(&[("uttag/a.csv", TABLE), ("__MACOSX/._a.csv", b"x")]),
        ),
    ] {
        let reading = read(name, &bytes);
        assert_eq!(reading.failed, None);
        assert_eq!(reading.texts(0), ["Åsa", "Umeå"], "{name}");
    }
    let reading = read("a.json.gz", &gzip(b"{\"a\":1}\n{\"a\":2}\n"));
    assert_eq!(reading.rows.len(), 2);
}

#[test]
fn bombs_are_refused_before_they_are_read() {
    let options = |file: &str| ReadOptions {
        file: file.into(),
        limits: small(),
        ..ReadOptions::default()
    };
    let mut content = b"A;B\n".to_vec();
    content.extend("0;0\n".repeat(1 << 20).bytes());
    for (name, bytes) in [
        ("a.gz", gzip(&content)),
        ("a.zst", zstd(&content)),
        ("a.zip", zip(&[("a.csv", &content)])),
    ] {
        assert!(bytes.len() < 64 << 10);
        let mut options = options(name);
        options.limits.rows = u64::MAX;
        let reading = read_with(&bytes, &options);
        assert_eq!(reading.failure().code, code::DECOMPRESSED_SIZE, "{name}");
        assert!(reading.rows.len() < 200_000, "{name} is read to its end");
        // By size as well, whatever the ratio.
        options.limits.ratio = u64::MAX;
        let reading = read_with(&bytes, &options);
        assert_eq!(reading.failure().code, code::DECOMPRESSED_SIZE, "{name}");
    }
    let workbook = zip(&[
        ("[Content_Types].xml", b"<x/>"),
        ("xl/worksheets/sheet1.xml", &content),
    ]);
    let reading = read_with(&workbook, &options("a.xlsx"));
    assert_eq!(reading.failure().code, code::DECOMPRESSED_SIZE);
}

#[test]
fn packed_files_that_are_cut_off_say_so() {
    let long: Vec<u8> = (0..20_000_u32)
        .flat_map(|number| {
            format!("{};{}\n", number, number.wrapping_mul(2_654_435_761)).into_bytes()
        })
        .collect();
    for (name, bytes) in [
        ("a.csv.gz", gzip(&long)),
        ("a.csv.zst", zstd(&long)),
        ("a.zip", zip(&[("a.csv", &long)])),
    ] {
        let half = &bytes[..bytes.len() / 2];
        assert_eq!(
            read(name, half).failure().code,
            code::TRUNCATED_FILE,
            "{name}"
        );
    }
}

#[test]
fn an_archive_holds_one_file() {
    let two = zip(&[("a.csv", TABLE), ("b.csv", TABLE)]);
    assert_eq!(read("a.zip", &two).failure().code, code::ARCHIVE);
    assert_eq!(read("a.zip", &zip(&[])).failure().code, code::ARCHIVE);
    let nested = zip(&[("inner.zip", &zip(&[("a.csv", TABLE)]))]);
    assert_eq!(read("a.zip", &nested).failure().code, code::UNKNOWN_FORMAT);
}
