//! Word vectors in text files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ragged_transforms::Vocabulary;

use crate::error::{Error, Location, Result};

/// The vectors of the entries of a vocabulary, as far as a file has them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordVectors {
    /// E, the number of values of a vector; 0 for an empty file.
    pub size: usize,
    /// The indices in the vocabulary that have a vector, each once.
    pub indices: Vec<u32>,
    /// Their vectors, row-major `[indices, E]`.
    pub values: Vec<f32>,
}

/// Reads the vectors of the entries of a vocabulary from a text file: a word and its values in each line, separated by
/// spaces, as GloVe writes them; perhaps after a line with the number of words and of values, as word2vec and fastText
/// write it. Of several words that are the same entry, such as `The` and `the`, the first one counts.
///
/// # Errors
///
/// [`Error::File`] if the file cannot be read, [`Error::Parse`] with line for a vector of another size and for a value
/// that is not a finite number.
///
/// ```
/// use ragged_datasets::tokens::{Vocabulary, read_word_vectors};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("vectors.txt");
/// std::fs::write(&path, "3 2\nthe 0.5 1\nThe 7 7\ncat -1 2e-1\n")?;
/// let vocabulary = Vocabulary::new(vec!["cat".into(), "dog".into(), "the".into()], true)?;
/// let vectors = read_word_vectors(&path, &vocabulary)?;
/// assert_eq!((vectors.size, vectors.indices), (2, vec![3, 1]));
/// assert_eq!(vectors.values, [0.5, 1.0, -1.0, 0.2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_word_vectors(path: &Path, vocabulary: &Vocabulary) -> Result<WordVectors> {
    let failed = |error| Error::file(path, error);
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("expected a regular file")));
    }
    read(BufReader::new(file), vocabulary).map_err(|error| error.in_file(path))
}

fn read(mut input: impl BufRead, vocabulary: &Vocabulary) -> Result<WordVectors> {
    let mut vectors = WordVectors::default();
    let mut known = vec![false; vocabulary.len()];
    let (mut bytes, mut number) = (vec![], 0);
    loop {
        bytes.clear();
        let at = |number: usize| Location::Line { line: number, column: 1 };
        let read = input.read_until(b'\n', &mut bytes);
        if read.map_err(|error| at(number + 1).caused_by(error.to_string(), error))? == 0 {
            return Ok(vectors);
        }
        number += 1;
        let line = std::str::from_utf8(&bytes).map_err(|_| at(number).error("invalid UTF-8"))?;
        let fields: Vec<&str> = line.trim_end().split(' ').collect();
        let is_header =
            number == 1 && fields.len() == 2 && fields.iter().all(|n| n.parse::<usize>().is_ok());
        if fields == [""] || is_header {
            continue;
        }
        if vectors.size == 0 {
            vectors.size = fields.len() - 1;
        }
        let Some(words) =
            fields.len().checked_sub(vectors.size).filter(|&words| words > 0 && vectors.size > 0)
        else {
            let expected = vectors.size.max(1);
            let reason =
                format!("expected a word and {expected} values, got {} fields", fields.len());
            return Err(at(number).error(reason));
        };
        // Some collections have words with spaces in them.
        let Some(index) = vocabulary.entry(&fields[..words].join(" ")) else { continue };
        if std::mem::replace(&mut known[index as usize], true) {
            continue;
        }
        vectors.indices.push(index);
        for field in &fields[words..] {
            let value = field.parse::<f32>().ok().filter(|value| value.is_finite());
            let reason = || at(number).error(format!("expected a finite number, got `{field}`"));
            vectors.values.push(value.ok_or_else(reason)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(text: &str) -> Result<WordVectors> {
        let vocabulary =
            Vocabulary::new(vec!["a".into(), "b c".into(), "7".into()], false).unwrap();
        read(text.as_bytes(), &vocabulary)
    }

    #[test]
    fn words_may_have_spaces_and_be_numbers() {
        let got = vectors("a 1 2\nx 3 4\nb c 5 6\n7 8 9\n").unwrap();
        assert_eq!((got.indices, got.values), (vec![1, 2, 3], vec![1.0, 2.0, 5.0, 6.0, 8.0, 9.0]));
        assert_eq!(vectors("").unwrap(), WordVectors::default());
    }

    #[test]
    fn lines_that_are_no_vector_are_named() {
        let error = |text: &str| vectors(text).unwrap_err().to_string();
        let message = "line 2, column 1: expected a word and 2 values, got 2 fields";
        assert_eq!(error("a 1 2\nx 3\n"), message);
        assert_eq!(error("a\n"), "line 1, column 1: expected a word and 1 values, got 1 fields");
        let message = "line 1, column 1: expected a finite number, got `nan`";
        assert_eq!(error("a 1 nan\n"), message);
        // Values of words that are not in the vocabulary are not read.
        assert!(vectors("x 1 nan\n").is_ok());
    }
}
