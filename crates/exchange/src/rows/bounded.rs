//! Readers that count what passes, and the problems behind an input error.

use std::cell::Cell as Counter;
use std::io::{self, Read};
use std::rc::Rc;

use crate::{Limits, Place, Problem, code};

/// A limit was passed inside a reader; travels through other crates as the cause of an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Passed {
    /// More came out than is allowed.
    #[error("more than {limit} bytes come out")]
    Size {
        /// The limit.
        limit: u64,
    },
    /// Too much came out for what went in.
    #[error("more than {ratio} times as much comes out")]
    Ratio {
        /// The limit.
        ratio: u64,
    },
    /// One record is too large.
    #[error("a record is larger than {limit} bytes")]
    Record {
        /// The limit.
        limit: u64,
    },
}

/// Counts the bytes that are read from a compressed file.
pub(crate) struct Counted<R> {
    inner: R,
    count: Rc<Counter<u64>>,
}

impl<R: Read> Counted<R> {
    pub(crate) fn new(inner: R) -> (Self, Rc<Counter<u64>>) {
        let count = Rc::new(Counter::new(0));
        let counted = Self {
            inner,
            count: Rc::clone(&count),
        };
        (counted, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// What comes out of a decompressor, stopped at the limits.
pub(crate) struct Decompressed<R> {
    inner: R,
    compressed: Rc<Counter<u64>>,
    out: Rc<Counter<u64>>,
    limits: Limits,
}

impl<R: Read> Decompressed<R> {
    pub(crate) fn new(inner: R, compressed: Rc<Counter<u64>>, limits: &Limits) -> Self {
        Self::counting(inner, compressed, Rc::new(Counter::new(0)), limits)
    }

    /// The same, where what came out of other files of an archive counts too.
    pub(crate) fn counting(
        inner: R,
        compressed: Rc<Counter<u64>>,
        out: Rc<Counter<u64>>,
        limits: &Limits,
    ) -> Self {
        Self {
            inner,
            compressed,
            out,
            limits: limits.clone(),
        }
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let out = self.out.get() + read as u64;
        self.out.set(out);
        check_expansion(out, self.compressed.get(), &self.limits)?;
        Ok(read)
    }
}

/// The rule on what may come out of what.
pub(crate) fn check_expansion(out: u64, compressed: u64, limits: &Limits) -> io::Result<()> {
    if out > limits.file_bytes {
        return Err(io::Error::other(Passed::Size {
            limit: limits.file_bytes,
        }));
    }
    if out > limits.ratio_from && out / compressed.max(1) > limits.ratio {
        return Err(io::Error::other(Passed::Ratio {
            ratio: limits.ratio,
        }));
    }
    Ok(())
}

/// Stops a parser that would hold a record of any size: whoever reads records refills the budget before each.
pub(crate) struct RecordBudget<R> {
    inner: R,
    left: Rc<Counter<u64>>,
    limit: u64,
}

impl<R: Read> RecordBudget<R> {
    /// The reader, and the counter that [`refill`] takes.
    pub(crate) fn new(inner: R, limit: u64) -> (Self, Refill) {
        let left = Rc::new(Counter::new(limit));
        let refill = Refill {
            left: Rc::clone(&left),
            limit,
        };
        let budget = Self { inner, left, limit };
        (budget, refill)
    }
}

/// Gives a [`RecordBudget`] a new record's worth of bytes.
pub(crate) struct Refill {
    left: Rc<Counter<u64>>,
    limit: u64,
}

impl Refill {
    pub(crate) fn next_record(&self) {
        self.left.set(self.limit);
    }
}

impl<R: Read> Read for RecordBudget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other(Passed::Record { limit: self.limit }));
        }
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self
            .inner
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(left - read as u64);
        Ok(read)
    }
}

/// The problem behind an input error.
pub(crate) fn problem_of_io(error: &io::Error, place: &Place) -> Problem {
    let place = place.clone();
    match passed(error) {
        Some(Passed::Size { limit }) => Problem::new(
            code::DECOMPRESSED_SIZE,
            place,
            format!(
                "More than {limit} bytes come out of the file, which is not allowed; divide it into smaller files."
            ),
            format!(
                "Mer än {limit} byte kommer ut ur filen, vilket inte är tillåtet; dela upp den i mindre filer."
            ),
        ),
        Some(Passed::Ratio { ratio }) => Problem::new(
            code::DECOMPRESSED_SIZE,
            place,
            format!(
                "The compressed file expands more than {ratio} times, as a decompression bomb does; nothing more is read. Send it uncompressed if it is right."
            ),
            format!(
                "Den komprimerade filen växer mer än {ratio} gånger, som en dekomprimeringsbomb; inget mer läses. Skicka den okomprimerad om den är rätt."
            ),
        ),
        Some(Passed::Record { limit }) => Problem::new(
            code::LIMIT,
            place,
            format!(
                "The row is larger than {limit} bytes; a quotation mark or bracket before it is probably not closed."
            ),
            format!(
                "Raden är större än {limit} byte; ett citattecken eller en parentes före den är troligen inte avslutad."
            ),
        ),
        None if error.kind() == io::ErrorKind::UnexpectedEof => truncated(place),
        None => Problem::new(
            code::UNREADABLE_FILE,
            place,
            format!("The file cannot be read ({error}); it is probably damaged, send it again."),
            format!("Filen går inte att läsa ({error}); den är troligen skadad, skicka den igen."),
        ),
    }
}

/// The file ends too early.
pub(crate) fn truncated(place: Place) -> Problem {
    Problem::new(
        code::TRUNCATED_FILE,
        place,
        "The file ends in the middle: the transfer was probably broken off. Send it again.",
        "Filen slutar mitt i: överföringen avbröts troligen. Skicka den igen.",
    )
}

/// Our own limit among the causes of the error; other crates wrap theirs around it.
fn passed(error: &io::Error) -> Option<&Passed> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| {
        let inner: &(dyn std::error::Error + 'static) = inner;
        inner
    });
    while let Some(error) = cause {
        if let Some(passed) = error.downcast_ref::<Passed>() {
            return Some(passed);
        }
        cause = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
