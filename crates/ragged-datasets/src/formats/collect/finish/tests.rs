//! What is decided from a summary of the targets is what loops over all of them decide.

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::error::Location;
use crate::formats::collect::Collector;
use crate::formats::collect::finish::Labels;
use crate::formats::collect::finish::reference::{Targets, resolved_target};
use crate::formats::column::Role;
use crate::formats::field::{Field, RawTarget, Value};
use crate::formats::options::ReadOptions;
use crate::formats::raw_sequence::RawSequence;
use crate::formats::task::Task;
use crate::target_kind::TargetKind;

fn value() -> impl Strategy<Value = Value> {
    let texts = ["walk", "run", "Run ", "1", "0", "nan"].map(|text| Value::Text(text.into()));
    let cells = ["", "NA", "?", "1", "1.0", "0", "-0", "2", "0,5", "1e60", "inf", "walk", "Walk "];
    let cells = cells.map(|text| Value::Cell(text.into()));
    let numbers = [f64::NAN, 0.0, -0.0, 1.0, 0.5, 1e39].map(Value::Number);
    let whole = [0, 1, 7].map(Value::Integer).into_iter().chain([0, 3].map(Value::Code));
    let kinds = [texts.to_vec(), cells.to_vec(), numbers.to_vec(), whole.collect::<Vec<_>>()];
    (0..4usize).prop_flat_map(move |kind| prop::sample::select(kinds[kind].clone()))
}

/// The values of a data set: mostly of one kind, as those of real ones.
fn values() -> impl Strategy<Value = Vec<Value>> {
    let binary = ["0", "1", "1.0"].map(|text| Value::Cell(text.into())).to_vec();
    let typed = [0.0, 1.0, -0.0].map(Value::Number).to_vec();
    let some = prop::collection::vec(value(), 1..4);
    prop_oneof![4 => some, 1 => Just(binary), 1 => Just(typed)]
}

/// The form of a target, the number of its rows and columns, and which values it has.
type Draw = (usize, usize, usize, Vec<usize>);

#[derive(Debug, Clone)]
struct Case {
    task: Option<Task>,
    wants_parts: bool,
    /// Whether the columns `a` and `b` are numbers by the configuration.
    declared: [Option<bool>; 2],
    values: Vec<Value>,
    /// The names of the targets of each file, and its targets.
    files: Vec<(Vec<&'static str>, Vec<Draw>)>,
}

fn case() -> impl Strategy<Value = Case> {
    let task = [
        Task::Classification,
        Task::Regression,
        Task::SequenceLabelling,
        Task::StepRegression,
        Task::Transcription,
    ];
    let task = prop::option::weighted(0.3, prop::sample::select(task.to_vec()));
    let declared = || prop::option::weighted(0.2, any::<bool>());
    let forms = prop::collection::vec(0..7usize, 1..3);
    forms.prop_flat_map(move |forms| {
        let picks = prop::collection::vec(0..4usize, 12);
        let form = prop::sample::select(forms);
        let rows = prop_oneof![3 => Just(1), 1 => Just(0), 4 => 2..4usize];
        let target = (form, rows, 1..4usize, picks);
        let names = prop_oneof![
            3 => Just(vec!["a"]),
            3 => Just(vec!["a", "b"]),
            1 => Just(vec!["b", "a"]),
            1 => Just(vec!["c"]),
        ];
        let file = (names, prop::collection::vec(target, 0..6));
        let files = prop::collection::vec(file, 1..3);
        (task.clone(), prop::bool::weighted(0.1), [declared(), declared()], values(), files)
            .prop_map(|(task, wants_parts, declared, values, files)| Case {
                task,
                wants_parts,
                declared,
                values,
                files,
            })
    })
}

/// Collects the targets of a case. `None` if a reader refuses them before.
fn collect(case: &Case) -> Option<Collector<'static>> {
    let options = ReadOptions { task: case.task, parts: case.wants_parts, ..Default::default() };
    let mut collector = Collector::new(&options, None);
    for (name, numbers) in ["a", "b"].into_iter().zip(case.declared) {
        numbers.into_iter().for_each(|numbers| collector.targets().declare(name, numbers));
    }
    let mut line = 0;
    for (index, (names, draws)) in case.files.iter().enumerate() {
        collector.begin(Path::new(["first", "second"][index]));
        collector.column("target", Role::Target, "");
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        // A table names its targets.
        let is_table = draws.iter().any(|(form, ..)| *form > 4);
        let order = is_table.then(|| collector.targets().order(&names, false));
        order.transpose().ok()?;
        for (form, count, width, picks) in draws {
            let mut picks = picks.iter().cycle();
            let mut row = |width: usize| -> Vec<Field> {
                let field = |column| {
                    line += 1;
                    let pick = picks.next().copied().unwrap_or(0);
                    let value = case.values[pick % case.values.len()].clone();
                    Field::new(value, Location::Line { line, column })
                };
                (1..=width).map(field).collect()
            };
            let rows = |width: usize, row: &mut dyn FnMut(usize) -> Vec<Field>| {
                (0..*count).map(|_| row(width)).collect()
            };
            let target = match form {
                0 => RawTarget::None,
                1 => RawTarget::One(row(1).pop()?),
                2 => RawTarget::Many(row(*width)),
                3 => RawTarget::Rows(rows(*width, &mut row)),
                4 => RawTarget::Named {
                    rows: if *count > 1 {
                        rows(names.len(), &mut row)
                    } else {
                        vec![row(names.len())]
                    },
                    names: names.clone(),
                    listed: *count > 1,
                },
                _ => RawTarget::Column(rows(names.len(), &mut row)),
            };
            let length = match form {
                2 => *width,
                3.. => *count,
                _ => 2,
            };
            let sequence = RawSequence {
                id: None,
                values: vec![0.0; length],
                features: Some(1),
                tokens: vec![],
                statics: None,
                target,
                location: Location::Whole,
            };
            collector.push(sequence).ok()?;
        }
    }
    Some(collector)
}

/// Converts all targets to a kind.
fn convert(collector: &Collector, kind: &TargetKind) -> Result<String, String> {
    let labels = Labels::new(kind);
    let target = |(file, sequence): &(usize, RawSequence)| {
        let target = labels.target(sequence, sequence.values.len());
        target.map_err(|error| collector.in_file(*file, error).to_string())
    };
    // NaN is equal to NaN as a text.
    Ok(format!("{:?}", collector.sequences.iter().map(target).collect::<Result<Vec<_>, _>>()?))
}

/// Compares the decisions and the targets. Returns the name of the kind, or none for an error.
fn check(case: &Case) -> Option<String> {
    let mut collector = collect(case)?;
    let raw: Vec<(usize, RawTarget)> = {
        let all = collector.sequences.iter();
        all.map(|(file, sequence)| (*file, sequence.target.clone())).collect()
    };
    let targets = Targets(raw.iter().map(|(file, target)| (*file, target)).collect());
    let expected = targets.decide(case.task, case.wants_parts, &collector.targets);
    let expected = expected.map_err(|(file, error)| collector.in_file(file, error).to_string());
    let got = collector.decide().map_err(|error| error.to_string());
    let got = got.and_then(|kind| {
        let content = collector.columns.first().map_or(String::new(), |c| c.content.clone());
        let targets = convert(&collector, &kind)?;
        Ok(((kind, collector.content_notes.clone(), content), targets))
    });
    let expected = expected.and_then(|decision| {
        let (kind, ..) = &decision;
        for ((_, sequence), (_, raw)) in collector.sequences.iter_mut().zip(&raw) {
            sequence.target = match kind.parts().is_empty() {
                true => resolved_target(raw, kind.is_per_step()).unwrap(),
                false => raw.clone(),
            };
        }
        let targets = convert(&collector, kind)?;
        Ok((decision, targets))
    });
    assert_eq!(got, expected);
    let ((kind, ..), _) = got.ok()?;
    format!("{kind:?}").split(['(', ' ']).next().map(String::from)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_summary_decides_what_all_targets_decide(case in case()) {
        check(&case);
    }
}

/// The cases are not all of one kind, or wrong.
#[test]
fn all_kinds_are_drawn() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..3000 {
        let tree = case().new_tree(&mut runner).unwrap();
        found.insert(check(&tree.current()).unwrap_or_default());
    }
    let kinds = ["", "Classes", "Labels", "Parts", "StepClasses", "StepValues", "Values"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), kinds);
}
