//! The heads of a model for several targets, and the names of its outputs.

use std::ops::Range;

use ragged_transforms::HeadOutputs;

use crate::model::Model;
use crate::targets::Part;

impl Model {
    /// Returns the heads with their ranges of the outputs, in the order of [`Targets::parts`](crate::Targets::parts);
    /// none for a model of a single target.
    ///
    /// ```no_run
    /// use ragged_runtime::Model;
    ///
    /// let model = Model::open("runs/gait".as_ref())?;
    /// let outputs = model.predict(&[&[0.1; 12][..]])?.remove(0);
    /// for (part, range) in model.heads() {
    ///     // The logits of the classes, or a value in the units of the training data.
    ///     println!("{}: {:?} {:?}", part.name, part.label(&outputs[range.clone()]), &outputs[range]);
    /// }
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn heads(&self) -> impl Iterator<Item = (&Part, Range<usize>)> {
        let mut start = 0;
        let range = move |(part, head): (_, &HeadOutputs)| {
            let range = start..start + head.count;
            start = range.end;
            (part, range)
        };
        self.targets.parts().iter().zip(self.predictions.kind.heads()).map(range)
    }

    /// Returns the names of the outputs: the labels of the classes, or names such as `value_1`, `q0.1` or `mean`. Those
    /// of a head start with its name and a point.
    pub fn output_names(&self) -> Vec<String> {
        let heads = self.predictions.kind.heads();
        if !heads.is_empty() {
            let of_head = |((part, _), head): ((&Part, _), &HeadOutputs)| {
                let names = match part.labels() {
                    Some(labels) => labels.to_vec(),
                    None => head.outputs.names(1),
                };
                names.into_iter().map(|name| format!("{}.{name}", part.name)).collect::<Vec<_>>()
            };
            return self.heads().zip(heads).flat_map(of_head).collect();
        }
        match self.targets.labels() {
            Some(labels) => labels.to_vec(),
            None => self.predictions.names(self.outputs() / self.predictions.kind.per_value()),
        }
    }
}
