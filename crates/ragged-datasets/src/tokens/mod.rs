//! Tokens of sequences, such as words and categories, and their vocabularies.

pub(crate) mod column;
pub(crate) mod encoded;
pub(crate) mod fit;
pub(crate) mod statics;
pub(crate) mod step_tokens;
pub(crate) mod text_tokenizer;
pub(crate) mod tokenizer_file;
#[cfg(feature = "tokenizers")]
mod tokenizer_json;
#[cfg(not(feature = "tokenizers"))]
#[path = "no_tokenizer_json.rs"]
mod tokenizer_json;
pub(crate) mod word_vectors;

pub use column::TokenColumn;
pub use encoded::Encoded;
pub use fit::{fit_vocabularies, with_tokenizer};
pub use ragged_transforms::{
    StaticEncoder, StaticNumber, TokenEncoder, TokenVocabulary, Tokenizer, Vocabulary,
    VocabularyConfig,
};
pub use statics::{StaticColumns, Statics};
pub use step_tokens::StepTokens;
pub use text_tokenizer::TextTokenizer;
pub use tokenizer_file::TokenizerFile;
pub use word_vectors::{WordVectors, read_word_vectors};
