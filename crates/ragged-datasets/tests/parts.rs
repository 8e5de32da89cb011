//! Several targets of kinds of their own, from tables and from objects of JSON lines.

use proptest::prelude::*;
use ragged_datasets::formats::{
    self, ColumnType, CsvColumns, Format, ReadOptions, Role, Schema, Task,
};
use ragged_datasets::{
    Dataset, Example, InMemory, PartKind, Result, Sequence, Target, TargetKind, TargetPart,
};

fn part(name: &str, labels: &[&str]) -> TargetPart {
    let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
    let kind = if labels.is_empty() { PartKind::Values } else { PartKind::Classes(labels) };
    TargetPart { name: name.into(), kind }
}

fn parts(parts: Vec<TargetPart>, per_step: bool) -> TargetKind {
    TargetKind::Parts { parts, per_step }
}

fn options(targets: &[&str], types: &[(&str, ColumnType)]) -> ReadOptions {
    let targets = targets.iter().map(|name| name.to_string()).collect();
    let types = types.iter().map(|(name, given)| (name.to_string(), *given)).collect();
    let csv = CsvColumns { targets: Some(targets), types, ..Default::default() };
    ReadOptions { csv, ..Default::default() }
}

fn table(text: &str, options: &ReadOptions) -> Result<InMemory> {
    formats::parse(text.as_bytes(), Format::Csv, options, None)
}

fn lines(text: &str) -> Result<InMemory> {
    formats::parse(text.as_bytes(), Format::JsonLines, &ReadOptions::default(), None)
}

/// The targets row by row, with -1 for NaN.
fn targets(data: &InMemory) -> Vec<Vec<f32>> {
    let known =
        |values: &[f32]| values.iter().map(|v| if v.is_nan() { -1.0 } else { *v }).collect();
    data.examples()
        .iter()
        .map(|example| match &example.target {
            Target::Values(values) => known(values),
            Target::StepValues(values) => known(values.values()),
            other => panic!("{other:?}"),
        })
        .collect()
}

const PER_SERIES: &str =
    "series_id,x,activity,speed\na,1,walk,1.5\na,2,walk,1.5\nb,3,run,\nb,4,,\nc,5,,9\n";
const PER_STEP: &str = "series_id,x,activity,speed\na,1,walk,1.5\na,2,run,NA\nb,3,,3\n";

#[test]
fn columns_of_several_kinds_are_parts() {
    let data = table(PER_SERIES, &options(&["activity", "speed"], &[])).unwrap();
    let kind = parts(vec![part("activity", &["run", "walk"]), part("speed", &[])], false);
    assert_eq!(data.target_kind(), &kind);
    assert_eq!(targets(&data), [[1.0, 1.5], [0.0, -1.0], [-1.0, 9.0]]);
    assert_eq!(
        data.target_summary(),
        "target: 2 parts: activity, 2 classes: run, walk; speed, values from 1.5 to 9"
    );
    let missing = |name| format!("target: 1 of 3 values of `{name}` are missing, and do not count");
    assert_eq!(data.notes(), [missing("activity"), missing("speed")]);
    let content: Vec<_> = data.columns().iter().filter(|c| c.role == Role::Target).collect();
    assert_eq!(content[0].to_string(), "target: names of classes, one for each sequence");
    assert_eq!(content[1].to_string(), "target: numbers, one for each sequence");
}

#[test]
fn targets_that_change_are_per_step_for_all_parts() {
    let data = table(PER_STEP, &options(&["activity", "speed"], &[])).unwrap();
    assert!(data.target_kind().is_per_step());
    assert_eq!(targets(&data), [vec![1.0, 1.5, 0.0, -1.0], vec![-1.0, 3.0]]);
}

#[test]
fn the_same_targets_are_the_same_data_in_json_lines() {
    let per_series = "{\"sequence\": [1, 2], \"target\": {\"activity\": \"walk\", \"speed\": 1.5}}\n\
                      {\"sequence\": [3, 4], \"target\": {\"speed\": null, \"activity\": \"run\"}}\n\
                      {\"sequence\": [5], \"target\": {\"activity\": null, \"speed\": 9}}\n";
    let per_step = "{\"sequence\": [1, 2], \"target\": {\"activity\": [\"walk\", \"run\"], \"speed\": [1.5, null]}}\n\
                    {\"sequence\": [3], \"target\": {\"activity\": [null], \"speed\": [3]}}\n";
    for (text, rows) in [(per_series, PER_SERIES), (per_step, PER_STEP)] {
        let (read, expected) =
            (lines(text).unwrap(), table(rows, &options(&["activity", "speed"], &[])).unwrap());
        assert_eq!(read.target_kind(), expected.target_kind());
        assert_eq!(targets(&read), targets(&expected));
        assert_eq!(read.fingerprint(), expected.fingerprint());
    }
}

#[test]
fn several_numbers_are_values_unless_parts_are_wanted() {
    let text = "x,target_a,target_b\n1,0,2\n2,0,2\n";
    let data = table(text, &ReadOptions::default()).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Values(2));
    let wanted = ReadOptions { parts: true, ..Default::default() };
    let kind = parts(vec![part("target_a", &[]), part("target_b", &[])], false);
    assert_eq!(table(text, &wanted).unwrap().target_kind(), &kind);
    // A single target too.
    let kind = parts(vec![part("target", &["a", "b"])], true);
    assert_eq!(table("x,target\n1,a\n2,b\n", &wanted).unwrap().target_kind(), &kind);
    let error =
        formats::parse(b"{\"sequence\": [1], \"target\": 2}\n", Format::JsonLines, &wanted, None);
    let message = "expected targets with names, which the columns of a table and the keys of objects in JSON lines \
                   have, for the heads of train.heads";
    assert_eq!(error.unwrap_err().to_string(), message);
}

#[test]
fn each_part_follows_the_rule_of_a_single_target() {
    let text = "series_id,x,kind,flag,grade\na,1,k,0,1\nb,2,l,1,2\n";
    let names = ["kind", "flag", "grade"];
    let data = table(text, &options(&names, &[])).unwrap();
    let [kind, flag] = [part("kind", &["k", "l"]), part("flag", &["0", "1"])];
    let expected = parts(vec![kind.clone(), flag.clone(), part("grade", &[])], false);
    assert_eq!(data.target_kind(), &expected);
    assert!(data.notes().iter().any(|note| note.contains("0 and 1 of `flag` are two classes")));
    // Types decide.
    let types = [("flag", ColumnType::TargetNumber), ("grade", ColumnType::TargetCategory)];
    let data = table(text, &options(&names, &types)).unwrap();
    let expected = parts(vec![kind, part("flag", &[]), part("grade", &["1", "2"])], false);
    assert_eq!(data.target_kind(), &expected);
    // And so does a task, for all of them.
    let options = ReadOptions { task: Some(Task::Classification), ..options(&names, &[]) };
    let data = table(text, &options).unwrap();
    assert!(data.target_kind().parts().iter().all(|part| part.labels().is_some()));
}

#[test]
fn a_type_decides_for_a_single_target() {
    let text = "series_id,x,grade\na,1,1\nb,2,2\nb,3,2\n";
    let of = |given| table(text, &options(&["grade"], &[("grade", given)])).unwrap();
    let classes = TargetKind::Classes(vec!["1".into(), "2".into()]);
    assert_eq!(of(ColumnType::TargetCategory).target_kind(), &classes);
    assert_eq!(of(ColumnType::TargetNumber).target_kind(), &TargetKind::Values(1));
    assert_eq!(of(ColumnType::Target).target_kind(), &TargetKind::Values(1));
}

#[test]
fn later_files_are_read_by_the_names_of_the_parts() {
    let options = options(&["activity", "speed"], &[]);
    let schema = Schema::of(&table(PER_SERIES, &options).unwrap());
    let later = |text: &str, options: &ReadOptions| {
        formats::parse(text.as_bytes(), Format::Csv, options, Some(&schema))
    };
    let text = "series_id,speed,x,activity\nz,4,1,walk\nz,4,1,walk\n";
    let data = later(text, &options).unwrap();
    assert_eq!((data.target_kind(), targets(&data)), (&schema.targets, vec![vec![1.0, 4.0]]));
    let json =
        b"{\"sequence\": {\"x\": [1]}, \"target\": {\"speed\": 4, \"activity\": \"walk\"}}\n";
    let data = formats::parse(json, Format::JsonLines, &ReadOptions::default(), Some(&schema));
    assert_eq!(targets(&data.unwrap()), [[1.0, 4.0]]);
    let error = later("series_id,x,activity,speed\nz,1,swim,4\n", &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2, column 3: target `activity`: expected one of the 2 known labels (run, walk), got `swim`"
    );
    let one =
        ReadOptions { csv: CsvColumns { targets: None, ..options.csv }, ..Default::default() };
    let error = later("series_id,x,target_speed\nz,1,4\n", &one).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 1: expected the targets activity, speed: missing activity, speed; unexpected target_speed"
    );
    let single = b"{\"sequence\": {\"x\": [1]}, \"target\": 4}\n";
    let error = formats::parse(single, Format::JsonLines, &ReadOptions::default(), Some(&schema));
    assert_eq!(
        error.unwrap_err().to_string(),
        "line 1, column 1: target: expected a value for each of activity, speed, got `4`"
    );
    // To predict, targets are not needed.
    let blind = Schema::of(&table(PER_SERIES, &options_of(&schema)).unwrap()).without_targets();
    let data = formats::parse(b"x\n1\n", Format::Csv, &options_of(&schema), Some(&blind)).unwrap();
    assert_eq!(data.target_kind(), &TargetKind::NONE);
}

/// The options by which the parts of a schema are targets.
fn options_of(schema: &Schema) -> ReadOptions {
    let names: Vec<&str> = schema.targets.parts().iter().map(|part| part.name.as_str()).collect();
    options(&names, &[])
}

#[test]
fn a_bad_target_is_named_with_its_place() {
    #[track_caller]
    fn refused(result: Result<InMemory>, message: &str) {
        assert_eq!(result.expect_err(message).to_string(), message);
    }
    let number = [("activity", ColumnType::TargetNumber)];
    refused(
        table(PER_SERIES, &options(&["activity", "speed"], &number)),
        "line 2, column 3: target `activity`: expected a number, got `walk` (data.read.csv.types says that it is a \
         target-number)",
    );
    refused(
        table("series_id,x,k,v\na,1,k,1\nb,2,l,2\nc,3,l,x\n", &options(&["k", "v"], &[])),
        "line 4, column 4: target `v`: expected a number, got `x`, but 2 of 3 are numbers (data.read.csv.types can \
         say target-category)",
    );
    refused(
        table("series_id,x,k,v\na,1,k,\nb,2,l,NA\n", &options(&["k", "v"], &[])),
        "target `v`: expected values, got missing ones only",
    );
    let task = ReadOptions { task: Some(Task::Classification), ..options(&["k", "v"], &[]) };
    refused(
        table("series_id,x,k,v\na,1,k,1\na,2,l,1\n", &task),
        "line 3, column 3: target `k`: expected one for the whole series, got `k` and `l`",
    );
    let line = |target: &str| lines(&format!("{{\"sequence\": [1, 2], \"target\": {target}}}\n"));
    refused(
        line("{\"a\": 1, \"b\": [1, 2]}"),
        "line 1, column 1: target `b`: expected a value for each name, or a list for each",
    );
    refused(
        line("{\"a\": [1, 2], \"b\": [1]}"),
        "line 1, column 1: target `b`: expected 2 values, as of `a`, got 1",
    );
    refused(
        line("{\"a\": [1], \"b\": [1]}"),
        "line 1, column 1: target: expected a list of 2 values, one for each step, got 1",
    );
    refused(
        line("{}"),
        "line 1, column 1: target: expected a value for at least one name, got none",
    );
    refused(line("{\"a\": 1, \"a\": 2}"), "line 1, column 1: target `a` occurs twice");
    refused(
        line("[1, null]"),
        "line 1, column 1: target: expected a number, got `NaN`, which is a missing value",
    );
    let two = |first: &str, second: &str| {
        lines(&format!(
            "{{\"sequence\": [1], \"target\": {first}}}\n{{\"sequence\": [1], \"target\": {second}}}\n"
        ))
    };
    refused(
        two("{\"a\": 1, \"b\": 1}", "{\"a\": 1}"),
        "line 2, column 1: expected the targets a, b: missing b",
    );
    refused(
        two("{\"a\": 1}", "2"),
        "line 2, column 1: target: expected a value for each of a, got `2`",
    );
    refused(
        two("{\"a\": [1]}", "{\"a\": 1}"),
        "line 2, column 1: target: expected a list of values, one for each step",
    );
    refused(
        two("{\"a\": \"x\"}", "{\"a\": 1}"),
        "line 2, column 1: target `a`: expected a text, as in 1 of 2, got the number 1",
    );
}

#[test]
fn other_formats_do_not_hold_parts() {
    let data = table(PER_SERIES, &options(&["activity", "speed"], &[])).unwrap();
    for format in Format::ALL.into_iter().filter(|format| *format != Format::JsonLines) {
        let error = formats::to_bytes(&data, format).unwrap_err().to_string();
        assert!(error.contains("several targets with names: write `.jsonl`"), "{error}");
    }
}

proptest! {
    #[test]
    fn json_lines_preserve_parts(
        per_step in any::<bool>(),
        classes in prop::collection::vec(0usize..4, 3),
        draws in prop::collection::vec((0usize..4, any::<u32>()), 36),
    ) {
        let all: Vec<TargetPart> = classes
            .iter()
            .enumerate()
            .map(|(k, &count)| part(&format!("t{k}"), &["b", "é,\"x\"", "1", "a"][..count]))
            .collect();
        let kind = parts(all.clone(), per_step);
        let mut draws = draws.into_iter().cycle();
        let mut value = |k: usize| {
            let (missing, bits) = draws.next().unwrap();
            match all[k].labels() {
                _ if missing == 0 => f32::NAN,
                Some(labels) => (bits as usize % labels.len()) as f32,
                None => f32::from_bits(bits & 0x7f7f_ffff),
            }
        };
        let examples = (0..4).map(|length| {
            let rows = if per_step { length } else { 1 };
            let values: Vec<f32> = (0..rows * 3).map(|at| value(at % 3)).collect();
            let target = match per_step {
                true => Target::StepValues(Sequence::new(values, 3).unwrap()),
                false => Target::Values(values),
            };
            Example::new(Sequence::new(vec![0.5; length], 1).unwrap(), target)
        });
        let data = InMemory::new(examples.collect(), kind.clone()).unwrap();
        let bytes = formats::to_bytes(&data, Format::JsonLines).unwrap();
        let schema = Schema::from(&kind);
        let back = formats::parse(&bytes, Format::JsonLines, &ReadOptions::default(), Some(&schema)).unwrap();
        prop_assert_eq!(back.target_kind(), &kind);
        prop_assert_eq!(format!("{:?}", targets(&back)), format!("{:?}", targets(&data)));
        prop_assert_eq!(back.fingerprint(), data.fingerprint());
    }
}
