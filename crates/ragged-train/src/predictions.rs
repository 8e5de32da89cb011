//! Predictions as a table or as JSON lines, in words.

use std::path::Path;

use ragged_datasets::TargetKind;
use ragged_models::write_whole;
use serde_json::json;

use crate::{Error, Result};

/// What a model says about one sequence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// Probabilities of the classes or predicted numbers: one row for the sequence, or one for each
    /// of its steps.
    pub numbers: Vec<Vec<f64>>,
}

/// What a model says about the sequences of a file, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// What is predicted.
    pub targets: TargetKind,
    /// One a sequence.
    pub rows: Vec<Prediction>,
}

impl Predictions {
    /// Writes them by the path's ending, `.csv` or `.jsonl`: whole, or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for another ending, or where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => self.to_csv()?,
            Some("jsonl") => self.to_json_lines(),
            _ => return Err(Error::file(path, "expected an ending of .csv or .jsonl")),
        };
        Ok(write_whole(path, text.as_bytes())?)
    }

    /// Checks that [`write`](Self::write) knows what to do with a path.
    ///
    /// # Errors
    ///
    /// [`Error::File`] as it would give.
    pub fn check_path(path: &Path) -> Result<()> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv" | "jsonl") => Ok(()),
            _ => Err(Error::file(path, "expected an ending of .csv or .jsonl")),
        }
    }

    /// A table: `series`, counted from 1, `step` where there is a prediction a step, then `label` and
    /// a column of probabilities a class, or a column a number.
    ///
    /// # Errors
    ///
    /// [`Error::Batch`] where a label cannot be written.
    pub fn to_csv(&self) -> Result<String> {
        let failed = |error: String| Error::Batch {
            name: "predictions",
            expected: "a table".into(),
            got: error,
        };
        let mut table = csv::Writer::from_writer(vec![]);
        let mut header = vec!["series".to_string()];
        header.extend(self.a_step().then(|| "step".to_string()));
        match self.targets.labels() {
            Some(labels) => {
                header.push("label".into());
                header.extend(labels.iter().map(|label| format!("p({label})")));
            }
            None => header.extend((1..=self.targets.outputs()).map(|k| format!("value_{k}"))),
        }
        table.write_record(&header).map_err(|error| failed(error.to_string()))?;
        for (series, prediction) in self.rows.iter().enumerate() {
            for (step, numbers) in prediction.numbers.iter().enumerate() {
                let mut record = vec![(series + 1).to_string()];
                record.extend(self.a_step().then(|| (step + 1).to_string()));
                record.extend(self.label(numbers).map(str::to_string));
                record.extend(numbers.iter().map(f64::to_string));
                table.write_record(&record).map_err(|error| failed(error.to_string()))?;
            }
        }
        let bytes = table.into_inner().map_err(|error| failed(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
    }

    /// A line a sequence: `{"series":1,"label":"a","probabilities":{"a":0.9,"b":0.1}}`, or
    /// `{"series":1,"values":[0.5]}`; lists of these where there is a prediction a step.
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        for (series, prediction) in self.rows.iter().enumerate() {
            let each = |f: &dyn Fn(&[f64]) -> String| -> String {
                let all: Vec<_> = prediction.numbers.iter().map(|numbers| f(numbers)).collect();
                let all = all.join(",");
                if self.a_step() { format!("[{all}]") } else { all }
            };
            let series = series + 1;
            text += &match self.targets.labels() {
                Some(labels) => {
                    let label = each(&|numbers| json!(self.label(numbers)).to_string());
                    // By hand, so that the classes keep their order.
                    let probabilities = each(&|numbers| {
                        let pairs = labels.iter().zip(numbers);
                        let pairs: Vec<_> = pairs
                            .map(|(label, p)| format!("{}:{}", json!(label), json!(p)))
                            .collect();
                        format!("{{{}}}", pairs.join(","))
                    });
                    format!(
                        "{{\"series\":{series},\"label\":{label},\"probabilities\":{probabilities}}}\n"
                    )
                }
                None => {
                    let values = each(&|numbers| json!(numbers).to_string());
                    format!("{{\"series\":{series},\"values\":{values}}}\n")
                }
            };
        }
        text
    }

    fn a_step(&self) -> bool {
        matches!(self.targets, TargetKind::StepClasses(_) | TargetKind::StepValues(_))
    }

    /// The class of the largest probability, the first of equal ones.
    fn label(&self, numbers: &[f64]) -> Option<&str> {
        let largest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let place = numbers.iter().position(|&number| number == largest)?;
        Some(self.targets.labels()?.get(place)?.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_words_and_probabilities() {
        let targets = TargetKind::Classes(vec!["a".into(), "b, c".into()]);
        let row = |p: f64| Prediction { numbers: vec![vec![p, 1.0 - p]] };
        let predictions = Predictions { targets, rows: vec![row(0.25), row(0.5)] };
        let csv = "series,label,p(a),\"p(b, c)\"\n1,\"b, c\",0.25,0.75\n2,a,0.5,0.5\n";
        assert_eq!(predictions.to_csv().unwrap(), csv);
        let lines = "{\"series\":1,\"label\":\"b, c\",\"probabilities\":{\"a\":0.25,\"b, c\":0.75}}\n\
                     {\"series\":2,\"label\":\"a\",\"probabilities\":{\"a\":0.5,\"b, c\":0.5}}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }

    #[test]
    fn steps_have_rows_or_lists() {
        let rows = [vec![vec![1.5], vec![2.0]], vec![]];
        let rows = rows.into_iter().map(|numbers| Prediction { numbers }).collect();
        let predictions = Predictions { targets: TargetKind::StepValues(1), rows };
        assert_eq!(predictions.to_csv().unwrap(), "series,step,value_1\n1,1,1.5\n1,2,2\n");
        let lines = "{\"series\":1,\"values\":[[1.5],[2.0]]}\n{\"series\":2,\"values\":[]}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }
}
