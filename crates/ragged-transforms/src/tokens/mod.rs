//! Texts as indices: tokenisers, vocabularies, and the encoder of the token columns of a data set.

mod encoder;
mod statics;
mod tokenizer;
mod vocabulary;

pub use encoder::TokenEncoder;
pub use statics::{StaticEncoder, StaticNumber};
pub use tokenizer::Tokenizer;
pub use vocabulary::{TokenVocabulary, Vocabulary, VocabularyConfig};
