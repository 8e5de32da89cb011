//! Decoding of the values of a column, some rows at a time.

use half::f16;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int96};

use crate::error::{Location, Result};
use crate::formats::parquet::data::{ColumnData, Values};
use crate::formats::parquet::kind::{Kind, ParquetColumn};
use crate::formats::parquet::library_error::library;

/// The number of rows that are decoded at a time.
const ROWS: usize = 1 << 14;

/// The values of a column that are not null, and the levels that say where there are none.
struct Decoded<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

/// Decodes the next rows of a column, the first of which has the number `first`. `at` is the number of the column, and
/// `most` the definition level of a value that is not null.
pub(super) fn decode(
    reader: &mut ColumnReader,
    column: &ParquetColumn,
    most: i16,
    at: usize,
    first: usize,
    rows: usize,
) -> Result<ColumnData> {
    let kind = column.kind.as_ref().ok().copied();
    let place = Place { column, at, first, rows, most };
    match (reader, kind) {
        (ColumnReader::BoolColumnReader(reader), _) => {
            place.data(read(reader, rows)?, i64::from, Values::Integers)
        }
        (ColumnReader::Int32ColumnReader(reader), Some(Kind::Unsigned)) => {
            place.data(read(reader, rows)?, |value| u64::from(value as u32), Values::Unsigned)
        }
        (ColumnReader::Int32ColumnReader(reader), Some(Kind::Decimal { scale })) => {
            place.data(read(reader, rows)?, |value| decimal(value.into(), scale), Values::Doubles)
        }
        (ColumnReader::Int32ColumnReader(reader), Some(Kind::Time { unit, utc })) => {
            let time = |value: i32| i128::from(value) * i128::from(unit);
            let times = |nanoseconds| Values::Times { nanoseconds, utc };
            place.data(read(reader, rows)?, time, times)
        }
        (ColumnReader::Int32ColumnReader(reader), _) => {
            place.data(read(reader, rows)?, i64::from, Values::Integers)
        }
        (ColumnReader::Int64ColumnReader(reader), Some(Kind::Unsigned)) => {
            place.data(read(reader, rows)?, |value| value as u64, Values::Unsigned)
        }
        (ColumnReader::Int64ColumnReader(reader), Some(Kind::Decimal { scale })) => {
            place.data(read(reader, rows)?, |value| decimal(value.into(), scale), Values::Doubles)
        }
        (ColumnReader::Int64ColumnReader(reader), Some(Kind::Time { unit, utc })) => {
            let time = |value: i64| i128::from(value) * i128::from(unit);
            let times = |nanoseconds| Values::Times { nanoseconds, utc };
            place.data(read(reader, rows)?, time, times)
        }
        (ColumnReader::Int64ColumnReader(reader), _) => {
            place.data(read(reader, rows)?, |value| value, Values::Integers)
        }
        (ColumnReader::Int96ColumnReader(reader), _) => {
            let times = |nanoseconds| Values::Times { nanoseconds, utc: false };
            place.data(read(reader, rows)?, nanoseconds, times)
        }
        (ColumnReader::FloatColumnReader(reader), _) => {
            place.data(read(reader, rows)?, |value| value, Values::Singles)
        }
        (ColumnReader::DoubleColumnReader(reader), _) => {
            place.data(read(reader, rows)?, |value| value, Values::Doubles)
        }
        (ColumnReader::ByteArrayColumnReader(reader), Some(Kind::Decimal { scale })) => {
            let value = |bytes: ByteArray| decimal(unscaled(bytes.data()), scale);
            place.data(read(reader, rows)?, value, Values::Doubles)
        }
        (ColumnReader::ByteArrayColumnReader(reader), _) => {
            let data = place.data(read(reader, rows)?, |text| text, Values::Texts)?;
            place.check_texts(&data)?;
            Ok(data)
        }
        (ColumnReader::FixedLenByteArrayColumnReader(reader), Some(Kind::Decimal { scale })) => {
            let value = |bytes: parquet::data_type::FixedLenByteArray| {
                decimal(unscaled(bytes.data()), scale)
            };
            place.data(read(reader, rows)?, value, Values::Doubles)
        }
        (ColumnReader::FixedLenByteArrayColumnReader(reader), _) => {
            let value = |bytes: parquet::data_type::FixedLenByteArray| {
                bytes.data().try_into().map_or(f32::NAN, |b| f16::from_le_bytes(b).to_f32())
            };
            place.data(read(reader, rows)?, value, Values::Singles)
        }
    }
}

/// Reads the next rows of a column.
fn read<T: DataType>(reader: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Decoded<T::T>> {
    let (mut values, mut definition, mut repetition) = (vec![], vec![], vec![]);
    let mut total = 0;
    while total < rows {
        let (levels, repeated) = (Some(&mut definition), Some(&mut repetition));
        let read = reader.read_records(ROWS.min(rows - total), levels, repeated, &mut values);
        match read.map_err(library)?.0 {
            0 => {
                let reason = "the file is damaged: a column has fewer rows than its row group";
                return Err(Location::Whole.error(reason));
            }
            read => total += read,
        }
    }
    Ok(Decoded { values, definition, repetition })
}

/// Skips the next rows of a column. Returns how many there were.
pub(super) fn skip(reader: &mut ColumnReader, rows: usize) -> Result<usize> {
    let skipped = match reader {
        ColumnReader::BoolColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::Int96ColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::FloatColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(rows),
    };
    skipped.map_err(library)
}

/// Where values are in a file.
struct Place<'a> {
    column: &'a ParquetColumn,
    /// The number of the column, from 0.
    at: usize,
    /// The number of the first row, from 1.
    first: usize,
    rows: usize,
    /// The definition level of a value that is not null.
    most: i16,
}

impl Place<'_> {
    /// Puts the values at their indices.
    fn data<T, U: Default>(
        &self,
        decoded: Decoded<T>,
        convert: impl Fn(T) -> U,
        values: impl Fn(Vec<U>) -> Values,
    ) -> Result<ColumnData> {
        let Decoded { values: present, definition, repetition } = decoded;
        let mut present = present.into_iter().map(convert);
        match self.column.list {
            Some(list) => self.lists(list, present, &definition, &repetition, values),
            // Without levels, no value is missing.
            None if self.most == 0 => {
                let data =
                    ColumnData { values: values(present.collect()), missing: None, offsets: None };
                Ok(data)
            }
            None => {
                let missing: Vec<bool> =
                    definition.iter().map(|&level| level < self.most).collect();
                let value = |&missing: &bool| match missing {
                    true => U::default(),
                    false => present.next().unwrap_or_default(),
                };
                let all = missing.iter().map(value).collect();
                let missing = missing.contains(&true).then_some(missing);
                Ok(ColumnData { values: values(all), missing, offsets: None })
            }
        }
    }

    /// Divides values into lists, in which none may be null.
    fn lists<U: Default>(
        &self,
        list: i16,
        present: impl Iterator<Item = U>,
        definition: &[i16],
        repetition: &[i16],
        values: impl Fn(Vec<U>) -> Values,
    ) -> Result<ColumnData> {
        let mut offsets = Vec::with_capacity(self.rows + 1);
        let mut count = 0;
        for (&level, &repeated) in definition.iter().zip(repetition) {
            if repeated == 0 {
                offsets.push(count);
            }
            let row = self.first + offsets.len().max(1) - 1;
            if level < list {
                let reason = format!(
                    "expected a list, got null in `{}`: an empty list is a sequence without a step",
                    self.column.name
                );
                return Err(Location::Row { row, column: self.at + 1 }.error(reason));
            }
            if level == list {
                continue;
            }
            if level < self.most {
                let item = count - offsets.last().copied().unwrap_or(0) + 1;
                let hint = match self.column.kind {
                    Ok(Kind::Number) => ": NaN is a missing value",
                    _ => "",
                };
                let reason =
                    format!("expected a value, got null in a list of `{}`{hint}", self.column.name);
                return Err(Location::Item { row, column: self.at + 1, item }.error(reason));
            }
            count += 1;
        }
        offsets.push(count);
        let all: Vec<U> = present.collect();
        if all.len() != count || offsets.len() != self.rows + 1 {
            return Err(
                Location::Whole.error("the file is damaged: lists have no consistent lengths")
            );
        }
        Ok(ColumnData { values: values(all), missing: None, offsets: Some(offsets) })
    }

    /// Checks that texts are in UTF-8.
    fn check_texts(&self, data: &ColumnData) -> Result<()> {
        let Values::Texts(texts) = &data.values else { return Ok(()) };
        let is_null = |index: usize| data.missing.as_ref().is_some_and(|missing| missing[index]);
        let invalid =
            |(index, text): (usize, &ByteArray)| !is_null(index) && text.as_utf8().is_err();
        match texts.iter().enumerate().position(invalid) {
            None => Ok(()),
            Some(index) => Err(self.location(data, index).error("invalid UTF-8")),
        }
    }

    /// Returns the location of the value with an index.
    fn location(&self, data: &ColumnData, index: usize) -> Location {
        let column = self.at + 1;
        match &data.offsets {
            None => Location::Row { row: self.first + index, column },
            Some(offsets) => {
                let row = offsets.partition_point(|&offset| offset <= index).max(1) - 1;
                let item = index - offsets[row] + 1;
                Location::Item { row: self.first + row, column, item }
            }
        }
    }
}

/// Returns the number that a decimal counts in units of its last digit.
fn decimal(unscaled: i128, scale: i32) -> f64 {
    // Powers of ten up to the 22nd are exact.
    match scale {
        0.. => unscaled as f64 / 10f64.powi(scale),
        _ => unscaled as f64 * 10f64.powi(-scale),
    }
}

/// Returns a signed integer whose most significant byte is the first.
fn unscaled(bytes: &[u8]) -> i128 {
    let start = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |value, &byte| (value << 8) | i128::from(byte))
}

/// Returns a time of the oldest type: a day of the Julian calendar, and nanoseconds in it.
fn nanoseconds(time: Int96) -> i128 {
    let [low, high, day] = time.data() else { return 0 };
    let in_day = (i128::from(*high) << 32) | i128::from(*low);
    (i128::from(*day) - 2_440_588) * 86_400_000_000_000 + in_day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_signed_and_scaled() {
        assert_eq!(unscaled(&[0x01, 0x00]), 256);
        assert_eq!(unscaled(&[0xff, 0xfe]), -2);
        assert_eq!(unscaled(&[]), 0);
        assert_eq!(decimal(-1234, 2), -12.34);
        assert_eq!(decimal(12, -3), 12_000.0);
    }

    #[test]
    fn the_oldest_times_count_from_1970() {
        let mut time = Int96::new();
        time.set_data(5, 1, 2_440_589);
        assert_eq!(nanoseconds(time), 86_400_000_000_000 + (1i128 << 32) + 5);
    }
}
