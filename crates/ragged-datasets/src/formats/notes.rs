//! The notes on several files.

use std::path::PathBuf;

/// Returns the distinct notes, each of which has the index of its file, with the first of its files if there are
/// several files.
pub(super) fn distinct(
    notes: &[(usize, String)],
    files: &[PathBuf],
) -> impl Iterator<Item = String> {
    let mut found: Vec<(usize, &str, usize)> = vec![];
    for (file, text) in notes {
        match found.iter_mut().find(|(_, known, _)| known == text) {
            Some((_, _, count)) => *count += 1,
            None => found.push((*file, text, 1)),
        }
    }
    let note = |(file, text, count): (usize, &str, usize)| match files.get(file) {
        Some(path) if files.len() > 1 => {
            let path = path.display();
            let others = count - 1;
            let more =
                if others > 0 { format!(" and {others} other files") } else { String::new() };
            format!("{path}{more}: {text}")
        }
        _ => text.to_string(),
    };
    found.into_iter().map(note).collect::<Vec<_>>().into_iter()
}
