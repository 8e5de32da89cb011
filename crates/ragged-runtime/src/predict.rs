//! Predictions for whole sequences.

use ragged_sequence::PackedLayout;
use ragged_transforms::Values;

use crate::error::{Error, Result};
use crate::layers::{LayerOutputs, States};
use crate::model::Model;
use crate::readout::{Pooled, add_rows};
use crate::sequence::{Sequence, Statics, Tokens};
use crate::tokens::Steps;

impl Model {
    /// Makes a prediction for each sequence `[T, I]`: `[O]` values in the units of the training data or logits,
    /// or `[T, O]` if it is
    /// [per step](Self::is_per_step). Sequences may have any lengths, also zero; missing values are NaN.
    ///
    /// Sequences are one batch. The prediction of each does not depend on the others.
    ///
    /// # Errors
    ///
    /// [`Error::Transforms`] for values that do not form whole steps, [`Error::Input`] for the first value that is
    /// not finite after the transforms, [`Error::Prediction`] for the first prediction that is not finite,
    /// [`Error::InputKind`] for a model of tokens, [`Error::Statics`] for one with static values, [`Error::Crf`] for
    /// one with a CRF.
    pub fn predict<T: Copy + Into<f64>>(&self, sequences: &[&[T]]) -> Result<Vec<Vec<f32>>> {
        if self.reads_tokens() {
            return Err(Error::InputKind { expected: "tokens", got: "features" });
        }
        self.check_no_crf()?;
        let mut rows = vec![];
        for (index, sequence) in sequences.iter().enumerate() {
            rows.push(self.inputs(index, sequence, |values| self.transforms.apply(values))?);
        }
        self.predict_rows(&rows, &self.embed_statics(vec![Statics::default(); rows.len()])?)
    }

    /// Makes a prediction for each sequence of tokens, as [`predict`](Self::predict) does for features. `ragged predict`
    /// reads a text as the tokens that [`Tokenizer`](ragged_transforms::Tokenizer) makes of it. A token that was not in
    /// the training data is read as an unknown one.
    ///
    /// A run that has a `tokenizer.json` of Hugging Face takes the tokens of this file only. This crate does not divide
    /// texts by it; see [`predict_ids`](Self::predict_ids).
    ///
    /// # Errors
    ///
    /// [`Error::InputKind`] for a model of features, [`Error::Token`] for a text that is no token of the run's
    /// `tokenizer.json`, [`Error::Prediction`] for the first prediction that is not finite.
    ///
    /// ```no_run
    /// use ragged_runtime::Model;
    ///
    /// let model = Model::open("runs/polarity".as_ref())?;
    /// let outputs = model.predict_tokens(&[&["a", "pleasant", "film", "."]])?;
    /// println!("{:?}", model.targets().label(&outputs[0]));
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn predict_tokens(&self, sequences: &[&[&str]]) -> Result<Vec<Vec<f32>>> {
        self.predict_sequences(&of_tokens(sequences.iter().map(|&texts| Tokens::Texts(texts))))
    }

    /// Makes a prediction for each sequence of indices in the vocabulary of the run, as
    /// [`predict_tokens`](Self::predict_tokens). For a run that has a `tokenizer.json`, they are the ids that the crate
    /// `tokenizers` computes with it, without special tokens unless `data.read.special_tokens` was set.
    ///
    /// # Errors
    ///
    /// [`Error::InputKind`] for a model of features and for one that reads the characters of tokens, [`Error::Token`]
    /// for an id that the vocabulary does not have, [`Error::Prediction`] for the first prediction that is not finite.
    ///
    /// ```no_run
    /// use ragged_runtime::Model;
    ///
    /// let model = Model::open("runs/reviews/1".as_ref())?;
    /// // let ids = tokenizers::Tokenizer::from_file("runs/reviews/1/tokenizer.json")?.encode("nice", false)?;
    /// let outputs = model.predict_ids(&[&[1037, 8242, 2143]])?;
    /// println!("{:?}", model.targets().label(&outputs[0]));
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn predict_ids(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>> {
        self.predict_sequences(&of_tokens(sequences.iter().map(|&ids| Tokens::Ids(ids))))
    }

    /// Makes a prediction for each sequence, as [`predict`](Self::predict), for a model that reads more than features
    /// or tokens alone: both in each step, or [static values](Statics).
    ///
    /// # Errors
    ///
    /// The errors of [`predict`](Self::predict), [`predict_tokens`](Self::predict_tokens) and
    /// [`predict_ids`](Self::predict_ids); [`Error::TokenCount`] for tokens of another number of steps than the
    /// features, [`Error::Statics`] for another number of static values than the training data,
    /// [`Error::StaticNumber`] for an infinite one.
    pub fn predict_sequences(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>> {
        self.check_no_crf()?;
        self.outputs_of(sequences)
    }

    /// Returns the outputs for each sequence, also of a model with a CRF.
    pub(crate) fn outputs_of(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>> {
        let statics = sequences.iter().map(|sequence| sequence.statics);
        let statics = self.embed_statics(statics.collect())?;
        self.predict_rows(&self.rows(sequences)?, &statics)
    }

    fn check_no_crf(&self) -> Result<()> {
        match &self.crf {
            Some(_) => Err(Error::Crf { expected: "predict_paths, as the model has one" }),
            None => Ok(()),
        }
    }

    /// Returns the input of the layers for each sequence.
    fn rows(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>> {
        let apply = |values| self.transforms.apply(values);
        let Some(tokens) = &self.tokens else {
            let each = sequences.iter().enumerate().map(|(index, sequence)| {
                if sequence.tokens != Tokens::None {
                    let got = sequence.tokens.name();
                    return Err(Error::InputKind { expected: "features", got });
                }
                self.inputs(index, sequence.values, apply)
            });
            return each.collect();
        };
        let mut steps = vec![];
        for (index, sequence) in sequences.iter().enumerate() {
            tokens.check_kind(sequence.tokens)?;
            let (columns, got) = (tokens.columns(), sequence.tokens.len());
            let count = match self.features() {
                0 => got / columns,
                features => sequence.values.len() / features,
            };
            let expected = count * columns;
            if got != expected {
                return Err(Error::TokenCount { sequence: index + 1, columns, expected, got });
            }
            let values = match self.features() {
                0 if sequence.values.is_empty() => vec![],
                0 => return Err(Error::InputKind { expected: "tokens alone", got: "features" }),
                _ => self.inputs(index, sequence.values, apply)?,
            };
            let kept = self.transforms.kept_steps(count);
            let range = kept.start * columns..kept.end * columns;
            let kept_tokens = match sequence.tokens {
                Tokens::Texts(texts) => Tokens::Texts(&texts[range]),
                Tokens::Ids(ids) => Tokens::Ids(&ids[range]),
                Tokens::None => Tokens::None,
            };
            steps.push(Steps { values, tokens: kept_tokens, skipped: kept.start });
        }
        tokens.rows(&steps)
    }

    /// Makes a prediction for each sequence, given by the input of the layers and the features of its static values.
    fn predict_rows(&self, rows: &[Vec<f32>], statics: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let mut states = self.layers.initial_states(rows.len());
        if let Some(part) = &self.statics {
            part.set_states(statics, &mut states)?;
        }
        let mut pooled = vec![Pooled::new(self.layers.config.output_features()); rows.len()];
        let (_, predictions) = self.run(rows, statics, &states, &mut pooled)?;
        Ok(predictions)
    }

    /// Runs the model over the inputs of the layers. `statics` are the features of the static values of each sequence,
    /// if there are any.
    pub(crate) fn run(
        &self,
        sequences: &[Vec<f32>],
        statics: &[Vec<f32>],
        states: &States,
        pooled: &mut [Pooled],
    ) -> Result<(States, Vec<Vec<f32>>)> {
        let input = self.layers.config.input_size;
        let lengths: Vec<usize> = sequences.iter().map(|rows| rows.len() / input).collect();
        let layout = PackedLayout::from_lengths(&lengths);
        let mut x = Vec::with_capacity(layout.rows() * input);
        for (sequence, step) in layout.positions() {
            x.extend_from_slice(&sequences[sequence][step * input..(step + 1) * input]);
        }
        let LayerOutputs { rows, states } = self.layers.run(&layout, x, states)?;
        add_rows(self.readout, &layout, &rows, pooled);
        let mut predictions = vec![vec![]; sequences.len()];
        if self.is_per_step() {
            let sequences = layout.positions().map(|(sequence, _)| sequence);
            let outputs = self.apply_head(&self.join(rows, sequences, statics))?;
            for ((sequence, _), row) in layout.positions().zip(outputs.chunks_exact(self.outputs()))
            {
                predictions[sequence].extend_from_slice(row);
            }
        } else {
            let read = self.read(&layout, &rows, &states, pooled)?;
            let outputs = self.apply_head(&self.join(read, 0..sequences.len(), statics))?;
            predictions = outputs.chunks_exact(self.outputs()).map(<[f32]>::to_vec).collect();
        }
        for (index, prediction) in predictions.iter().enumerate() {
            check_prediction(index, prediction)?;
        }
        Ok((states, predictions))
    }

    /// Returns the row of each sequence that the head receives.
    fn read(
        &self,
        layout: &PackedLayout,
        rows: &[f32],
        states: &States,
        pooled: &[Pooled],
    ) -> Result<Vec<f32>> {
        if let Some(attention) = &self.attention {
            return attention.read(layout, rows);
        }
        let features = self.layers.config.output_features();
        let hidden = self.layers.final_hidden(states);
        let mut read = vec![0.0; hidden.len()];
        let each = read.chunks_exact_mut(features).zip(hidden.chunks_exact(features));
        for ((to, hidden), pooled) in each.zip(pooled) {
            pooled.read(self.readout, hidden, to);
        }
        Ok(read)
    }

    /// Appends the features of its sequence to each row, if static values join the head.
    fn join(
        &self,
        rows: Vec<f32>,
        sequences: impl Iterator<Item = usize>,
        statics: &[Vec<f32>],
    ) -> Vec<f32> {
        let Some(features) = self.head_statics() else { return rows };
        let width = self.head.input_size() - features;
        let rows = rows.chunks_exact(width).zip(sequences);
        rows.flat_map(|(row, sequence)| row.iter().chain(&statics[sequence])).copied().collect()
    }

    fn apply_head(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let mut outputs = vec![0.0; rows.len() / self.head.input_size() * self.outputs()];
        self.head.forward(rows, &mut outputs)?;
        self.predictions.apply(&mut outputs);
        Ok(outputs)
    }

    /// Returns the inputs of the layers for a sequence.
    pub(crate) fn inputs<T: Copy + Into<f64>>(
        &self,
        index: usize,
        sequence: &[T],
        transform: impl FnOnce(Values) -> ragged_transforms::Result<Values>,
    ) -> Result<Vec<f32>> {
        let mut values = Values::default();
        values.refill(sequence, self.features(), self.exact)?;
        let (values, mut inputs) = (transform(values)?, vec![]);
        push_inputs(index, &values, &mut inputs)?;
        Ok(inputs)
    }
}

/// Returns sequences of tokens alone.
fn of_tokens<'a>(tokens: impl Iterator<Item = Tokens<'a>>) -> Vec<Sequence<'a>> {
    tokens.map(|tokens| Sequence { tokens, ..Default::default() }).collect()
}

/// Rounds values to inputs of the layers, and appends them to `inputs` if all are finite.
pub(crate) fn push_inputs(index: usize, values: &Values, inputs: &mut Vec<f32>) -> Result<()> {
    let (start, features) = (inputs.len(), values.features());
    inputs.extend(values.as_slice().iter().map(|&value| value as f32));
    let Some(at) = inputs[start..].iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let got = inputs[start + at];
    inputs.truncate(start);
    let (step, feature) = (at / features + 1, at % features + 1);
    Err(Error::Input { sequence: index + 1, step, feature, got })
}

pub(crate) fn check_prediction(index: usize, prediction: &[f32]) -> Result<()> {
    match prediction.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&got) => Err(Error::Prediction { sequence: index + 1, got }),
    }
}
