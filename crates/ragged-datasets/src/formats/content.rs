//! What a person should know about the content of training data, whatever its format.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::example::{Example, Target};
use crate::formats::feature_names::list;
use crate::tokens::step_tokens::StepTokens;

/// The number of sequences from which a repetition is worth a note. A few short ones can be equal by
/// chance, and a person sees it.
const MANY: usize = 10;

/// Returns notes about features that are constant and about sequences that occur more than once.
pub(super) fn notes<'a>(
    examples: &[Example],
    features: usize,
    name: impl Fn(usize) -> Option<&'a str>,
) -> Vec<String> {
    let name = |k: usize| name(k).map_or_else(|| (k + 1).to_string(), |name| format!("`{name}`"));
    let constant: Vec<String> =
        constant_features(examples, features).into_iter().map(name).collect();
    let mut notes = vec![];
    if !constant.is_empty() && constant.len() < features {
        let all = list(constant.iter().map(String::as_str));
        notes.push(match constant.len() {
            1 => format!("feature {all} has the same value in every step"),
            _ => format!("features {all} have the same value in every step"),
        });
    }
    if let Some((first, second, count)) = repetitions(examples) {
        let total = examples.len();
        let (first, second) = (first + 1, second + 1);
        notes.push(match count {
            1 => format!("sequence {second} repeats sequence {first}: same values, same target"),
            _ => format!(
                "{count} of {total} sequences repeat another one, such as sequence {second}, which \
                 has the values and the target of sequence {first}"
            ),
        });
    }
    notes
}

/// Returns the features that have one value in all of at least two steps.
fn constant_features(examples: &[Example], features: usize) -> Vec<usize> {
    let mut first: Vec<Option<f64>> = vec![None; features];
    let mut constant = vec![true; features];
    let mut count = 0;
    for value in examples.iter().flat_map(|example| example.sequence.wide_values()) {
        let k = count % features;
        constant[k] &= *first[k].get_or_insert(value) == value;
        count += 1;
    }
    let more = count > features;
    (0..features).filter(|&k| more && constant[k]).collect()
}

/// Returns the first sequence of more than one step that occurs again, where it does so, and the number
/// of all that repeat an earlier one. `None` for a few sequences.
fn repetitions(examples: &[Example]) -> Option<(usize, usize, usize)> {
    if examples.len() < MANY {
        return None;
    }
    let mut seen: HashMap<u64, usize> = HashMap::with_capacity(examples.len());
    let mut found: Option<(usize, usize, usize)> = None;
    for (index, example) in examples.iter().enumerate().filter(|(_, e)| e.sequence.len() > 1) {
        let mut hasher = DefaultHasher::new();
        bits(example).for_each(|value| value.hash(&mut hasher));
        example.sequence.tokens().map(StepTokens::ids).hash(&mut hasher);
        match &example.target {
            Target::Class(class) => class.hash(&mut hasher),
            Target::StepClasses(classes) | Target::Labels(classes) => classes.hash(&mut hasher),
            Target::Values(values) => hash_values(values, &mut hasher),
            Target::StepValues(values) => hash_values(values.values(), &mut hasher),
        }
        let first = *seen.entry(hasher.finish()).or_insert(index);
        let earlier = &examples[first];
        let same_tokens = earlier.sequence.tokens() == example.sequence.tokens();
        let same_statics = earlier.sequence.statics() == example.sequence.statics();
        let same_input = same_tokens && same_statics && bits(earlier).eq(bits(example));
        if first != index && same_input && earlier.target == example.target {
            let (_, _, count) = found.get_or_insert((first, index, 0));
            *count += 1;
        }
    }
    found
}

fn hash_values(values: &[f32], hasher: &mut impl Hasher) {
    values.iter().for_each(|value| value.to_bits().hash(hasher));
}

fn bits(example: &Example) -> impl Iterator<Item = u32> {
    example.sequence.values().iter().map(|value| value.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Sequence;

    fn example(values: &[f32], class: u32) -> Example {
        Example::new(Sequence::new(values.to_vec(), 2).unwrap(), Target::Class(class))
    }

    /// Ten sequences that differ.
    fn examples() -> Vec<Example> {
        (0..10u8).map(|k| example(&[f32::from(k), 1.0, 3.0, 2.0], 0)).collect()
    }

    fn notes_of(examples: &[Example]) -> Vec<String> {
        notes(examples, 2, |k| [Some("speed"), Some("mass")][k])
    }

    #[test]
    fn a_constant_feature_is_noted() {
        assert!(notes_of(&examples()).is_empty());
        let values = [example(&[1.0, 7.0, 2.0, 7.0], 0), example(&[3.0, 7.0], 1)];
        assert_eq!(notes_of(&values), ["feature `mass` has the same value in every step"]);
        // One step says nothing, and where nothing varies, the note would be about the whole file.
        assert!(notes_of(&values[1..]).is_empty());
        assert!(notes_of(&[example(&[1.0, 7.0, 1.0, 7.0], 0)]).is_empty());
    }

    #[test]
    fn a_repeated_sequence_is_noted() {
        let mut values = examples();
        values.push(example(&[4.0, 1.0, 3.0, 2.0], 1));
        assert!(notes_of(&values).is_empty(), "another target");
        let mut both = values.clone();
        both.push(example(&[4.0, 1.0, 3.0, 2.0], 1));
        let note = "sequence 12 repeats sequence 11: same values, same target";
        assert_eq!(notes_of(&both), [note], "the first sequence has another target");
        values.push(example(&[4.0, 1.0, 3.0, 2.0], 0));
        let note = "sequence 12 repeats sequence 5: same values, same target";
        assert_eq!(notes_of(&values), [note]);
        values.push(example(&[4.0, 1.0, 3.0, 2.0], 0));
        let note = "2 of 13 sequences repeat another one, such as sequence 12, which has the values and \
                    the target of sequence 5";
        assert_eq!(notes_of(&values), [note]);
    }
}
