//! The arrays of `.npz` and `.safetensors` files, which hold all sequences one after the other.
//!
//! | array | shape | content |
//! |---|---|---|
//! | `values` | `[N, features]`, or `[N]` for one feature | the steps of all sequences, one after the other |
//! | `lengths` | `[B]` integers | the number of steps of each sequence |
//! | `offsets` | `[B + 1]` integers | instead of lengths: the first step of each sequence, then N |
//! | `targets` | `[B]`, `[B, K]`, `[N]` or `[N, K]`; optional | integers and texts are classes, and `[B, 1]` is `[B]`; other numbers are values; per sequence or per step |
//! | `labels` | texts; optional | the labels that integer targets index from 0; without them, the integers are the labels |
//! | `features` | texts; optional | the names of the features |
//! | `ids` | `[B]` texts or integers; optional | the names of the sequences |
//!
//! Texts are NumPy's Unicode arrays. Safetensors has no texts, so there they are JSON lists in the metadata,
//! by the names of the arrays.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::error::{Error, Location, Result};
use crate::example::Target;
use crate::formats::collect::Collector;
use crate::formats::column::Role;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::number::narrow;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::task::Task;
use crate::in_memory::InMemory;

/// The elements of an array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    /// Finite as 32-bit floats, or NaN.
    Float(Vec<f64>),
    Integer(Vec<i64>),
    /// Unsigned integers of 64 bits; smaller ones are `Integer`.
    Unsigned(Vec<u64>),
    Text(Vec<String>),
}

/// An array of any shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

/// The largest array that is read into memory: 4 GiB.
pub(super) const MAX_BYTES: usize = 1 << 32;

impl Data {
    /// Decodes floats from little-endian bytes.
    pub(super) fn of_bytes<const SIZE: usize>(
        bytes: &[u8],
        number: impl Fn([u8; SIZE]) -> f64,
    ) -> Result<Self, String> {
        let numbers = bytes.as_chunks::<SIZE>().0.iter();
        let numbers = numbers.map(|bytes| number(*bytes));
        let checked = numbers.map(|value| narrow(value).map(|_| value));
        Ok(Self::Float(checked.collect::<Result<_, _>>()?))
    }

    /// Decodes integers from little-endian bytes.
    pub(super) fn integers<const SIZE: usize>(
        bytes: &[u8],
        number: impl Fn([u8; SIZE]) -> i64,
    ) -> Self {
        Self::Integer(bytes.as_chunks::<SIZE>().0.iter().map(|bytes| number(*bytes)).collect())
    }

    /// Decodes unsigned integers of 64 bits from little-endian bytes.
    pub(super) fn unsigned(bytes: &[u8], number: impl Fn([u8; 8]) -> u64) -> Self {
        Self::Unsigned(bytes.as_chunks::<8>().0.iter().map(|bytes| number(*bytes)).collect())
    }
}

/// Returns values as 32-bit floats, if that does not change them.
pub(super) fn single(values: &[f64]) -> Option<Vec<f32>> {
    let same = |value: &f64| value.is_nan() || f64::from(*value as f32) == *value;
    values.iter().all(same).then(|| values.iter().map(|&value| value as f32).collect())
}

fn error(reason: String) -> Error {
    Location::Whole.error(reason)
}

/// Cuts the arrays into sequences.
pub(super) fn read(mut arrays: BTreeMap<String, Array>, into: &mut Collector) -> Result<()> {
    let mut take = |name: &str| arrays.remove(name);
    let missing = |name: &str| error(format!("expected an array `{name}`, got none"));
    let values = take("values").ok_or_else(|| missing("values"))?;
    let (lengths, offsets) = (take("lengths"), take("offsets"));
    let (targets, labels) = (take("targets"), take("labels"));
    let (names, ids) = (take("features"), take("ids"));
    if let Some(name) = arrays.keys().next() {
        let known = "values, lengths or offsets, targets, labels, features, ids";
        let name: String = name.chars().take(40).collect();
        return Err(error(format!("unknown array `{name}`: expected {known}")));
    }
    let (steps, features) = match values.dims[..] {
        [steps] => (steps, 1),
        [steps, features] if features > 0 => (steps, features),
        _ => return Err(shape("values", "[N, features]", &values.dims)),
    };
    let numbers = match values.data {
        Data::Float(values) => values,
        Data::Integer(values) => values.into_iter().map(|value| value as f64).collect(),
        Data::Unsigned(values) => values.into_iter().map(|value| value as f64).collect(),
        Data::Text(_) => return Err(error("values: expected numbers, got texts".into())),
    };
    let has_targets = targets.is_some() && into.wants_targets();
    let by = if lengths.is_some() { "lengths" } else { "offsets" };
    let lengths = match (lengths, offsets) {
        (Some(lengths), None) => check_lengths(lengths, steps)?,
        (None, Some(offsets)) => lengths_of(offsets, steps)?,
        (None, None) => return Err(missing("lengths")),
        (Some(_), Some(_)) => {
            return Err(error("expected one of `lengths` and `offsets`, got both".into()));
        }
    };
    let order = match names.map(|names| texts("features", names)).transpose()? {
        None => {
            into.unnamed();
            None
        }
        Some(names) if names.len() == features => {
            Some(into.order(&names).map_err(|reason| error(format!("features: {reason}")))?)
        }
        Some(names) => {
            let got = names.len();
            return Err(error(format!("features: expected {features} names, got {got}")));
        }
    };
    let mut ids = ids.map(|ids| check_ids(ids, lengths.len())).transpose()?;
    let labels = labels.map(|labels| texts("labels", labels)).transpose()?;
    into.declare_labels(labels.as_deref().unwrap_or_default());
    let targets = match targets.filter(|_| into.wants_targets()) {
        None => vec![RawTarget::None; lengths.len()],
        Some(targets) => raw_targets(targets, labels.as_deref(), &lengths, steps, into.wanted())?,
    };
    let mut begin = 0;
    let named = ids.is_some();
    for (index, (length, target)) in lengths.into_iter().zip(targets).enumerate() {
        let steps = &numbers[begin * features..(begin + length) * features];
        let values = match &order {
            None => steps.to_vec(),
            Some(order) => {
                let steps = steps.chunks_exact(features);
                steps.flat_map(|step| order.iter().map(|&k| step[k])).collect()
            }
        };
        begin += length;
        let id = ids.as_mut().map(|ids| std::mem::take(&mut ids[index]));
        let location = Location::Sequence(index + 1);
        into.push(RawSequence {
            id,
            values,
            features: Some(features),
            tokens: vec![],
            statics: None,
            target,
            location,
        })?;
    }
    if named {
        into.column("ids", Role::Id, "");
    }
    into.column(by, Role::Lengths, "");
    into.feature_columns(|k| format!("values[:, {k}]"));
    if has_targets {
        into.column("targets", Role::Target, "");
    }
    if labels.is_some() {
        into.column("labels", Role::Labels, "");
    }
    Ok(())
}

fn shape(name: &str, expected: &str, dims: &[usize]) -> Error {
    error(format!("{name}: expected shape {expected}, got {dims:?}"))
}

fn whole_numbers(name: &str, array: Array) -> Result<Vec<usize>> {
    let numbers: Vec<i128> = match (array.dims.len(), array.data) {
        (1, Data::Integer(numbers)) => numbers.into_iter().map(i128::from).collect(),
        (1, Data::Unsigned(numbers)) => numbers.into_iter().map(i128::from).collect(),
        _ => return Err(error(format!("{name}: expected integers in one dimension"))),
    };
    let number = |(k, number): (usize, i128)| {
        let expected = if number < 0 { "at least 0" } else { "a number of steps" };
        let invalid = |_| error(format!("{name}[{k}]: expected {expected}, got {number}"));
        usize::try_from(number).map_err(invalid)
    };
    numbers.into_iter().enumerate().map(number).collect()
}

fn check_lengths(lengths: Array, steps: usize) -> Result<Vec<usize>> {
    let lengths = whole_numbers("lengths", lengths)?;
    let sum = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
    if sum != Some(steps) {
        let sum = sum.map_or("an overflow".into(), |sum| sum.to_string());
        return Err(error(format!(
            "lengths: expected a sum of {steps}, the number of rows of `values`, got {sum}"
        )));
    }
    Ok(lengths)
}

fn lengths_of(offsets: Array, steps: usize) -> Result<Vec<usize>> {
    let offsets = whole_numbers("offsets", offsets)?;
    if offsets.first() != Some(&0) || offsets.last() != Some(&steps) {
        let got = offsets.last().map_or("none".into(), |last| format!("{} to {last}", offsets[0]));
        return Err(error(format!(
            "offsets: expected 0 to {steps}, the number of rows of `values`, got {got}"
        )));
    }
    let lengths = offsets.windows(2).enumerate().map(|(k, pair)| {
        let decreases =
            || error(format!("offsets[{}]: expected at least {}, got {}", k + 1, pair[0], pair[1]));
        pair[1].checked_sub(pair[0]).ok_or_else(decreases)
    });
    lengths.collect()
}

fn texts(name: &str, array: Array) -> Result<Vec<String>> {
    match (array.dims.len(), array.data) {
        (1, Data::Text(texts)) => Ok(texts),
        _ => Err(error(format!("{name}: expected texts in one dimension"))),
    }
}

/// Returns one name per sequence.
fn check_ids(ids: Array, count: usize) -> Result<Vec<String>> {
    let ids: Vec<String> = match (ids.dims.len(), ids.data) {
        (1, Data::Text(ids)) => ids,
        (1, Data::Integer(ids)) => ids.iter().map(i64::to_string).collect(),
        (1, Data::Unsigned(ids)) => ids.iter().map(u64::to_string).collect(),
        _ => return Err(error("ids: expected texts or integers in one dimension".into())),
    };
    match ids.len() {
        got if got == count => Ok(ids),
        got => Err(error(format!("ids: expected {count}, one per sequence, got {got}"))),
    }
}

/// Assigns the targets to the sequences, by the shape of their array.
fn raw_targets(
    targets: Array,
    labels: Option<&[String]>,
    lengths: &[usize],
    steps: usize,
    wanted: Option<Task>,
) -> Result<Vec<RawTarget>> {
    let wants_steps = matches!(wanted, Some(Task::SequenceLabelling | Task::StepRegression));
    let wants_numbers = matches!(wanted, Some(Task::Regression | Task::StepRegression));
    let (count, width) = match targets.dims[..] {
        [count] => (count, None),
        [count, width] => (count, Some(width)),
        _ => return Err(shape("targets", "[B], [B, K], [N] or [N, K]", &targets.dims)),
    };
    let per_step = count == steps && (count != lengths.len() || wants_steps);
    if !per_step && count != lengths.len() {
        let expected = format!("{} (one per sequence) or {steps} (one per step)", lengths.len());
        return Err(error(format!("targets: expected {expected}, got {count}")));
    }
    let code = |number: i128| match labels {
        None => Ok(Value::Code(number)),
        Some(labels) => {
            let label = usize::try_from(number).ok().and_then(|k| labels.get(k)).cloned();
            let classes = labels.len();
            let reason = format!("targets: expected classes below {classes}, got {number}");
            label.map(Value::Text).ok_or_else(|| error(reason))
        }
    };
    let values: Vec<Value> = match targets.data {
        Data::Float(values) => values.into_iter().map(Value::Number).collect(),
        Data::Text(texts) => texts.into_iter().map(Value::Text).collect(),
        Data::Integer(numbers) => {
            numbers.into_iter().map(|number| code(number.into())).collect::<Result<_>>()?
        }
        Data::Unsigned(numbers) => {
            numbers.into_iter().map(|number| code(number.into())).collect::<Result<_>>()?
        }
    };
    let names = values.iter().any(|value| !matches!(value, Value::Number(_))) && !wants_numbers;
    if let (false, Some(2..), true) = (per_step, width, names) {
        let expected = "[B] or [B, 1] for one class per sequence, or numbers in floating point";
        return Err(shape("targets", expected, &targets.dims));
    }
    let mut values = values.into_iter();
    let mut take = |count: usize, location: Location| {
        let fields = values.by_ref().take(count);
        fields.map(|value| Field::new(value, location)).collect::<Vec<_>>()
    };
    let target = |(index, &length): (usize, &usize)| {
        let location = Location::Sequence(index + 1);
        match (per_step, width) {
            // A column of one field per sequence is one target per sequence.
            (false, None | Some(1)) => {
                take(1, location).pop().map_or(RawTarget::None, RawTarget::One)
            }
            (false, Some(width)) => RawTarget::Many(take(width, location)),
            (true, width) => {
                let rows = (0..length).map(|_| take(width.unwrap_or(1), location));
                RawTarget::Rows(rows.collect())
            }
        }
    };
    Ok(lengths.iter().enumerate().map(target).collect())
}

/// Returns texts in one dimension.
pub(super) fn text_array(texts: Vec<String>) -> Array {
    Array { dims: vec![texts.len()], data: Data::Text(texts) }
}

/// Returns the arrays of a data set: `values`, `lengths`, and the optional ones that it has.
pub(super) fn arrays(dataset: &InMemory) -> Vec<(&'static str, Array)> {
    let examples = dataset.examples();
    let (batch, features) = (examples.len(), dataset.features());
    let lengths: Vec<i64> = examples.iter().map(|e| e.sequence.len() as i64).collect();
    let steps = lengths.iter().sum::<i64>() as usize;
    let values = examples.iter().flat_map(|e| e.sequence.wide_values()).collect();
    let mut arrays = vec![
        ("values", Array { dims: vec![steps, features], data: Data::Float(values) }),
        ("lengths", Array { dims: vec![batch], data: Data::Integer(lengths) }),
    ];
    let (mut numbers, mut classes) = (vec![], vec![]);
    for example in examples {
        match &example.target {
            Target::Class(class) => classes.push(i64::from(*class)),
            Target::StepClasses(steps) => classes.extend(steps.iter().map(|&c| i64::from(c))),
            Target::Values(values) => numbers.extend(values.iter().map(|&v| f64::from(v))),
            Target::StepValues(values) => numbers.extend(values.wide_values()),
            // Refused before.
            Target::Labels(_) => {}
        }
    }
    let kind = dataset.target_kind();
    let count = if kind.is_per_step() { steps } else { batch };
    if kind.labels().is_some() {
        let targets = Array { dims: vec![count], data: Data::Integer(classes) };
        arrays.push(("targets", targets));
    } else if kind.outputs() > 0 {
        let dims = vec![count, kind.outputs()];
        arrays.push(("targets", Array { dims, data: Data::Float(numbers) }));
    }
    let texts =
        [("labels", kind.labels()), ("features", dataset.feature_names()), ("ids", dataset.ids())];
    for (name, texts) in texts {
        arrays.extend(texts.map(|texts| (name, text_array(texts.to_vec()))));
    }
    arrays
}
