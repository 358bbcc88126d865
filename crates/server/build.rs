//! Takes the two Swagger UI files that the documentation page needs out of the vendored archive.
//!
//! The archive's entries are already deflated, and a gzip file is a deflate stream between a header and a
//! trailer: the bytes are re-wrapped, never unpacked, and the other 30 MB of the archive stay out of the binary.

use std::{env, error::Error, fs, path::Path};

const WANTED: [(&str, &str); 2] = [
    ("/dist/swagger-ui-bundle.js", "swagger-ui-bundle.js.gz"),
    ("/dist/swagger-ui.css", "swagger-ui.css.gz"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let archive = utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
    for (suffix, name) in WANTED {
        let gzip = entry(archive, suffix).ok_or_else(|| format!("the archive has no {suffix}"))?;
        fs::write(Path::new(&out).join(name), gzip)?;
    }
    Ok(())
}

/// The gzip form of the entry whose name ends with `suffix` (ZIP APPNOTE 4.3.12: central directory header).
fn entry(zip: &[u8], suffix: &str) -> Option<Vec<u8>> {
    const CENTRAL: [u8; 4] = [b'P', b'K', 1, 2];
    let end = zip.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let mut at = number(zip, end + 16, 4)?;
    while zip.get(at..at + 4)? == CENTRAL {
        let method = number(zip, at + 10, 2)?;
        let crc = zip.get(at + 16..at + 20)?;
        let packed = number(zip, at + 20, 4)?;
        let size = zip.get(at + 24..at + 28)?;
        let (name, extra, comment) = (
            number(zip, at + 28, 2)?,
            number(zip, at + 30, 2)?,
            number(zip, at + 32, 2)?,
        );
        let local = number(zip, at + 42, 4)?;
        if zip
            .get(at + 46..at + 46 + name)?
            .ends_with(suffix.as_bytes())
        {
            assert_eq!(method, 8, "{suffix} is not deflated");
            let data = local + 30 + number(zip, local + 26, 2)? + number(zip, local + 28, 2)?;
            let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
            gzip.extend_from_slice(zip.get(data..data + packed)?);
            gzip.extend_from_slice(crc);
            gzip.extend_from_slice(size);
            return Some(gzip);
        }
        at += 46 + name + extra + comment;
    }
    None
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + length)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
    )
}
