//! Recognition of encodings other than UTF-8.

/// Returns an error for the beginning of a text in UTF-16, which spreadsheets call Unicode.
pub(super) fn check_not_utf16(start: &[u8]) -> Result<(), &'static str> {
    match start {
        // A byte order mark, or a character of ASCII in either byte order.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            Err("expected a text in UTF-8, got UTF-16: save the file as UTF-8")
        }
        _ => Ok(()),
    }
}
