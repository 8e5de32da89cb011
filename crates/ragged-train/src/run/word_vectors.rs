//! Embeddings that begin with word vectors of a file.

use candle_core::{Device, Tensor};
use ragged_datasets::tokens::{TokenEncoder, read_word_vectors};
use ragged_models::Parameters;

use crate::config::error::ConfigError;
use crate::config::experiment_config::ExperimentConfig;
use crate::error::Result;
use crate::run::data_files::find;

/// The parameter that begins with the vectors.
const TABLE: &str = "embedding.weight";

/// Sets the embeddings of the words that have a vector in the file of the configuration, and returns a note on how many
/// have one. Without such a file, nothing changes.
///
/// # Errors
///
/// [`Error::Config`](crate::Error::Config) for vectors of another size and for several columns of tokens,
/// [`Error::Data`](crate::Error::Data) for a file that cannot be read.
pub(crate) fn load_word_vectors(
    config: &ExperimentConfig,
    encoder: &TokenEncoder,
    parameters: &Parameters,
) -> Result<Option<String>> {
    let key = "model.embedding.weights";
    let weights = config.model.embedding.as_ref().and_then(|table| table.weights.as_ref());
    let Some(weights) = weights else { return Ok(None) };
    let [column] = encoder.columns() else {
        let count = encoder.columns().len();
        let message =
            format!("{key} is given, but there are {count} columns of tokens: expected one");
        return Err(ConfigError::conflict(key, message).into());
    };
    let path = &find(&config.data, weights);
    let vectors = read_word_vectors(path, &column.vocabulary)?;
    let named = parameters.named();
    let Some((_, table)) = named.iter().find(|(name, _)| name == TABLE) else {
        let message = format!("{key} is given, but the model has no embedding");
        return Err(ConfigError::conflict(key, message).into());
    };
    let mut rows = table.to_vec2::<f32>()?;
    let (size, path) = (rows[0].len(), path.display());
    if vectors.size != size {
        let got = vectors.size;
        let message =
            format!("model.embedding.size is {size}, but the vectors of {path} have {got} values");
        return Err(ConfigError::conflict("model.embedding.size", message).into());
    }
    for (&index, vector) in vectors.indices.iter().zip(vectors.values.chunks_exact(size)) {
        rows[index as usize].copy_from_slice(vector);
    }
    table.set(&Tensor::from_vec(rows.concat(), table.dims(), &Device::Cpu)?)?;
    let (found, all) = (vectors.indices.len(), column.vocabulary.entries().len());
    Ok(Some(format!("{}: {found} of {all} entries have a vector in {path}", column.column)))
}
