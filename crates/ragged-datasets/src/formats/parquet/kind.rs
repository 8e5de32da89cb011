//! What the columns of a Parquet file contain.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type as SchemaType};

/// The content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Booleans or signed integers.
    Integer,
    /// Unsigned integers.
    Unsigned,
    /// Floating-point numbers.
    Number,
    /// Integers, or integers as bytes, that count the units of a decimal place.
    Decimal {
        /// The number of digits after the point.
        scale: i32,
    },
    /// Texts.
    Text,
    /// Dates and times.
    Time {
        /// The nanoseconds of a unit.
        unit: i64,
        /// Whether they are in UTC.
        utc: bool,
    },
}

/// A column at the top level of a file.
#[derive(Debug)]
pub(super) struct ParquetColumn {
    pub(super) name: String,
    /// The index among the leaves of the schema.
    pub(super) leaf: usize,
    /// The content, or what is there that cannot be read.
    pub(super) kind: Result<Kind, String>,
    /// For a column of lists, the definition level from which on there is a list, and not null.
    pub(super) list: Option<i16>,
}

const DAY: i64 = 86_400_000_000_000;

/// Returns the columns of a schema.
pub(super) fn columns(schema: &SchemaDescriptor) -> Vec<ParquetColumn> {
    let mut columns: Vec<ParquetColumn> = vec![];
    let mut last = None;
    for leaf in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(leaf);
        if last.replace(root) == Some(root) {
            continue;
        }
        let (descriptor, root) = (schema.column(leaf), schema.get_column_root(leaf));
        let list = list_level(root);
        let kind = match (list, descriptor.max_rep_level(), root.is_group()) {
            (Some(_), 1, _) | (None, 0, false) => kind(&descriptor),
            (_, 2.., _) => Err("lists of lists".into()),
            _ if is_map(root) => Err("maps".into()),
            _ => Err("groups of columns (structs)".into()),
        };
        columns.push(ParquetColumn { name: root.name().into(), leaf, kind, list });
    }
    columns
}

/// Returns the definition level of an empty list if a column has lists of one value per element.
///
/// Lists are a group with a repeated group with an element, and in files of older programs a group with a repeated
/// element, or only that.
fn list_level(root: &SchemaType) -> Option<i16> {
    let is_repeated = |node: &SchemaType| {
        let info = node.get_basic_info();
        info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED
    };
    let only = |node: &SchemaType| match node.is_group() {
        true if node.get_fields().len() == 1 => Some(node.get_fields()[0].clone()),
        _ => None,
    };
    if is_repeated(root) {
        return root.is_primitive().then_some(0);
    }
    let repeated = only(root).filter(|node| is_repeated(node))?;
    let is_value = match only(&repeated) {
        Some(element) => element.is_primitive() && !is_repeated(&element),
        None => repeated.is_primitive(),
    };
    is_value.then(|| i16::from(root.is_optional()))
}

fn is_map(root: &SchemaType) -> bool {
    matches!(
        root.get_basic_info().converted_type(),
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
    )
}

/// Returns the content of a leaf, or what it is in words.
fn kind(column: &ColumnDescriptor) -> Result<Kind, String> {
    let (logical, converted) = (column.logical_type_ref(), column.converted_type());
    let decimal = match (logical, converted) {
        (Some(LogicalType::Decimal(decimal)), _) => Some(decimal.scale),
        (None, ConvertedType::DECIMAL) => Some(column.type_scale()),
        _ => None,
    };
    let is_clock = matches!(logical, Some(LogicalType::Time(_)))
        || matches!(converted, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS);
    if is_clock {
        return Err("times of day".into());
    }
    let is_unsigned = matches!(
        converted,
        ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64
    );
    let is_text = matches!(logical, Some(LogicalType::String | LogicalType::Enum))
        || matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM);
    match (column.physical_type(), decimal) {
        (Type::BOOLEAN, _) => Ok(Kind::Integer),
        (
            Type::INT32 | Type::INT64 | Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY,
            Some(scale),
        ) => Ok(Kind::Decimal { scale }),
        (Type::INT32, None) if converted == ConvertedType::DATE => {
            Ok(Kind::Time { unit: DAY, utc: false })
        }
        (Type::INT64, None) => Ok(match (logical, converted) {
            (Some(LogicalType::Timestamp(time)), _) => {
                let unit = match time.unit {
                    TimeUnit::MILLIS => 1_000_000,
                    TimeUnit::MICROS => 1_000,
                    TimeUnit::NANOS => 1,
                };
                Kind::Time { unit, utc: time.is_adjusted_to_u_t_c }
            }
            (_, ConvertedType::TIMESTAMP_MILLIS) => Kind::Time { unit: 1_000_000, utc: true },
            (_, ConvertedType::TIMESTAMP_MICROS) => Kind::Time { unit: 1_000, utc: true },
            _ if is_unsigned => Kind::Unsigned,
            _ => Kind::Integer,
        }),
        (Type::INT32, None) if is_unsigned => Ok(Kind::Unsigned),
        (Type::INT32, None) => Ok(Kind::Integer),
        // Of older programs, which do not say of which time zone.
        (Type::INT96, _) => Ok(Kind::Time { unit: 1, utc: false }),
        (Type::FLOAT | Type::DOUBLE, _) => Ok(Kind::Number),
        (Type::BYTE_ARRAY, None) if is_text => Ok(Kind::Text),
        (Type::FIXED_LEN_BYTE_ARRAY, None)
            if matches!(logical, Some(LogicalType::Float16)) && column.type_length() == 2 =>
        {
            Ok(Kind::Number)
        }
        (Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, None) => Err("binary data".into()),
    }
}
