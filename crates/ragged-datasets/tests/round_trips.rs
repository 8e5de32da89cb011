//! Round trips through every format, for data of any content, and bytes of any content.

use proptest::prelude::*;
use ragged_datasets::formats::{self, Format, ReadOptions, Schema, Task};
use ragged_datasets::{Dataset, Example, InMemory, Sequence, Target, TargetKind};

/// The formats of this build.
fn supported() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| format.is_supported())
}

/// The examples, with one bit pattern for NaN so that they can be compared.
fn content(data: &InMemory) -> Vec<(Vec<u32>, usize, Target)> {
    let bits = |v: &f32| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() };
    data.examples()
        .iter()
        .map(|e| {
            let values = e.sequence.values().iter().map(bits).collect();
            (values, e.sequence.features(), e.target.clone())
        })
        .collect()
}

/// Returns the labels or the numbers of a target.
fn labels(data: &InMemory, target: &Target) -> Vec<String> {
    let label = |class: &u32| data.target_kind().labels().unwrap()[*class as usize].clone();
    match target {
        Target::Class(class) => vec![label(class)],
        Target::StepClasses(classes) | Target::Labels(classes) => {
            classes.iter().map(label).collect()
        }
        Target::Values(values) => values.iter().map(f32::to_string).collect(),
        Target::StepValues(values) => values.values().iter().map(f32::to_string).collect(),
    }
}

fn number() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("finite", |v| v.is_finite())
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![9 => number(), 1 => Just(f32::NAN)]
}

/// Kinds of targets, with labels that are words or numbers and contain characters that need quotes.
fn kind(per_step: bool) -> impl Strategy<Value = TargetKind> {
    let words = || vec!["b".to_string(), "é,\"x\"".into(), "1".into()];
    let digits = || vec!["2".to_string(), "-1".into(), "10".into()];
    if per_step {
        prop_oneof![
            Just(TargetKind::StepClasses(words())),
            Just(TargetKind::StepClasses(digits())),
            (1..4usize).prop_map(TargetKind::StepValues),
        ]
        .boxed()
    } else {
        prop_oneof![
            Just(TargetKind::Classes(words())),
            Just(TargetKind::Classes(digits())),
            (0..4usize).prop_map(TargetKind::Values),
        ]
        .boxed()
    }
}

fn target(kind: &TargetKind, length: usize) -> BoxedStrategy<Target> {
    match kind {
        TargetKind::Classes(labels) => (0..labels.len() as u32).prop_map(Target::Class).boxed(),
        TargetKind::Values(count) => {
            prop::collection::vec(number(), *count).prop_map(Target::Values).boxed()
        }
        TargetKind::StepClasses(labels) => {
            let class = 0..labels.len() as u32;
            prop::collection::vec(class, length).prop_map(Target::StepClasses).boxed()
        }
        TargetKind::Labels(labels) => {
            let label = 0..labels.len() as u32;
            prop::collection::vec(label, 0..6).prop_map(Target::Labels).boxed()
        }
        // Only JSON lines hold them: `tests/parts.rs`.
        TargetKind::Parts { .. } => unreachable!("no strategy makes parts"),
        TargetKind::StepValues(count) => {
            let count = *count;
            let values = prop::collection::vec(number(), length * count);
            let target = move |v| Target::StepValues(Sequence::new(v, count).unwrap());
            values.prop_map(target).boxed()
        }
    }
}

fn data(shortest: usize) -> impl Strategy<Value = InMemory> {
    (any::<bool>().prop_flat_map(kind), 1..4usize).prop_flat_map(move |(kind, features)| {
        let of = kind.clone();
        let example = (shortest..6).prop_flat_map(move |length| {
            let values = prop::collection::vec(value(), length * features);
            (values, target(&of, length)).prop_map(move |(values, target)| {
                Example::new(Sequence::new(values, features).unwrap(), target)
            })
        });
        let examples = prop::collection::vec(example, 1..6);
        examples.prop_map(move |examples| InMemory::new(examples, kind.clone()).unwrap())
    })
}

proptest! {
    #[test]
    fn every_format_preserves_the_data(data in data(1)) {
        let kind = data.target_kind();
        for format in supported() {
            let bytes = match formats::to_bytes(&data, format) {
                Ok(bytes) => bytes,
                // The format holds one target per series, and labels without white space.
                Err(error) if format == Format::Ts => {
                    prop_assert!(error.to_string().contains("cannot hold"), "{}", error);
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let back = formats::parse(&bytes, format, &ReadOptions::default(), Some(&Schema::from(kind))).unwrap();
            prop_assert_eq!(content(&back), content(&data), "{:?}", format);
            prop_assert_eq!(back.target_kind(), kind);
            // Without targets, the sequences are the same.
            let blind =
                formats::parse(&bytes, format, &ReadOptions::default(), Some(&Schema::from(&TargetKind::NONE)));
            let blind = blind.unwrap();
            let sequences = |data: &InMemory| content(data).into_iter().map(|c| c.0).collect::<Vec<_>>();
            prop_assert_eq!(sequences(&blind), sequences(&data));
            prop_assert_eq!(blind.target_kind(), &TargetKind::NONE);
        }
    }

    /// Without a schema, so that everything comes from the file. A file says nothing about labels that do not
    /// occur in it, and whether numbers are labels is for the task to say.
    #[test]
    fn names_ids_and_the_task_come_back_from_every_format(
        data in data(1),
        names in prop::collection::hash_set("[a-zé][a-z0-9 _.é\"',]{0,8}[a-z]", 4),
        ids in prop::collection::hash_set("[a-zé0-9][a-z0-9 ,\"é]{0,8}[a-z0-9]", 6),
    ) {
        let names = names.into_iter().take(data.features()).map(|name| format!("f {name}")).collect();
        let ids = ids.into_iter().take(data.len()).collect();
        let data = data.with_feature_names(Some(names)).unwrap().with_ids(Some(ids)).unwrap();
        let task = Task::of(data.target_kind());
        let options = ReadOptions { task, ..ReadOptions::default() };
        for format in supported().filter(|format| *format != Format::Ts) {
            let bytes = formats::to_bytes(&data, format).unwrap();
            let back = formats::parse(&bytes, format, &options, None).unwrap();
            prop_assert_eq!(back.feature_names(), data.feature_names(), "{:?}", format);
            prop_assert_eq!(back.ids(), data.ids(), "{:?}", format);
            prop_assert_eq!(Task::of(back.target_kind()), task, "{:?}", format);
            prop_assert_eq!(back.target_kind().outputs().min(1), data.target_kind().outputs().min(1));
            for (a, b) in back.examples().iter().zip(data.examples()) {
                prop_assert_eq!(labels(&back, &a.target), labels(&data, &b.target), "{:?}", format);
            }
            let values = |data: &InMemory| content(data).into_iter().map(|c| (c.0, c.1)).collect::<Vec<_>>();
            prop_assert_eq!(values(&back), values(&data), "{:?}", format);
        }
    }

    /// Tables cannot represent such sequences; the other formats can.
    #[test]
    fn sequences_without_a_step_are_preserved(data in data(0)) {
        let some_step = data.examples().iter().any(|e| !e.sequence.is_empty());
        for format in supported().filter(|format| ![Format::Ts, Format::Csv].contains(format)) {
            if format == Format::JsonLines && !some_step {
                continue;
            }
            let bytes = formats::to_bytes(&data, format).unwrap();
            let back = formats::parse(&bytes, format, &ReadOptions::default(), Some(&Schema::of(&data)));
            prop_assert_eq!(content(&back.unwrap()), content(&data), "{:?}", format);
        }
    }

    /// From every format to every other one.
    #[test]
    fn converted_files_have_the_same_examples(data in data(1), from in 0..6usize, to in 0..6usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = |k: usize| folder.path().join(format!("{k}.{}", Format::ALL[k % 6].name()));
        let (from, to) = (path(from), path(6 + to));
        prop_assume!(Format::of(&from).unwrap().is_supported() && Format::of(&to).unwrap().is_supported());
        let mut before = data;
        for path in [from, to] {
            match formats::write_verified(&path, &before) {
                Ok(task) => {
                    let options = ReadOptions { task, ..ReadOptions::default() };
                    let after = formats::read(&path, &options).unwrap();
                    prop_assert_eq!(after.fingerprint(), before.fingerprint());
                    before = after;
                }
                Err(error) => {
                    prop_assert!(error.to_string().contains(" hold "), "{}", error);
                    prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().filter(|f| {
                        f.as_ref().unwrap().path() == path
                    }).count(), 0);
                    break;
                }
            }
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in supported() {
            let _ = formats::parse(&bytes, format, &ReadOptions::default(), None);
        }
    }

    #[test]
    fn no_damage_causes_a_panic(
        data in data(1),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep: prop::sample::Index,
        cut: bool,
    ) {
        for format in supported() {
            let Ok(mut bytes) = formats::to_bytes(&data, format) else { continue };
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if cut {
                bytes.truncate(keep.index(bytes.len()));
            }
            let _ = formats::parse(&bytes, format, &ReadOptions::default(), None);
        }
    }
}
