//! Known contents of the data sets that `configs/` names.

/// A part of a data set, and the SHA-256 sum of its values and labels.
type Fingerprint = (&'static str, &'static str);

/// The parts of each data set. The sums are those of the contents, not of the files, so they are
/// independent of how the archive is compressed.
const FINGERPRINTS: [(&str, [Fingerprint; 2]); 1] = [(
    "JapaneseVowels",
    [
        ("TRAIN", "6495ed8ad0754c0b692ac21db9ef127baec89bed950a423819ef7ecd44009e06"),
        ("TEST", "47190e3df32ac5848b00c956e0ebcc48e0b2b52676383369b5575d425243c824"),
    ],
)];

/// Returns the fingerprints of a data set, if they are known.
pub(super) fn of(name: &str) -> Option<&'static [Fingerprint; 2]> {
    FINGERPRINTS.iter().find(|(known, _)| *known == name).map(|(_, parts)| parts)
}
