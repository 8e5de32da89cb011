//! The division of a text into tokens.

use serde::{Deserialize, Serialize};

/// How a text is divided into tokens.
///
/// ```
/// use ragged_transforms::Tokenizer;
///
/// assert_eq!(Tokenizer::Words.split("Don't stop, please."), ["Don't", "stop", ",", "please", "."]);
/// assert_eq!(Tokenizer::WhiteSpace.split("stop,  please."), ["stop,", "please."]);
/// assert_eq!(Tokenizer::Characters.split("né 2"), ["n", "é", " ", "2"]);
/// assert_eq!(Tokenizer::Bytes.split("né"), ["0x6e", "0xc3", "0xa9"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokenizer {
    /// Words and punctuation. A word is a sequence of letters, digits, combining marks and underscores, with single
    /// apostrophes, hyphens, points and commas between two of these. Every other character except white space is a
    /// token of its own.
    #[default]
    Words,
    /// What is between white space.
    WhiteSpace,
    /// Each character (Unicode scalar value), white space included.
    Characters,
    /// Each byte of the text in UTF-8, written as `0x6e`.
    Bytes,
}

impl Tokenizer {
    /// Returns what the tokens are, in words.
    pub fn parts(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::WhiteSpace => "what is between white space",
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        }
    }

    /// Returns the tokens of a text, in order. An empty text has none.
    pub fn split(self, text: &str) -> Vec<String> {
        match self {
            Self::Words => words(text),
            Self::WhiteSpace => text.split_whitespace().map(str::to_string).collect(),
            Self::Characters => text.chars().map(String::from).collect(),
            Self::Bytes => text.bytes().map(|byte| format!("0x{byte:02x}")).collect(),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    let mut tokens = vec![];
    let mut word = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins =
            is_joiner(c) && !word.is_empty() && rest.peek().is_some_and(|&next| is_word(next));
        if is_word(c) || joins {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            tokens.push(c.into());
        }
    }
    if !word.is_empty() {
        tokens.push(word);
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// Whether a character belongs to the word before and after it.
fn is_joiner(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '-' | '.' | ',')
}

/// Whether a character is one of the general combining diacritical marks, which `char::is_alphanumeric` leaves out.
fn is_combining_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_what_joins_them() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(Tokenizer::Words.split(text), expected);
        }
        check("", &[]);
        check("  \t\n", &[]);
        check("pi is 3.14, not 3.", &["pi", "is", "3.14", ",", "not", "3", "."]);
        check("state-of-the-art -- really", &["state-of-the-art", "-", "-", "really"]);
        check("'quoted'", &["'", "quoted", "'"]);
        check("e\u{301}tude", &["e\u{301}tude"]);
        check("日本", &["日本"]);
    }

    proptest! {
        /// No tokeniser loses or adds a character other than white space.
        #[test]
        fn tokens_are_the_text(text in "\\PC{0,40}") {
            let without = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            for tokenizer in [Tokenizer::Words, Tokenizer::WhiteSpace, Tokenizer::Characters] {
                let tokens = tokenizer.split(&text);
                prop_assert!(tokens.iter().all(|token| !token.is_empty()));
                prop_assert_eq!(without(&tokens.concat()), without(&text));
            }
            prop_assert_eq!(Tokenizer::Characters.split(&text).concat(), text.clone());
            prop_assert_eq!(Tokenizer::Bytes.split(&text).len(), text.len());
        }
    }
}
