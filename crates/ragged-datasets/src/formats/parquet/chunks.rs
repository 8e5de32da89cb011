//! Parts of row groups, one after the other, so that a large row group needs little memory.

use std::ops::Range;

use parquet::column::reader::ColumnReader;

use crate::error::{Location, Result};
use crate::formats::parquet::data::ColumnData;
use crate::formats::parquet::file::ParquetFile;

/// Some rows of one row group.
pub(super) struct Chunk {
    /// The values of the columns that are read.
    pub(super) data: Vec<Option<ColumnData>>,
    /// The index of the first row in the file, and of the one after the last.
    pub(super) rows: Range<usize>,
}

/// Reads columns of the rows of a range, some at a time.
pub(super) struct Chunks<'a> {
    file: &'a ParquetFile,
    wanted: &'a [bool],
    /// The rows that are not read yet.
    rows: Range<usize>,
    group: Option<Group>,
}

/// A row group of which some rows are read.
struct Group {
    columns: Vec<Option<ColumnReader>>,
    /// The row after the last one.
    end: usize,
    /// The number of rows to read at a time.
    step: usize,
}

impl<'a> Chunks<'a> {
    /// Starts before the first of the rows.
    pub(super) fn new(file: &'a ParquetFile, wanted: &'a [bool], rows: Range<usize>) -> Self {
        Self { file, wanted, rows, group: None }
    }

    /// Reads the next rows, which are those of one row group; `None` at the end of the range.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        let begin = self.rows.start;
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut group = match self.group.take() {
            Some(group) if begin < group.end => group,
            _ => self.open(begin)?,
        };
        let end = group.end.min(self.rows.end).min(begin.saturating_add(group.step));
        let data = self.file.decode(&mut group.columns, begin..end)?;
        if end == group.end {
            self.check_end(&mut group)?;
        }
        self.rows.start = end;
        self.group = Some(group);
        Ok(Some(Chunk { data, rows: begin..end }))
    }

    /// Opens the row group with a row, and skips those before it.
    fn open(&self, row: usize) -> Result<Group> {
        let (group, rows) = self.file.group_of(row);
        let step = self.file.step(group, self.wanted);
        let mut columns = self.file.open_group(group, self.wanted)?;
        if row > rows.start {
            let (fewest, _) = self.file.skip(&mut columns, row - rows.start)?;
            if fewest < row - rows.start {
                let reason = "the file is damaged: a column has fewer rows than its row group";
                return Err(Location::Whole.error(reason));
            }
        }
        Ok(Group { columns, end: rows.end, step })
    }

    /// Checks that no column has more rows than its row group.
    fn check_end(&self, group: &mut Group) -> Result<()> {
        match self.file.skip(&mut group.columns, 1)? {
            (_, 0) => Ok(()),
            _ => {
                let reason = "the file is damaged: a column has more rows than its row group";
                Err(Location::Whole.error(reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::formats::table::cell::Cell;
    use crate::formats::table::csv_columns::CsvColumns;

    const SCHEMA: &str = "message table {
        optional binary name (string);
        required int64 number;
        required group list (list) { repeated group list { required float element; } }
    }";

    /// Three row groups of several pages each, with texts of a dictionary, of which some are null, and lists.
    fn written(version: WriterVersion) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_data_page_row_count_limit(5)
            .set_write_batch_size(3)
            .build();
        let mut bytes = vec![];
        let mut writer =
            SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        for rows in [0..17, 17..18, 18..40] {
            let mut group = writer.next_row_group().unwrap();
            let rows: Vec<i64> = rows.collect();
            let mut names = vec![];
            let definition: Vec<i16> = rows.iter().map(|row| i16::from(row % 4 != 0)).collect();
            for row in rows.iter().filter(|row| **row % 4 != 0) {
                names.push(ByteArray::from(["a", "b", "c"][*row as usize % 3]));
            }
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&names, Some(&definition), None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&rows, None, None).unwrap();
            column.close().unwrap();
            let (mut values, mut definition, mut repetition) = (vec![], vec![], vec![]);
            for &row in &rows {
                let count = row % 4;
                values.extend((0..count).map(|item| (row * 10 + item) as f32));
                definition.extend(std::iter::repeat_n(i16::from(count > 0), count.max(1) as usize));
                repetition.extend((0..count.max(1)).map(|item| i16::from(item > 0)));
            }
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<FloatType>();
            typed.write_batch(&values, Some(&definition), Some(&repetition)).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
        bytes
    }

    #[test]
    fn every_range_of_rows_has_its_values_however_it_is_divided() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let mut file = ParquetFile::parse(written(version), &CsvColumns::default()).unwrap();
            let wanted = [true; 3];
            for bytes in [1, 150, 1 << 20] {
                file.chunk_bytes = bytes;
                for (begin, end) in
                    (0..=40).flat_map(|begin| (begin..=40).map(move |end| (begin, end)))
                {
                    let mut chunks = Chunks::new(&file, &wanted, begin..end);
                    let mut next = begin;
                    while let Some(Chunk { data, rows }) = chunks.next().unwrap() {
                        assert_eq!(rows.start, next);
                        next = rows.end;
                        for row in rows.clone() {
                            check(&data, row - rows.start, row);
                        }
                    }
                    assert_eq!(next, end);
                }
            }
            file.chunk_bytes = 1;
            assert_eq!((file.step(0, &wanted), file.step(2, &[false; 3])), (1, 22));
            // In eight parts.
            file.chunk_bytes = 40;
            assert_eq!(file.step(2, &wanted), 3);
        }
    }

    /// Checks the values of a row of the file.
    fn check(data: &[Option<ColumnData>], at: usize, row: usize) {
        let [Some(names), Some(numbers), Some(lists)] = data else { panic!("of three columns") };
        let name = if row.is_multiple_of(4) {
            Cell::Missing
        } else {
            Cell::Text(["a", "b", "c"][row % 3])
        };
        assert_eq!(names.cell(at), name);
        assert_eq!(numbers.cell(at), Cell::Integer(row as i128));
        let list: Vec<_> = lists.list(at).unwrap().map(|item| lists.cell(item)).collect();
        let expected: Vec<_> =
            (0..row % 4).map(|item| Cell::Number((row * 10 + item) as f64)).collect();
        assert_eq!(list, expected);
    }
}
