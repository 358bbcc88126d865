//! Apache Parquet: the columns of CSV with types, the same for every file of a model. Rows are gathered until they are a
//! group, which is then written column by column: what is held at once is bounded by [`GROUP_BYTES`].

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use chrono::NaiveDate;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use super::file::{Bounded, FileAbout, OutError};
use super::table::{ALWAYS, Cell, CellKind, ENVELOPE, MISFITS, OutColumn, OutRecord, typed};

/// Rows of a group at most.
const GROUP_ROWS: usize = 100_000;
/// About how many bytes of values a group has at most.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// About what a text takes in memory beside itself, in bytes.
const OF_TEXT: usize = 96;

/// A file that is being written.
pub struct Parquet {
    writer: SerializedFileWriter<Bounded>,
    columns: Vec<OutColumn>,
    gathered: Vec<Gathered>,
    rows: usize,
    bytes: usize,
    most: u64,
}

impl fmt::Debug for Parquet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parquet")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// The values of a column of a group.
enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
    /// Days since 1970-01-01.
    Day(Vec<i32>),
}

/// A column of a group.
struct Gathered {
    values: Values,
    /// Whether every row has a value, so that there are no levels.
    always: bool,
    /// How much of each value is there: 0 = nothing, 1 = a value (of a list: an empty one), 3 = a text of a list.
    definition: Vec<i16>,
    /// Of a list: 0 = the first entry of a row, 1 = a further one.
    repetition: Option<Vec<i16>>,
}

impl Gathered {
    fn new(kind: CellKind, always: bool) -> Self {
        let values = match kind {
            CellKind::Integer | CellKind::Instant => Values::Integer(Vec::new()),
            CellKind::Number => Values::Number(Vec::new()),
            CellKind::Boolean => Values::Boolean(Vec::new()),
            CellKind::Date => Values::Day(Vec::new()),
            CellKind::Text | CellKind::TextList | CellKind::Json | CellKind::OtherLanguages => {
                Values::Text(Vec::new())
            }
        };
        Self {
            values,
            always,
            definition: Vec::new(),
            repetition: (kind == CellKind::TextList).then(Vec::new),
        }
    }

    /// Adds the cell of a row, which is of the column's kind, and says about how many bytes it takes.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if let (Values::Text(values), Cell::List(texts)) = (&mut self.values, cell) {
            let repetition = self.repetition.get_or_insert_default();
            if texts.is_empty() {
                self.definition.push(1);
                repetition.push(0);
            }
            for (at, text) in texts.iter().enumerate() {
                self.definition.push(3);
                repetition.push(i16::from(at > 0));
                values.push(ByteArray::from(*text));
            }
            return 8 + texts.iter().map(|text| OF_TEXT + text.len()).sum::<usize>();
        }
        let bytes = match (&mut self.values, cell) {
            (Values::Integer(values), Cell::Integer(number)) => {
                values.push(*number);
                8
            }
            (Values::Integer(values), Cell::Instant(at)) => {
                values.push(at.micros());
                8
            }
            (Values::Number(values), Cell::Number(number, _)) => {
                values.push(*number);
                8
            }
            (Values::Boolean(values), Cell::Boolean(flag)) => {
                values.push(*flag);
                1
            }
            (Values::Day(values), Cell::Date(date)) => {
                values.push(days(*date));
                4
            }
            (Values::Text(values), cell) => match cell.text() {
                Some(text) => {
                    values.push(ByteArray::from(&*text));
                    OF_TEXT + text.len()
                }
                None => 0,
            },
            _ => 0,
        };
        if !self.always {
            self.definition.push(i16::from(bytes > 0));
        }
        if let Some(repetition) = &mut self.repetition {
            repetition.push(0);
        }
        2 + bytes
    }

    fn write(&self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let definition = (!self.always).then_some(self.definition.as_slice());
        let repetition = self.repetition.as_deref();
        match &self.values {
            Values::Text(values) => column
                .typed::<ByteArrayType>()
                .write_batch(values, definition, repetition),
            Values::Integer(values) => column
                .typed::<Int64Type>()
                .write_batch(values, definition, repetition),
            Values::Number(values) => column
                .typed::<DoubleType>()
                .write_batch(values, definition, repetition),
            Values::Boolean(values) => column
                .typed::<BoolType>()
                .write_batch(values, definition, repetition),
            Values::Day(values) => column
                .typed::<Int32Type>()
                .write_batch(values, definition, repetition),
        }
        .map(drop)
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Text(values) => values.clear(),
            Values::Integer(values) => values.clear(),
            Values::Number(values) => values.clear(),
            Values::Boolean(values) => values.clear(),
            Values::Day(values) => values.clear(),
        }
        self.definition.clear();
        if let Some(repetition) = &mut self.repetition {
            repetition.clear();
        }
    }
}

impl Parquet {
    pub(super) fn begin(about: FileAbout, file: File, most: u64) -> Result<Self, OutError> {
        let FileAbout {
            domain,
            columns,
            coordinate,
            ..
        } = about;
        let all: Vec<(&str, CellKind, bool)> = ENVELOPE
            .into_iter()
            .enumerate()
            .map(|(at, (name, kind))| (name, kind, at < ALWAYS))
            .chain(
                columns
                    .iter()
                    .map(|column| (&*column.name, column.kind, false)),
            )
            .chain([(MISFITS, CellKind::Json, false)])
            .collect();
        let fields = all
            .iter()
            .map(|(name, kind, always)| field(name, *kind, *always).map(Arc::new))
            .collect::<Result<Vec<TypePtr>, _>>()
            .map_err(refused)?;
        let schema = Type::group_type_builder("record")
            .with_fields(fields)
            .build()
            .map_err(refused)?;
        let about = coordinate
            .into_iter()
            .chain([("collection".to_owned(), domain.collection().to_owned())])
            .map(|(name, value)| KeyValue::new(format!("grunddata.{name}"), value));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(about.collect()))
            .build();
        let gathered = all
            .iter()
            .map(|(_, kind, always)| Gathered::new(*kind, *always))
            .collect();
        let out = Bounded::new(file, most);
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            writer: writer.map_err(refused)?,
            gathered,
            columns,
            rows: 0,
            bytes: 0,
            most,
        })
    }

    pub(super) fn record(&mut self, record: &OutRecord<'_>) -> Result<(), OutError> {
        let data: Value = serde_json::from_str(record.data).unwrap_or(Value::Null);
        let (mut cells, misfits) = typed(record, &data, &self.columns);
        cells.push(if misfits.is_empty() {
            Cell::Empty
        } else {
            Cell::Json(Value::Object(misfits).to_string())
        });
        for (gathered, cell) in self.gathered.iter_mut().zip(&cells) {
            self.bytes += gathered.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.group()?;
        }
        Ok(())
    }

    /// Writes what was gathered.
    fn group(&mut self) -> Result<(), OutError> {
        let written = self.written();
        if self.writer.inner().full() {
            return Err(OutError::TooLarge { most: self.most });
        }
        self.rows = 0;
        self.bytes = 0;
        written.map_err(refused)
    }

    fn written(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for gathered in &mut self.gathered {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            gathered.write(&mut column)?;
            column.close()?;
            gathered.clear();
        }
        group.close().map(drop)
    }

    pub(super) fn finish(mut self) -> Result<File, OutError> {
        if self.rows > 0 {
            self.group()?;
        }
        let finished = self.writer.finish();
        if self.writer.inner().full() {
            return Err(OutError::TooLarge { most: self.most });
        }
        finished.map_err(refused)?;
        Ok(self.writer.inner().file.try_clone()?)
    }
}

/// A column of the schema.
fn field(name: &str, kind: CellKind, always: bool) -> Result<Type, ParquetError> {
    let repetition = if always {
        Repetition::REQUIRED
    } else {
        Repetition::OPTIONAL
    };
    if kind == CellKind::TextList {
        // The three levels that readers know as a list.
        let element = leaf(
            "element",
            Physical::BYTE_ARRAY,
            Some(LogicalType::String),
            Repetition::OPTIONAL,
        )?;
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![Arc::new(element)])
            .build()?;
        return Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)])
            .build();
    }
    let (physical, logical) = match kind {
        CellKind::Integer => (Physical::INT64, None),
        CellKind::Number => (Physical::DOUBLE, None),
        CellKind::Boolean => (Physical::BOOLEAN, None),
        CellKind::Date => (Physical::INT32, Some(LogicalType::Date)),
        CellKind::Instant => (
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        ),
        // JSON is a text like others: not every reader knows the logical type of its own.
        CellKind::Text | CellKind::TextList | CellKind::Json | CellKind::OtherLanguages => {
            (Physical::BYTE_ARRAY, Some(LogicalType::String))
        }
    };
    leaf(name, physical, logical, repetition)
}

fn leaf(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
    repetition: Repetition,
) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()
}

fn days(date: NaiveDate) -> i32 {
    let first = NaiveDate::default();
    i32::try_from((date - first).num_days()).unwrap_or_default()
}

fn refused(error: ParquetError) -> OutError {
    OutError::Format(error.to_string())
}
