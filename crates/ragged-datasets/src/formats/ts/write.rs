//! Writing of the `.ts` format.

use std::io::Write;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::example::Target;
use crate::formats::errors::{io, unsupported};
use crate::formats::number::digits;
use crate::in_memory::InMemory;
use crate::target_kind::TargetKind;

/// Writes a header and one line per series. NaN becomes `?`.
///
/// The format can hold one class or one number per series. Two things are refused because they would
/// be read back differently: a label with white space, `:`, `(` or `)`, and a series without a step if
/// there is only one dimension and no label.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let (examples, features) = (dataset.examples(), dataset.features());
    let label = match dataset.target_kind() {
        TargetKind::Classes(labels) => {
            let bad = |c: char| c.is_whitespace() || ":()".contains(c);
            if let Some(label) = labels.iter().find(|l| l.is_empty() || l.contains(bad)) {
                return Err(unsupported("ts", format!("the class label `{label}`")));
            }
            format!("@classLabel true {}", labels.join(" "))
        }
        TargetKind::Values(0)
            if features == 1 && examples.iter().any(|e| e.sequence.is_empty()) =>
        {
            return Err(unsupported("ts", "a series without a step"));
        }
        TargetKind::Values(0) => "@classLabel false".into(),
        TargetKind::Values(1) => "@targetLabel true".into(),
        TargetKind::Values(count) => {
            return Err(unsupported("ts", format!("{count} values per series")));
        }
        TargetKind::StepClasses(_) | TargetKind::StepValues(_) => {
            return Err(unsupported("ts", "a target for each step"));
        }
        TargetKind::Labels(_) => return Err(unsupported("ts", "a list of labels")),
        TargetKind::Parts { .. } => return Err(unsupported("ts", "several targets with names")),
    };
    let length = examples[0].sequence.len();
    let equal = length > 0 && examples.iter().all(|e| e.sequence.len() == length);
    let missing = examples.iter().flat_map(|e| e.sequence.values()).any(|v| v.is_nan());
    let mut text = format!(
        "@problemName series\n@timeStamps false\n@missing {missing}\n@univariate {}\n\
         @dimensions {features}\n@equalLength {equal}\n",
        features == 1
    );
    if equal {
        text += &format!("@seriesLength {length}\n");
    }
    text += &format!("{label}\n@data\n");
    for example in examples {
        for k in 0..features {
            for (t, step) in example.sequence.steps().enumerate() {
                text += if t == 0 { "" } else { "," };
                let exact = example.sequence.exact_values().map(|v| v[t * features + k]);
                text += &if step[k].is_nan() { "?".into() } else { digits(step[k], exact) };
            }
            text += if k + 1 < features { ":" } else { "" };
        }
        match (&example.target, dataset.target_kind()) {
            (Target::Class(class), TargetKind::Classes(labels)) => {
                text += &format!(":{}", labels[*class as usize]);
            }
            (Target::Values(values), _) => {
                values.iter().for_each(|value| text += &format!(":{}", digits(*value, None)));
            }
            _ => {}
        }
        text.push('\n');
        out.write_all(text.as_bytes()).map_err(io)?;
        text.clear();
    }
    Ok(())
}
