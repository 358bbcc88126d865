//! How large the parts of a file may be. Every reader takes these; a file that passes one is refused with its name and the
//! limit, never read into memory first.

/// Limits on one file. The defaults hold a municipality's largest extracts with room to spare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression.
    pub file_bytes: u64,
    /// How many bytes may come out of one compressed byte, once [`ratio_from`](Self::ratio_from) bytes have come out.
    pub ratio: u64,
    /// The ratio is not looked at before so many bytes have come out.
    pub ratio_from: u64,
    /// Bytes of one row of text or one JSON object.
    pub record_bytes: u64,
    /// Characters of one cell; the default is what a cell of a spreadsheet program can hold.
    pub cell_chars: usize,
    /// Columns of a table.
    pub columns: usize,
    /// Rows of a file, objects of a list.
    pub rows: u64,
    /// Cells of a sheet that has to be held in memory whole (XLS, ODS).
    pub held_cells: u64,
    /// Bytes of a file that has to be held in memory whole (GeoPackage); twice as many are held while it is opened.
    pub held_bytes: u64,
    /// Levels of objects and lists in JSON, elements in XML.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 4 << 30,
            ratio: 200,
            ratio_from: 16 << 20,
            record_bytes: 8 << 20,
            cell_chars: 32_767,
            columns: 1_000,
            rows: 20_000_000,
            held_cells: 5_000_000,
            held_bytes: 128 << 20,
            depth: 32,
        }
    }
}
