//! What this process logs, down to the finest: every test with a server in this process fails when a personal identity
//! number stands in it, whatever the test was about.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::program::test_numbers;

/// The lines in which a number stood.
static LEAKS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// How many lines of what level were looked at: whoever looks at none finds nothing.
static LINES: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Watches from now on. Warnings and errors are shown as well: the causes of internal errors stand there alone.
pub(crate) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let shown = fmt::layer()
            .with_writer(std::io::stderr)
            .with_filter(LevelFilter::WARN);
        let watched = fmt::layer()
            .with_ansi(false)
            .with_writer(|| Watch)
            .with_filter(LevelFilter::TRACE);
        tracing_subscriber::registry()
            .with(shown)
            .with(watched)
            .try_init()
            .expect("nobody else sets up the log of this process");
    });
}

/// How many lines were looked at: all, and those of debug and trace.
pub(crate) fn lines() -> (u64, u64) {
    let [all, fine] = &LINES;
    (all.load(Ordering::SeqCst), fine.load(Ordering::SeqCst))
}

/// Fails when a number stood in a line.
pub(crate) fn check() {
    let leaks = LEAKS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        leaks.is_empty(),
        "a personal identity number stands in the log: {leaks:#?}"
    );
}

/// The first line that holds a number.
fn leak(text: &str) -> Option<&str> {
    text.lines()
        .find(|line| test_numbers().first_in(line).is_some())
}

/// Looks at what is written, line by line: the subscriber writes an event at once.
struct Watch;

impl Write for Watch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let [all, fine] = &LINES;
        all.fetch_add(1, Ordering::SeqCst);
        if text.contains("DEBUG") || text.contains("TRACE") {
            fine.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(line) = leak(&text) {
            let mut leaks = LEAKS.lock().unwrap_or_else(PoisonError::into_inner);
            leaks.push(line.to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_number_in_a_line_is_found() {
    let line =
        |text: &str| format!("2026-11-21T11:00:00Z DEBUG request{{id=1}}: asked for {text}\n");
    assert_eq!(leak(&line("Ronja")), None);
    for number in ["189001019802", "18900101-9802", "900101-9802"] {
        assert!(leak(&line(number)).is_some(), "{number}");
    }
}
