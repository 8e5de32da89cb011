//! The content of a `tokenizer.json` file, read by the crate `tokenizers`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ragged_transforms::Vocabulary;
use serde::Deserialize;
use tokenizers::{Model, PostProcessor};

/// The tokenizer of a file.
pub(super) struct Encoder(tokenizers::Tokenizer);

/// The parts of a file that the crate `tokenizers` does not check or does not give.
#[derive(Deserialize)]
struct Declared {
    model: DeclaredModel,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct DeclaredModel {
    #[serde(default)]
    unk_token: Option<String>,
    /// Of a model of type `Unigram`.
    #[serde(default)]
    unk_id: Option<u32>,
    #[serde(default)]
    dropout: Option<f64>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

impl Encoder {
    /// Reads the content of a file. Returns the tokenizer and its vocabulary, or what is wrong.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, Vocabulary), String> {
        let text = std::str::from_utf8(bytes).map_err(|error| no_tokenizer(&error))?;
        let declared: Declared =
            serde_json::from_str(text).map_err(|error| no_tokenizer(&error))?;
        let mut tokenizer: tokenizers::Tokenizer =
            caught(|| text.parse())?.map_err(|error: tokenizers::Error| no_tokenizer(&*error))?;
        // The steps of a sequence are its tokens, all of them and no others.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| no_tokenizer(&*error))?;
        let vocabulary = declared.vocabulary(&tokenizer)?;
        Ok((Self(tokenizer), vocabulary))
    }

    pub(super) fn special_tokens(&self) -> usize {
        self.0.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    pub(super) fn ids(&self, text: &str, special_tokens: bool) -> Result<Vec<u32>, String> {
        let encoding = caught(|| self.0.encode_fast(text, special_tokens))?;
        let encoding = encoding.map_err(|error| one_line(&*error))?;
        Ok(encoding.get_ids().to_vec())
    }
}

impl Declared {
    /// Returns the vocabulary of a tokenizer, if its indices are those that the file declares.
    fn vocabulary(self, tokenizer: &tokenizers::Tokenizer) -> Result<Vocabulary, String> {
        let Self { model, added_tokens } = self;
        if let Some(dropout) = model.dropout.filter(|&dropout| dropout != 0.0) {
            return Err(format!(
                "model.dropout is {dropout}, which makes the tokens of a text random: expected none"
            ));
        }
        for AddedToken { id, content } in
            added_tokens.iter().filter(|added| !added.content.is_empty())
        {
            let got = tokenizer.token_to_id(content);
            if got != Some(*id) {
                let got = got.map_or("none".into(), |id| id.to_string());
                return Err(format!(
                    "added token `{content}` is declared with id {id}, but the vocabulary before it gives it {got}"
                ));
            }
        }
        let unknown = match (model.unk_id, model.unk_token) {
            (Some(id), _) => Some(id),
            (None, Some(token)) => {
                let missing =
                    || format!("unk_token `{token}` is not in the vocabulary of the model");
                Some(tokenizer.get_model().token_to_id(&token).ok_or_else(missing)?)
            }
            (None, None) => None,
        };
        // Sorted, so that an error is the same in every run.
        let mut tokens: Vec<(String, u32)> = tokenizer.get_vocab(true).into_iter().collect();
        tokens.sort_unstable_by(|(a, i), (b, k)| i.cmp(k).then_with(|| a.cmp(b)));
        if tokens.is_empty() {
            return Err("its vocabulary is empty: expected at least one token".into());
        }
        Vocabulary::with_indices(tokens, unknown).map_err(|error| error.to_string())
    }
}

/// Calls the library, some of whose parts panic where a damaged file contradicts itself.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
        "the tokenizer panicked: expected a file that does not contradict itself".into()
    })
}

fn no_tokenizer(error: &dyn std::error::Error) -> String {
    format!("no tokenizer.json of Hugging Face: {}", one_line(error))
}

fn one_line(error: &dyn std::error::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
