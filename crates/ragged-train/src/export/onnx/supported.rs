//! What an ONNX file cannot express.

use ragged_datasets::TargetKind;
use ragged_models::ModelConfig;

use crate::error::{Error, Result};

/// Returns [`Error::OnnxUnsupported`] for the first option that no operator expresses.
pub(super) fn check_supported(config: &ModelConfig, targets: &TargetKind) -> Result<()> {
    if let Some(inner) = config.tokens.as_ref().and_then(|tokens| tokens.inner.as_ref()) {
        return Err(Error::OnnxUnsupported {
            key: "model.characters.embedding_size",
            got: inner.table.embedding_dim.to_string(),
            reason: "the characters of tokens are not exported",
            expected: "a model of tokens alone",
        });
    }
    if config.crf.is_some() {
        return Err(Error::OnnxUnsupported {
            key: "model.crf",
            got: "true".into(),
            reason: "ONNX has no operator for the best path",
            expected: "a model that was trained without it",
        });
    }
    if let Some(size) = config.layer.proj_size {
        return Err(Error::OnnxUnsupported {
            key: "model.proj_size",
            got: size.to_string(),
            reason: "the LSTM operator of ONNX has no projection",
            expected: "a model that was trained without it",
        });
    }
    if config.layer.layer_norm {
        return Err(Error::OnnxUnsupported {
            key: "model.layer_norm",
            got: "true".into(),
            reason: "the recurrent operators of ONNX have no normalisation",
            expected: "a model that was trained without it",
        });
    }
    for (key, p) in [
        ("model.zoneout_hidden", config.layer.zoneout_hidden),
        ("model.zoneout_cell", config.layer.zoneout_cell),
    ] {
        if p > 0.0 {
            return Err(Error::OnnxUnsupported {
                key,
                got: p.to_string(),
                reason: "the recurrent operators of ONNX keep no part of a state",
                expected: "a model that was trained without it",
            });
        }
    }
    if targets.is_transcription() {
        return Err(Error::OnnxUnsupported {
            key: "data.read.task",
            got: "transcription".into(),
            reason: "ONNX has no operator that decodes lists of labels",
            expected: "a model of another task",
        });
    }
    Ok(())
}
