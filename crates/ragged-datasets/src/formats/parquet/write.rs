//! Writing of Parquet files, in list form.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::{Example, Target};
use crate::formats::errors::unsupported;
use crate::formats::parquet::library_error::library;
use crate::formats::table::header::{SERIES, is_role};
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;
use crate::tokens::column::TokenColumn;

/// The number of values of a row group, unless one sequence has more: readers hold one row group at a time.
const VALUES: usize = 1 << 20;

/// A column to write.
struct Column<'a> {
    name: String,
    content: Content<'a>,
}

/// What a column contains.
#[derive(Clone, Copy)]
enum Content<'a> {
    /// The name of each sequence.
    Ids(&'a [String]),
    /// A feature of each step, in 32 bits, or in 64.
    Feature(usize, bool),
    /// A token of each step.
    Tokens(usize, &'a TokenColumn),
    StaticNumber(usize),
    StaticCategory(usize, &'a TokenColumn),
    /// The class of each sequence or each step, or a list of labels.
    Classes(&'a [String]),
    /// A value of each sequence or each step.
    Values(usize),
}

/// The values of a column in some rows.
enum Values {
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
    Texts(Vec<ByteArray>),
}

/// Writes one row per sequence: its name, if it has one; a list for each feature and each column of tokens; static values;
/// and the target, which is a list if there is one for each step.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut (impl Write + Send)) -> Result<()> {
    let columns = columns(dataset)?;
    let schema = schema(dataset, &columns).map_err(library)?;
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    for column in &columns {
        // Measured values rarely repeat, so that a dictionary of them only takes time.
        if matches!(column.content, Content::Feature(..) | Content::Values(_)) {
            let list = [column.name.clone(), "list".into(), "element".into()];
            properties = properties
                .set_column_dictionary_enabled(ColumnPath::new(list.to_vec()), false)
                .set_column_dictionary_enabled(ColumnPath::new(vec![column.name.clone()]), false);
        }
    }
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(out, schema, properties).map_err(library)?;
    let examples = dataset.examples();
    let mut begin = 0;
    while begin < examples.len() {
        let end = end_of_group(examples, begin);
        let mut group = writer.next_row_group().map_err(library)?;
        for column in &columns {
            let mut out = group
                .next_column()
                .map_err(library)?
                .ok_or_else(|| unsupported("parquet", format!("the column `{}`", column.name)))?;
            write_column(dataset, column.content, begin..end, &mut out).map_err(library)?;
            out.close().map_err(library)?;
        }
        group.close().map_err(library)?;
        begin = end;
    }
    writer.close().map_err(library)?;
    Ok(())
}

/// Returns the end of the row group that begins with an example.
fn end_of_group(examples: &[Example], begin: usize) -> usize {
    let mut values = 0;
    let size = |example: &Example| {
        let sequence = &example.sequence;
        let tokens = sequence.tokens().map_or(0, |tokens| tokens.ids().len());
        sequence.values().len() + tokens + 1
    };
    let fits = |example: &&Example| {
        values += size(example);
        values <= VALUES
    };
    begin + examples[begin..].iter().take_while(fits).count().max(1)
}

/// Returns the columns of a data set, whose names must be read back as what they are.
fn columns(dataset: &InMemory) -> Result<Vec<Column<'_>>> {
    let mut columns = vec![];
    let mut add = |name: String, content| columns.push(Column { name, content });
    if let Some(ids) = dataset.ids() {
        if ids.iter().any(String::is_empty) {
            return Err(unsupported("parquet", "a sequence with an empty name"));
        }
        add(SERIES.into(), Content::Ids(ids));
    }
    let exact = dataset.examples().iter().any(|e| e.sequence.exact_values().is_some());
    for k in 0..dataset.features() {
        let name = dataset.feature_names().map(|names| names[k].clone());
        add(name.unwrap_or_else(|| format!("feature_{k}")), Content::Feature(k, exact));
    }
    for (k, column) in dataset.token_columns().iter().enumerate() {
        add(column.name.clone(), Content::Tokens(k, column));
    }
    let statics = dataset.static_columns();
    for (k, name) in statics.numbers.iter().enumerate() {
        add(name.clone(), Content::StaticNumber(k));
    }
    for (k, column) in statics.categories.iter().enumerate() {
        add(column.name.clone(), Content::StaticCategory(k, column));
    }
    let mut names: HashSet<&str> = HashSet::new();
    for Column { name, content } in &columns {
        if is_role(name) && !matches!(content, Content::Ids(_)) || name.contains('\0') {
            return Err(unsupported("parquet", format!("a column of the name `{name}`")));
        }
        if !names.insert(name) {
            return Err(unsupported("parquet", format!("two columns of the name `{name}`")));
        }
    }
    let mut add = |name: String, content| columns.push(Column { name, content });
    match dataset.target_kind() {
        TargetKind::Classes(labels)
        | TargetKind::StepClasses(labels)
        | TargetKind::Labels(labels) => add("target".into(), Content::Classes(labels)),
        TargetKind::Values(1) | TargetKind::StepValues(1) => {
            add("target".into(), Content::Values(0));
        }
        TargetKind::Values(count) | TargetKind::StepValues(count) => {
            (0..*count).for_each(|k| add(format!("target_{k}"), Content::Values(k)));
        }
        TargetKind::Parts { .. } => {
            return Err(unsupported("parquet", "several targets with names"));
        }
    }
    Ok(columns)
}

/// Returns whether a column has a list for each sequence.
fn is_list(dataset: &InMemory, content: Content) -> bool {
    let kind = dataset.target_kind();
    match content {
        Content::Feature(..) | Content::Tokens(..) => true,
        Content::Ids(_) | Content::StaticNumber(_) | Content::StaticCategory(..) => false,
        Content::Classes(_) | Content::Values(_) => kind.is_per_step() || kind.is_transcription(),
    }
}

fn schema(dataset: &InMemory, columns: &[Column]) -> ParquetResult<Arc<Type>> {
    let mut fields = vec![];
    for Column { name, content } in columns {
        let physical = match content {
            Content::Feature(_, true) => Physical::DOUBLE,
            Content::Feature(_, false) | Content::Values(_) => Physical::FLOAT,
            Content::StaticNumber(_) => Physical::DOUBLE,
            Content::Ids(_) | Content::Tokens(..) => Physical::BYTE_ARRAY,
            Content::StaticCategory(..) | Content::Classes(_) => Physical::BYTE_ARRAY,
        };
        let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
        let value = |name: &str| {
            let value =
                Type::primitive_type_builder(name, physical).with_logical_type(text.clone());
            value.with_repetition(Repetition::REQUIRED).build().map(Arc::new)
        };
        let field = match is_list(dataset, *content) {
            false => value(name)?,
            true => {
                let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
                let list = Arc::new(list.with_fields(vec![value("element")?]).build()?);
                let field = Type::group_type_builder(name).with_fields(vec![list]);
                let field = field.with_logical_type(Some(LogicalType::List));
                Arc::new(field.with_repetition(Repetition::REQUIRED).build()?)
            }
        };
        fields.push(field);
    }
    Type::group_type_builder("schema").with_fields(fields).build().map(Arc::new)
}

/// Writes a column of some examples.
fn write_column(
    dataset: &InMemory,
    content: Content,
    rows: std::ops::Range<usize>,
    out: &mut SerializedColumnWriter,
) -> ParquetResult<()> {
    let examples = &dataset.examples()[rows.clone()];
    let levels = is_list(dataset, content).then(|| {
        let (mut definition, mut repetition) = (vec![], vec![]);
        for example in examples {
            let length = match &example.target {
                Target::Labels(labels) if matches!(content, Content::Classes(_)) => labels.len(),
                _ => example.sequence.len(),
            };
            // One level where the list is empty, and one for each item.
            definition.extend(std::iter::repeat_n(i16::from(length > 0), length.max(1)));
            repetition.push(0);
            repetition.extend(std::iter::repeat_n(1, length.max(1) - 1));
        }
        (definition, repetition)
    });
    match values(dataset, content, rows) {
        Values::Singles(values) => write_values::<FloatType>(&values, levels, out),
        Values::Doubles(values) => write_values::<DoubleType>(&values, levels, out),
        Values::Texts(values) => write_values::<ByteArrayType>(&values, levels, out),
    }
}

fn write_values<T: DataType>(
    values: &[T::T],
    levels: Option<(Vec<i16>, Vec<i16>)>,
    out: &mut SerializedColumnWriter,
) -> ParquetResult<()> {
    let (definition, repetition) = levels.unzip();
    let writer = out.typed::<T>();
    writer.write_batch(values, definition.as_deref(), repetition.as_deref()).map(drop)
}

/// Returns the values of a column, without its lists.
fn values(dataset: &InMemory, content: Content, rows: std::ops::Range<usize>) -> Values {
    let examples = &dataset.examples()[rows.clone()];
    let text = |text: &String| ByteArray::from(text.as_str());
    let features = dataset.features();
    match content {
        Content::Ids(ids) => Values::Texts(ids[rows].iter().map(text).collect()),
        Content::Feature(k, true) => {
            let of = |e: &Example| -> Vec<f64> {
                e.sequence.wide_values().into_iter().skip(k).step_by(features).collect()
            };
            Values::Doubles(examples.iter().flat_map(of).collect())
        }
        Content::Feature(k, false) => {
            let of = |e: &Example| -> Vec<f32> {
                e.sequence.values().iter().skip(k).step_by(features).copied().collect()
            };
            Values::Singles(examples.iter().flat_map(of).collect())
        }
        Content::Tokens(k, column) => {
            let ids = |e: &Example| -> Vec<u32> {
                let tokens = e.sequence.tokens();
                let all = tokens.map_or(&[][..], |tokens| tokens.ids());
                let width = tokens.map_or(1, |tokens| tokens.columns());
                all.iter().skip(k).step_by(width).copied().collect()
            };
            let texts: Vec<ByteArray> = column.texts.iter().map(text).collect();
            let ids = examples.iter().flat_map(ids);
            Values::Texts(ids.map(|id| texts[id as usize].clone()).collect())
        }
        Content::StaticNumber(k) => {
            let of = |e: &Example| e.sequence.statics().map_or(f64::NAN, |s| s.numbers[k]);
            Values::Doubles(examples.iter().map(of).collect())
        }
        Content::StaticCategory(k, column) => {
            let of = |e: &Example| {
                let id = e.sequence.statics().map(|statics| statics.categories[k] as usize);
                id.map_or_else(ByteArray::default, |id| text(&column.texts[id]))
            };
            Values::Texts(examples.iter().map(of).collect())
        }
        Content::Classes(labels) => {
            let texts: Vec<ByteArray> = labels.iter().map(text).collect();
            let of = |e: &Example| match &e.target {
                Target::Class(class) => vec![*class],
                Target::StepClasses(classes) | Target::Labels(classes) => classes.clone(),
                Target::Values(_) | Target::StepValues(_) => vec![],
            };
            let classes = examples.iter().flat_map(of);
            Values::Texts(classes.map(|class| texts[class as usize].clone()).collect())
        }
        Content::Values(k) => {
            let of = |e: &Example| match &e.target {
                Target::Values(values) => vec![values[k]],
                Target::StepValues(values) => {
                    let width = values.features();
                    values.values().iter().skip(k).step_by(width).copied().collect()
                }
                Target::Class(_) | Target::StepClasses(_) | Target::Labels(_) => vec![],
            };
            Values::Singles(examples.iter().flat_map(of).collect())
        }
    }
}
