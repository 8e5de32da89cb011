//! The tokens of a line.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::tokens::text_tokenizer::Splitter;

/// The name of the column of the tokens of a line.
pub(super) const COLUMN: &str = "tokens";

/// A token: a text, or a whole number, which counts by its digits.
pub(super) struct Token(String);

/// Returns the tokens of a line, or `None` if it has none.
pub(super) fn tokens(
    text: Option<String>,
    tokens: Option<Vec<Token>>,
    splitter: &Splitter,
) -> Result<Option<Vec<String>>, String> {
    match (text, tokens) {
        (Some(_), Some(_)) => Err("expected `text` or `tokens`, got both".into()),
        (Some(text), None) => splitter.split(&text).map(Some),
        (None, Some(tokens)) => Ok(Some(tokens.into_iter().map(|token| token.0).collect())),
        (None, None) => Ok(None),
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = Token;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a token: a text or a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Token, E> {
                Ok(Token(text.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Token, E> {
                Ok(Token(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Token, E> {
                Ok(Token(number.to_string()))
            }
        }
        deserializer.deserialize_any(One)
    }
}
