//! Predictions as a CSV table or as JSON lines.

use std::path::Path;

use ragged_datasets::TargetKind;
use ragged_transforms::{OutputKind, Outputs};
use serde_json::json;

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};

/// The prediction for one sequence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// The name of the sequence in the file, if it has one.
    pub id: Option<String>,
    /// The probabilities of the classes, or the predicted values in the units of the training data: one row for the
    /// sequence, or one row per time step.
    pub values: Vec<Vec<f64>>,
    /// The class of each time step on the best path of a CRF, or the labels of a transcription in their order. `None`
    /// otherwise: the class is the most probable one.
    pub decoded: Option<Vec<u32>>,
    /// For a forecast, the targets in the history that the model has read, one row per step; NaN where they are
    /// missing. The rows of the values are those of the steps after it. Empty otherwise.
    pub history: Vec<Vec<f64>>,
}

/// The predictions for the sequences of a file, in their order.
///
/// ```
/// use ragged_datasets::TargetKind;
/// use ragged_train::objective::OutputKind;
/// use ragged_train::predict::{Prediction, Predictions};
///
/// let rows = vec![Prediction { values: vec![vec![0.5, 1.5]], ..Default::default() }];
/// let (targets, kind) = (TargetKind::Values(1), OutputKind::Quantiles(vec![0.1, 0.9]));
/// let predictions = Predictions { targets, kind, names: vec![], first: 1, rows, notes: vec![] };
/// assert_eq!(predictions.to_csv()?, "series,q0.1,q0.9\n1,0.5,1.5\n");
/// # Ok::<(), ragged_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// The kind of targets, with the names of classes.
    pub targets: TargetKind,
    /// What the values of a row are, unless targets are classes.
    pub kind: OutputKind,
    /// The names of the columns that are predicted, for forecasts. Empty otherwise.
    pub names: Vec<String>,
    /// The number of the first sequence: 1 for a whole file.
    pub first: usize,
    /// One prediction per sequence.
    pub rows: Vec<Prediction>,
    /// Notes on how the file was read, such as columns that were left out.
    pub notes: Vec<String>,
}

impl Predictions {
    /// Writes the predictions to a `.csv` or `.jsonl` file, completely or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] for another file name extension, [`Error::Io`] where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => self.to_csv()?,
            Some("jsonl") => self.to_json_lines(),
            _ => return Err(Error::path(path, "expected a name that ends in .csv or .jsonl")),
        };
        write_atomically(path, text.as_bytes())
    }

    /// Checks that [`write`](Self::write) supports the file name extension of a path.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] for another extension.
    pub fn check_path(path: &Path) -> Result<()> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv" | "jsonl") => Ok(()),
            _ => Err(Error::path(path, "expected a name that ends in .csv or .jsonl")),
        }
    }

    /// Returns the predictions as a CSV table. Its columns are `series`, the number of the sequence; `id`, where the
    /// sequences have names; `step`, where there is one prediction per time step (of a forecast, from 1 after the end
    /// of its series); then `label` and the probability of each class, or `position` and `label` for lists of labels,
    /// or the values: `value_1` (of a forecast, the name of the column), a quantile such as `q0.1`, `mean` and `std`,
    /// `rate_1`, or `p_1`, the probability of a 1. The columns of a head start with its name and a point, as in
    /// `activity.label`.
    ///
    /// # Errors
    ///
    /// [`Error::Csv`] where the table cannot be written.
    pub fn to_csv(&self) -> Result<String> {
        let mut table = csv::Writer::from_writer(vec![]);
        let mut header = vec!["series".to_string()];
        let with_ids = self.rows.iter().any(|row| row.id.is_some());
        header.extend(with_ids.then(|| "id".to_string()));
        header.extend(self.per_step().then(|| "step".to_string()));
        let lists = self.targets.is_transcription();
        header.extend(lists.then(|| "position".to_string()));
        let heads = self.heads();
        for (name, head) in &heads {
            header.extend(head.columns().into_iter().map(|column| format!("{name}.{column}")));
        }
        if heads.is_empty() {
            header.extend(self.columns());
        }
        table.write_record(&header)?;
        for (series, prediction) in self.rows.iter().enumerate() {
            // The rows of a list are its labels, which have no values.
            let count = match &prediction.decoded {
                Some(labels) if lists => labels.len(),
                _ => prediction.values.len(),
            };
            for step in 0..count {
                let mut record = vec![(self.first + series).to_string()];
                record.extend(with_ids.then(|| prediction.id.clone().unwrap_or_default()));
                record.extend((lists || self.per_step()).then(|| (step + 1).to_string()));
                for (_, head) in &heads {
                    record.extend(head.cells(&head.rows[series], step));
                }
                if heads.is_empty() {
                    record.extend(self.cells(prediction, step));
                }
                table.write_record(&record)?;
            }
        }
        let bytes = table.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        String::from_utf8(bytes).map_err(|error| {
            csv::Error::from(std::io::Error::new(std::io::ErrorKind::InvalidData, error)).into()
        })
    }

    /// Returns one line of JSON per sequence:
    /// `{"series":1,"label":"a","probabilities":{"a":0.9,"b":0.1}}`, or `{"series":1,"values":[0.5]}`. Values
    /// that have names have them, as in `"values":{"q0.1":0.5,"q0.9":1.5}`.
    /// For lists of labels it is `{"series":1,"labels":["a","b"]}`. Where there is one prediction per time step,
    /// `label`, `probabilities` and `values` are lists. A sequence with a name has it as `id` after its number. Those
    /// of heads are in objects of their own, as in
    /// `{"series":1,"heads":{"activity":{"label":"a",..},"speed":{"values":[0.5]}}}`.
    pub fn to_json_lines(&self) -> String {
        let (mut text, heads) = (String::new(), self.heads());
        for (series, prediction) in self.rows.iter().enumerate() {
            let id = prediction.id.as_ref().map(|id| format!(",\"id\":{}", json!(id)));
            let number = format!("{}{}", self.first + series, id.unwrap_or_default());
            let of_head = |(name, head): &(String, Self)| {
                format!("{}:{{{}}}", json!(name), head.fields(&head.rows[series]))
            };
            let fields = match heads.is_empty() {
                true => self.fields(prediction),
                false => {
                    let all: Vec<String> = heads.iter().map(of_head).collect();
                    format!("\"heads\":{{{}}}", all.join(","))
                }
            };
            text += &format!("{{\"series\":{number},{fields}}}\n");
        }
        text
    }

    /// Returns the names of the columns that predictions have in a table, after those that name the row.
    fn columns(&self) -> Vec<String> {
        match self.targets.labels() {
            Some(_) if self.targets.is_transcription() => vec!["label".into()],
            Some(labels) => {
                let probabilities = labels.iter().map(|label| format!("p({label})"));
                std::iter::once("label".to_string()).chain(probabilities).collect()
            }
            None => self.names(),
        }
    }

    /// Returns the cells of these columns in a row of a prediction.
    fn cells(&self, prediction: &Prediction, row: usize) -> Vec<String> {
        let label = self.label(prediction, row).map(str::to_string);
        let lists = self.targets.is_transcription();
        let values = prediction.values.get(row).filter(|_| !lists);
        label.into_iter().chain(values.into_iter().flatten().map(f64::to_string)).collect()
    }

    /// Returns the fields of an object of JSON for a prediction.
    fn fields(&self, prediction: &Prediction) -> String {
        let joined = |all: Vec<String>| {
            let all = all.join(",");
            if self.per_step() { format!("[{all}]") } else { all }
        };
        let each = |f: &dyn Fn(&[f64]) -> String| -> String {
            joined(prediction.values.iter().map(|values| f(values)).collect())
        };
        // A JSON object would sort the names.
        let object = |names: &[String], values: &[f64]| {
            let pair = |(name, x): (&String, &f64)| format!("{}:{}", json!(name), json!(x));
            let pairs: Vec<_> = names.iter().zip(values).map(pair).collect();
            format!("{{{}}}", pairs.join(","))
        };
        match self.targets.labels() {
            Some(labels) if self.targets.is_transcription() => {
                let decoded = prediction.decoded.iter().flatten();
                let list: Vec<_> =
                    decoded.filter_map(|&label| labels.get(label as usize)).collect();
                format!("\"labels\":{}", json!(list))
            }
            Some(labels) => {
                let label = |step| json!(self.label(prediction, step)).to_string();
                let label = joined((0..prediction.values.len()).map(label).collect());
                let probabilities = each(&|values| object(labels, values));
                format!("\"label\":{label},\"probabilities\":{probabilities}")
            }
            None => {
                let names = self.names();
                let values = match self.kind {
                    OutputKind::Value if self.names.is_empty() => {
                        each(&|values| json!(values).to_string())
                    }
                    _ => each(&|values| object(&names, values)),
                };
                format!("\"values\":{values}")
            }
        }
    }

    /// Returns the predictions of each head as if its target were the only one, with the names of the heads; none where
    /// there is a single target.
    pub fn heads(&self) -> Vec<(String, Self)> {
        let (mut heads, mut start) = (vec![], 0);
        for (head, part) in self.kind.heads().iter().zip(self.targets.parts()) {
            let range = start..start + head.count;
            start = range.end;
            let of_head = |row: &Prediction| Prediction {
                id: row.id.clone(),
                values: row.values.iter().map(|values| values[range.clone()].to_vec()).collect(),
                ..Prediction::default()
            };
            let alone = Self {
                targets: part.alone(self.per_step()),
                kind: head.outputs.kind.clone(),
                names: vec![],
                first: self.first,
                rows: self.rows.iter().map(of_head).collect(),
                notes: vec![],
            };
            heads.push((head.name.clone(), alone));
        }
        heads
    }

    /// The names of the values: those of the outputs, with the names of the columns of a forecast.
    fn names(&self) -> Vec<String> {
        let outputs = Outputs { kind: self.kind.clone(), scale: None };
        let names = outputs.names(self.targets.outputs()).into_iter().enumerate();
        let named = |(index, name): (usize, String)| {
            let value = index / self.kind.per_value().max(1);
            let known = self.names.get(value)?;
            let rest = name.strip_prefix(&format!("value_{}", value + 1))?;
            Some(format!("{known}{rest}"))
        };
        names.map(|(index, name)| named((index, name.clone())).unwrap_or(name)).collect()
    }

    fn per_step(&self) -> bool {
        self.targets.is_per_step()
    }

    /// Returns the label of a row: that of the path, or else the most probable one, the first of equal ones.
    fn label(&self, prediction: &Prediction, row: usize) -> Option<&str> {
        let index = match &prediction.decoded {
            Some(classes) => *classes.get(row)? as usize,
            None => {
                let values = prediction.values.get(row)?;
                let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                values.iter().position(|&value| value == largest)?
            }
        };
        Some(self.targets.labels()?.get(index)?.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(targets: TargetKind, rows: Vec<Prediction>) -> Predictions {
        let kind = OutputKind::Value;
        Predictions { targets, kind, names: vec![], first: 1, rows, notes: vec![] }
    }

    #[test]
    fn classes_have_labels_and_probabilities() {
        let targets = TargetKind::Classes(vec!["a".into(), "b, c".into()]);
        let row = |p: f64| Prediction { values: vec![vec![p, 1.0 - p]], ..Default::default() };
        let predictions = predictions(targets, vec![row(0.25), row(0.5)]);
        let csv = "series,label,p(a),\"p(b, c)\"\n1,\"b, c\",0.25,0.75\n2,a,0.5,0.5\n";
        assert_eq!(predictions.to_csv().unwrap(), csv);
        let lines = "{\"series\":1,\"label\":\"b, c\",\"probabilities\":{\"a\":0.25,\"b, c\":0.75}}\n\
                     {\"series\":2,\"label\":\"a\",\"probabilities\":{\"a\":0.5,\"b, c\":0.5}}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }

    #[test]
    fn the_labels_of_a_crf_are_those_of_its_path() {
        let targets = TargetKind::StepClasses(vec!["a".into(), "b".into()]);
        let (values, decoded) = (vec![vec![0.75, 0.25]; 2], Some(vec![0, 1]));
        let predictions =
            predictions(targets, vec![Prediction { values, decoded, ..Default::default() }]);
        let csv = "series,step,label,p(a),p(b)\n1,1,a,0.75,0.25\n1,2,b,0.75,0.25\n";
        assert_eq!(predictions.to_csv().unwrap(), csv);
        let line = "{\"series\":1,\"label\":[\"a\",\"b\"],\"probabilities\":[{\"a\":0.75,\"b\":0.25},{\"a\":0.75,\"b\":0.25}]}\n";
        assert_eq!(predictions.to_json_lines(), line);
    }

    #[test]
    fn transcriptions_have_lists_of_labels() {
        let targets = TargetKind::Labels(vec!["AE".into(), "K".into()]);
        let row =
            |labels: &[u32]| Prediction { decoded: Some(labels.to_vec()), ..Default::default() };
        let predictions = predictions(targets, vec![row(&[1, 0]), row(&[])]);
        let csv = "series,position,label\n1,1,K\n1,2,AE\n";
        assert_eq!(predictions.to_csv().unwrap(), csv);
        let lines = "{\"series\":1,\"labels\":[\"K\",\"AE\"]}\n{\"series\":2,\"labels\":[]}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }

    #[test]
    fn quantiles_have_names() {
        let row = Prediction { values: vec![vec![1.5, 2.5]], ..Default::default() };
        let kind = OutputKind::Quantiles(vec![0.1, 0.9]);
        let predictions = Predictions { kind, ..predictions(TargetKind::Values(1), vec![row]) };
        assert_eq!(predictions.to_csv().unwrap(), "series,q0.1,q0.9\n1,1.5,2.5\n");
        let line = "{\"series\":1,\"values\":{\"q0.1\":1.5,\"q0.9\":2.5}}\n";
        assert_eq!(predictions.to_json_lines(), line);
    }

    #[test]
    fn the_values_of_forecasts_have_the_names_of_their_columns() {
        let forecast = |kind: OutputKind, names: &[&str]| {
            let values = vec![vec![1.5; names.len() * kind.per_value()]];
            let rows = vec![Prediction { values, ..Default::default() }];
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            let targets = TargetKind::StepValues(names.len());
            let forecast = Predictions { kind, names, ..predictions(targets, rows) };
            (forecast.to_csv().unwrap(), forecast.to_json_lines())
        };
        let (csv, lines) = forecast(OutputKind::Value, &["demand"]);
        assert_eq!(csv, "series,step,demand\n1,1,1.5\n");
        assert_eq!(lines, "{\"series\":1,\"values\":[{\"demand\":1.5}]}\n");
        let (csv, lines) = forecast(OutputKind::Gaussian, &["a", "b"]);
        assert_eq!(csv, "series,step,a_mean,a_std,b_mean,b_std\n1,1,1.5,1.5,1.5,1.5\n");
        assert!(lines.contains("[{\"a_mean\":1.5,\"a_std\":1.5,\"b_mean\""), "{lines}");
        assert!(forecast(OutputKind::Quantiles(vec![0.1]), &["a"]).0.contains("step,q0.1\n"));
    }

    #[test]
    fn named_sequences_keep_their_names() {
        let row = |id: Option<&str>| {
            let (id, values) = (id.map(Into::into), vec![vec![1.5]]);
            Prediction { id, values, ..Default::default() }
        };
        let rows = vec![row(Some("patient \"9\"")), row(None)];
        let predictions = predictions(TargetKind::Values(1), rows);
        let csv = "series,id,value_1\n1,\"patient \"\"9\"\"\",1.5\n2,,1.5\n";
        assert_eq!(predictions.to_csv().unwrap(), csv);
        let lines = "{\"series\":1,\"id\":\"patient \\\"9\\\"\",\"values\":[1.5]}\n\
                     {\"series\":2,\"values\":[1.5]}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }

    #[test]
    fn time_steps_have_rows_or_lists() {
        let rows = [vec![vec![1.5], vec![2.0]], vec![]];
        let rows =
            rows.into_iter().map(|values| Prediction { values, ..Default::default() }).collect();
        let predictions = predictions(TargetKind::StepValues(1), rows);
        assert_eq!(predictions.to_csv().unwrap(), "series,step,value_1\n1,1,1.5\n1,2,2\n");
        let lines = "{\"series\":1,\"values\":[[1.5],[2.0]]}\n{\"series\":2,\"values\":[]}\n";
        assert_eq!(predictions.to_json_lines(), lines);
    }
}
