//! `tokenizer.json` files in a build without the feature `tokenizers`: none is read.

use ragged_transforms::Vocabulary;

/// A tokenizer that does not exist.
pub(super) enum Encoder {}

impl Encoder {
    pub(super) fn parse(_: &[u8]) -> Result<(Self, Vocabulary), String> {
        Err("expected a build with the feature `tokenizers`, which reads this file".into())
    }

    pub(super) fn special_tokens(&self) -> usize {
        match *self {}
    }

    pub(super) fn ids(&self, _: &str, _: bool) -> Result<Vec<u32>, String> {
        match *self {}
    }
}
