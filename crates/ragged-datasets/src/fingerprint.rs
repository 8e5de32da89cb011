//! A sum by which two copies of the same data are known, whatever files they come from.

use sha2::{Digest, Sha256};

use crate::{Dataset, InMemory, Target};

impl InMemory {
    /// The SHA-256 sum of all numbers and targets, as 64 hexadecimal digits.
    ///
    /// What is summed: for each example its length (u64), its values step by step (f32), and its
    /// target: labels as UTF-8 with a line end each, other targets as f32; numbers are little-endian,
    /// every NaN is `7fc00000`. So comments, headers, number formats and the order of the classes do
    /// not matter.
    pub fn fingerprint(&self) -> String {
        let mut sum = Sha256::new();
        let numbers = |sum: &mut Sha256, values: &[f32]| {
            for value in values {
                let value = if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { *value };
                sum.update(value.to_le_bytes());
            }
        };
        let labels = self.target_kind().labels().unwrap_or_default();
        let label = |sum: &mut Sha256, class: u32| {
            sum.update(labels[class as usize].as_bytes());
            sum.update(b"\n");
        };
        for example in self.examples() {
            sum.update((example.sequence.len() as u64).to_le_bytes());
            numbers(&mut sum, example.sequence.values());
            match &example.target {
                Target::Class(class) => label(&mut sum, *class),
                Target::StepClasses(classes) => {
                    classes.iter().for_each(|&class| label(&mut sum, class));
                }
                Target::Values(values) => numbers(&mut sum, values),
                Target::StepValues(values) => numbers(&mut sum, values.values()),
            }
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::{Format, ReadOptions, parse};

    #[test]
    fn a_fingerprint_is_of_what_is_said_and_not_of_how() {
        let sum = |text: &str, format| {
            parse(text.as_bytes(), format, &ReadOptions::default(), None).unwrap().fingerprint()
        };
        let ts = sum("# a comment\n@classLabel true b a\n@data\n1,2.50,?:a\n", Format::Ts);
        // By Python: sha256(pack("<Q3f", 3, 1, 2.5, nan) + b"a\n").
        assert_eq!(ts, "5a42034d0d625cd8a8286e6d2130fb2cf4849a2a90adec4d27d4e2d046c4af9d");
        let json = sum("{\"sequence\": [1, 25e-1, null], \"target\": \"a\"}", Format::JsonLines);
        assert_eq!(json, ts);
        let other = sum("@classLabel true b a\n@data\n1,2.5,?:b\n", Format::Ts);
        assert_ne!(other, ts);
    }
}
