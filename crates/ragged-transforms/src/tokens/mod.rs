//! Texts as indices: tokenisers, vocabularies, and the encoder of the token columns of a data set.

mod encoder;
mod tokenizer;
mod vocabulary;

pub use encoder::{TokenEncoder, TokenVocabulary};
pub use tokenizer::Tokenizer;
pub use vocabulary::{Vocabulary, VocabularyConfig};
