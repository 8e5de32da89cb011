//! Static values as inputs of the head or as initial states.

use ragged_kernels::PreparedLinear;
use ragged_transforms::StaticEncoder;

use crate::checkpoint::Checkpoint;
use crate::config::{StaticConfig, StaticJoin};
use crate::error::{Error, Result};
use crate::layers::States;
use crate::sequence::Statics;
use crate::table::Table;

/// The tables of static categories, and the layers that make initial states.
#[derive(Debug)]
pub(crate) struct StaticPart {
    pub(crate) encoder: StaticEncoder,
    tables: Vec<Table>,
    /// For the hidden states and for the cell states, if static values make them.
    states: Vec<PreparedLinear<f32>>,
    pub(crate) join: StaticJoin,
}

impl StaticPart {
    /// Takes `static.embedding.*` and, if they join the states, `static.state.*`. `zeros` are the states of one
    /// sequence.
    pub(crate) fn new(
        config: &StaticConfig,
        encoder: &StaticEncoder,
        zeros: &States,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let expected = (encoder.numbers().len(), encoder.categories().len());
        let got = (config.num_values, config.tables.len());
        if got != expected {
            let columns = |(numbers, categories)| {
                format!("{numbers} static numbers and {categories} static categories")
            };
            return Err(Error::Checkpoint { expected: columns(expected), got: columns(got) });
        }
        if encoder.categories().iter().any(|column| column.vocabulary.unknown().is_none()) {
            let expected = "static categories with an entry for unknown ones".to_string();
            return Err(Error::Checkpoint { expected, got: "one without".into() });
        }
        let tables = config.tables.iter().zip(encoder.categories()).enumerate();
        let tables = tables.map(|(k, (size, column))| {
            let name = format!("static.embedding.{k}.weight");
            Table::new(&name, *size, column.vocabulary.len(), checkpoint)
        });
        let tables = tables.collect::<Result<_>>()?;
        let (features, mut states) = (config.features(), vec![]);
        let parts = [&zeros.hidden, &zeros.cell];
        let parts = parts.into_iter().filter(|part| !part.is_empty()).enumerate();
        for (k, part) in parts.filter(|_| config.join == StaticJoin::State) {
            let size = part.iter().map(Vec::len).sum();
            let parameter = |name: &str, shape: &[usize]| {
                checkpoint.parameter(&format!("static.state.{k}.{name}"), shape)
            };
            let (weight, bias) =
                (parameter("weight", &[size, features])?, parameter("bias", &[size])?);
            states.push(PreparedLinear::new(features, &weight, &bias)?);
        }
        Ok(Self { encoder: encoder.clone(), tables, states, join: config.join })
    }

    /// Returns S, the number of features of a sequence.
    pub(crate) fn features(&self) -> usize {
        self.encoder.numbers().len() + self.tables.iter().map(|table| table.width).sum::<usize>()
    }

    /// Returns the features `[S]` of one sequence, whose index is `sequence`.
    pub(crate) fn embed(&self, sequence: usize, statics: Statics<'_>) -> Result<Vec<f32>> {
        let (numbers, categories) = (self.encoder.numbers(), self.encoder.categories());
        check_count(sequence, (numbers.len(), categories.len()), statics)?;
        if let Some(at) = statics.numbers.iter().position(|value| value.is_infinite()) {
            let (column, got) = (numbers[at].column.clone(), statics.numbers[at]);
            return Err(Error::StaticNumber { sequence: sequence + 1, column, got });
        }
        let scaled = self.encoder.scaled(statics.numbers).into_iter();
        let mut features: Vec<f32> = scaled.map(|value| value as f32).collect();
        for ((text, column), table) in statics.categories.iter().zip(categories).zip(&self.tables) {
            let index = column.vocabulary.index(text).unwrap_or_default();
            features.extend_from_slice(table.row(index));
        }
        Ok(features)
    }

    /// Writes the initial states of sequences with these features, of which `states` has the room.
    pub(crate) fn set_states(&self, features: &[Vec<f32>], states: &mut States) -> Result<()> {
        let joined = features.concat();
        let parts = [&mut states.hidden, &mut states.cell];
        for (linear, part) in self.states.iter().zip(parts) {
            let size = linear.output_size();
            let mut rows = vec![0.0; features.len() * size];
            linear.forward(&joined, &mut rows)?;
            for (row, values) in rows.chunks_exact(size).enumerate() {
                let mut rest = values;
                for cell in part.iter_mut() {
                    let width = cell.len() / features.len();
                    let (own, after) = rest.split_at(width);
                    cell[row * width..(row + 1) * width].copy_from_slice(own);
                    rest = after;
                }
            }
        }
        Ok(())
    }
}

/// Checks that a sequence has as many static values as the training data.
pub(crate) fn check_count(
    sequence: usize,
    expected: (usize, usize),
    statics: Statics<'_>,
) -> Result<()> {
    let got = (statics.numbers.len(), statics.categories.len());
    if got == expected {
        return Ok(());
    }
    Err(Error::Statics { sequence: sequence + 1, expected, got })
}
