//! Examples as a `.ts` text.

use std::io::Write;

use crate::formats::{io, unfit};
use crate::{Dataset, InMemory, Result, Target, TargetKind};

/// Writes a header and a line a series. NaN becomes `?`.
///
/// The format holds a class or one number a series; a label with white space, `:`, `(` or `)` would
/// be read as something else, as would a series without a step, dimension or label.
pub(in crate::formats) fn write(dataset: &InMemory, out: &mut impl Write) -> Result<()> {
    let (examples, features) = (dataset.examples(), dataset.features());
    let label = match dataset.target_kind() {
        TargetKind::Classes(labels) => {
            let bad = |c: char| c.is_whitespace() || ":()".contains(c);
            if let Some(label) = labels.iter().find(|l| l.is_empty() || l.contains(bad)) {
                return Err(unfit("ts", format!("a class label `{label}`")));
            }
            format!("@classLabel true {}", labels.join(" "))
        }
        TargetKind::Values(0)
            if features == 1 && examples.iter().any(|e| e.sequence.is_empty()) =>
        {
            return Err(unfit("ts", "a series without a step".into()));
        }
        TargetKind::Values(0) => "@classLabel false".into(),
        TargetKind::Values(1) => "@targetLabel true".into(),
        TargetKind::Values(count) => return Err(unfit("ts", format!("{count} values a series"))),
        TargetKind::StepClasses(_) | TargetKind::StepValues(_) => {
            return Err(unfit("ts", "a target for each step".into()));
        }
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
                text += &if step[k].is_nan() { "?".into() } else { step[k].to_string() };
            }
            text += if k + 1 < features { ":" } else { "" };
        }
        match (&example.target, dataset.target_kind()) {
            (Target::Class(class), TargetKind::Classes(labels)) => {
                text += &format!(":{}", labels[*class as usize]);
            }
            (Target::Values(values), _) => {
                values.iter().for_each(|value| text += &format!(":{value}"));
            }
            _ => {}
        }
        text.push('\n');
        out.write_all(text.as_bytes()).map_err(io)?;
        text.clear();
    }
    Ok(())
}
