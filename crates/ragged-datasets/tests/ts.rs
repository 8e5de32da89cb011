//! The `.ts` reader: the dialects of the archive, the error of every malformed input, and a round trip.

use proptest::prelude::*;
use ragged_datasets::formats::{self, Format, ReadOptions};
use ragged_datasets::{Dataset, InMemory, Result, Target, TargetKind};

fn parse_bytes(bytes: &[u8]) -> Result<InMemory> {
    formats::parse(bytes, Format::Ts, &ReadOptions::default(), None)
}

fn parse(text: &str) -> Result<InMemory> {
    parse_bytes(text.as_bytes())
}

#[track_caller]
fn check(text: &str, message: &str) {
    let error = parse(text).expect_err(message);
    assert_eq!(error.to_string(), message);
}

/// The values of a series, dimension by dimension.
fn columns(file: &InMemory, index: usize) -> Vec<Vec<f32>> {
    let sequence = &file.examples()[index].sequence;
    (0..file.features()).map(|k| sequence.steps().map(|step| step[k]).collect()).collect()
}

/// Declarations from which the headers of random files are chosen.
const HEADER: [&str; 8] = [
    "@missing false",
    "@univariate true",
    "@dimensions 2",
    "@equalLength true",
    "@equalLength false",
    "@seriesLength 2",
    "@classLabel true a b",
    "@targetLabel true",
];

const CLASSES: &str = "@problemName Two Words\n@classLabel true a b\n@data\n";

#[test]
fn a_univariate_file_with_classes() {
    let file = parse(
        "# comment\n@problemName Italy\n@timeStamps false\n@missing false\n@univariate true\n\
         @equalLength true\n@seriesLength 3\n@classLabel true 1 2\n@data\n1,-2.5,3e1:2\n4,5,6:1\n",
    )
    .unwrap();
    assert_eq!(file.target_kind(), &TargetKind::Classes(vec!["1".into(), "2".into()]));
    assert_eq!(columns(&file, 0), [[1.0, -2.5, 30.0]]);
    assert_eq!(file.examples()[0].target, Target::Class(1));
    assert_eq!(file.examples()[1].target, Target::Class(0));
}

#[test]
fn a_multivariate_file_of_unequal_lengths() {
    let file = parse(
        "@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true a b\n@data\n\
         1,2,3:4,5,6:a\n7:8:b\n::a\n",
    )
    .unwrap();
    assert_eq!(columns(&file, 0), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    assert_eq!(columns(&file, 1), [[7.0], [8.0]]);
    assert_eq!(file.examples()[2].sequence.len(), 0);
    // Row-major by step, as in batches.
    assert_eq!(file.examples()[0].sequence.values(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn targets_and_no_labels() {
    let file = parse("@targetlabel true\n@data\n1,2:0.5\n3:-7e-1\n").unwrap();
    assert_eq!(file.target_kind(), &TargetKind::Values(1));
    assert_eq!(file.examples()[1].target, Target::Values(vec![-0.7]));
    let file = parse("@classLabel false\n@dimension 2\n@data\n1,2:3,4\n").unwrap();
    assert_eq!((file.target_kind(), file.features()), (&TargetKind::NONE, 2));
    assert_eq!(file.examples()[0].target, Target::Values(vec![]));
}

#[test]
fn dialects_of_the_archive() {
    let text = "\u{feff}% other comment\r\n\r\n@PROBLEMNAME Two Words \r\n@problemName again\r\n@timestamps False\r\n\
                @univariate TRUE\r\n@classlabel True yes no\r\n@DATA\r\n  1 , ?, NaN,nan :no  \r\n\
                # between\r\n\t2,3:yes";
    let file = parse(text).unwrap();
    let values = &columns(&file, 0)[0];
    assert_eq!((values[0], values.len()), (1.0, 4));
    assert!(values[1..].iter().all(|v| v.is_nan()));
    assert_eq!(file.examples()[0].target, Target::Class(1));
    assert_eq!(columns(&file, 1), [[2.0, 3.0]]);
}

#[test]
fn malformed_headers() {
    check("", "line 1, column 1: expected @data, got the end of the file");
    check("@problemName x\n", "line 2, column 1: expected @data, got the end of the file");
    check(CLASSES, "line 4, column 1: expected a series, got the end of the file");
    check("1,2,3\n", "line 1, column 1: expected a line that begins with @, # or %");
    check("@labels true a\n", "line 1, column 1: unknown key @labels");
    check("@missing\n", "line 1, column 9: expected true or false, got the end of the line");
    check("@missing maybe\n", "line 1, column 10: expected true or false, got `maybe`");
    check("@missing true\n@Missing true\n", "line 2, column 1: @missing is declared twice");
    check("@dimensions 0\n", "line 1, column 13: expected a number of at least 1, got `0`");
    check("@dimension 2\n@dimensions 2\n", "line 2, column 1: @dimensions is declared twice");
    let text = "@seriesLength 0\n@data\n";
    check(text, "line 2, column 1: @seriesLength 0: expected at least 1, or @equalLength false");
    check("@seriesLength x\n", "line 1, column 15: expected a number of at least 1, got `x`");
    let message = "line 1, column 17: expected class labels, got the end of the line";
    check("@classLabel true\n", message);
    check("@classLabel true a b a\n", "line 1, column 22: class label `a` occurs twice");
    let message = "line 2, column 1: expected one of @classLabel and @targetLabel, got both";
    check("@classLabel true a\n@targetLabel true\n", message);
    let text = "@univariate true\n@dimensions 2\n@data\n";
    check(text, "line 3, column 1: @univariate true, but @dimensions 2");
    let text = "@dimensions 1\n@univariate false\n@data\n";
    check(text, "line 3, column 1: @univariate false, but @dimensions 1");
    check("@\n", "line 1, column 1: unknown key @");
    check("@ missing true\n", "line 1, column 1: unknown key @");
    check("@dimensions -2\n", "line 1, column 13: expected a number of at least 1, got `-2`");
    let message = "line 1, column 13: expected a number of at least 1, got `99999999999999999999`";
    check("@dimensions 99999999999999999999\n", message);
}

#[test]
fn words_after_a_declaration() {
    let message = |column: usize, got: &str| {
        format!("line 1, column {column}: expected the end of the line, got `{got}`")
    };
    check("@missing false true\n", &message(16, "true"));
    check("@timestamps false no\n", &message(19, "no"));
    check("@dimensions 2 3\n", &message(15, "3"));
    check("@targetLabel true a\n", &message(19, "a"));
    check("@classLabel false a b\n", &message(19, "a"));
    check("@data 1,2\n", &message(7, "1,2"));
}

#[test]
fn malformed_series() {
    let series =
        |header: &str, line: &str| format!("{header}@classLabel true a b\n@data\n{line}\n");
    check(&series("", "1,2"), "line 3, column 4: expected `:` and a label");
    check(&series("", "1,2:c"), "line 3, column 5: expected a label of @classLabel, got `c`");
    check(&series("", "1,x:a"), "line 3, column 3: expected a number, got `x`");
    check(&series("", "1,,2:a"), "line 3, column 3: expected a number, got ``");
    check(&series("", "1,inf:a"), "line 3, column 3: expected a number, got `inf`");
    check(&series("", "1e60:a"), "line 3, column 1: 1e60 is too large for a 32-bit float");
    let message = "line 3, column 1: expected a number, got a pair (expected @timeStamps true)";
    check(&series("", "(0,1):a"), message);
    let message = "line 4, column 3: expected a number (@missing false), got `?`";
    check(&series("@missing false\n", "1,?:a"), message);
    let message = "line 4, column 5: expected 2 dimensions, got 3";
    check(&series("@dimensions 2\n", "1:2:3:a"), message);
    check(&series("@dimensions 2\n", "1:a"), "line 4, column 4: expected 2 dimensions, got 1");
    check(&series("@univariate true\n", "1:2:a"), "line 4, column 3: expected 1 dimensions, got 2");
    let message = "line 3, column 5: expected 2 values, as in the first dimension, got 1";
    check(&series("", "1,2:3:a"), message);
    let message = "line 5, column 1: expected 2 steps (@equalLength true), got 1";
    check(&series("@equalLength true\n", "1,2:a\n3:b"), message);
    let message = "line 5, column 1: expected 3 steps (@equalLength true), got 1";
    check(&series("@equalLength true\n@seriesLength 3\n", "1:a"), message);
    let message = "line 3, column 5: expected a number, got `y`";
    check("@targetLabel true\n@data\n1,2:y\n", message);
    let message = "line 4, column 3: expected a number (@missing false), got `NaN`";
    check(&series("@missing false\n", "1,NaN:a"), message);
    let message = "line 4, column 1: expected 3 steps (@seriesLength), got 2";
    check(&series("@seriesLength 3\n", "1,2:a"), message);
    let message = "line 4, column 1: expected at least 2 dimensions (@univariate false), got 1";
    check(&series("@univariate false\n", "1,2:a"), message);
    check(&series("", "1:2:a\n3:b"), "line 4, column 4: expected 2 dimensions, got 1");
    check(&series("", "1,2:"), "line 3, column 5: expected a label of @classLabel, got ``");
    let message = "line 3, column 5: expected a label of @classLabel, got `a b`";
    check(&series("", "1,2:a b"), message);
    check(&series("", "1,2:A"), "line 3, column 5: expected a label of @classLabel, got `A`");
    check(
        &series("", ":1:a"),
        "line 3, column 2: expected 0 values, as in the first dimension, got 1",
    );
    check(&series("", "1,2,:a"), "line 3, column 5: expected a number, got ``");
    check(&series("", "1;2:a"), "line 3, column 1: expected a number, got `1;2`");
    check(&series("", "-inf:a"), "line 3, column 1: expected a number, got `-inf`");
    check(&series("", "-1e39:a"), "line 3, column 1: -1e39 is too large for a 32-bit float");
    check(&series("", "@data"), "line 3, column 6: expected `:` and a label");
    check("@targetLabel true\n@data\n1:?\n", "line 3, column 3: expected a number, got `?`");
    check("@targetLabel true\n@data\n1:\n", "line 3, column 3: expected a number, got ``");
    // Errors show the first 40 characters of a token.
    let message = format!("line 3, column 1: expected a number, got `{}`", "é".repeat(40));
    check(&series("", &("é".repeat(99) + ":a")), &message);
    // Columns count characters, not bytes.
    check(&series("", "  é:a"), "line 3, column 3: expected a number, got `é`");
    let error = parse_bytes(&b"@problemName \xc3\xa9\xff\n"[..]).unwrap_err().to_string();
    assert_eq!(error, "line 1, column 15: invalid UTF-8");
    let error = parse_bytes(&b"\xef\xbb\xbf@\xff\n"[..]).unwrap_err().to_string();
    assert_eq!(error, "line 1, column 2: invalid UTF-8");
    let error = parse_bytes(&b"\xff\xfe@\0d\0"[..]).unwrap_err().to_string();
    let message = "line 1, column 1: expected a text in UTF-8, got UTF-16: save the file as UTF-8";
    assert_eq!(error, message);
}

#[test]
fn errors_in_a_file_begin_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.ts");
    let error = formats::read(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: No such file", path.display())), "{error}");
    std::fs::write(&path, "@missing maybe\n").unwrap();
    let error = formats::read(&path, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: line 1, column 10", path.display())), "{error}");
    let error = formats::read(folder.path(), &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with(&folder.path().display().to_string()), "{error}");
}

#[test]
fn values_with_timestamps_are_aligned_to_the_times_of_all_dimensions() {
    let text = "@timeStamps true\n@dimensions 2\n@classLabel true a b\n@data\n\
                (0,1.5),(1,2.5):(1,3),(2.5,4):a\n\
                (2004-10-01 18:00:00,7), (2004-10-01 19:00:00, ?):(2004-10-01 18-00-00,8):b\n";
    let file = parse(text).unwrap();
    let nan = f32::NAN;
    let bits = |columns: &[Vec<f32>]| -> Vec<Vec<u32>> {
        columns.iter().map(|column| column.iter().map(|v| v.to_bits()).collect()).collect()
    };
    assert_eq!(bits(&columns(&file, 0)), bits(&[vec![1.5, 2.5, nan], vec![nan, 3.0, 4.0]]));
    assert_eq!(bits(&columns(&file, 1)), bits(&[vec![7.0, nan], vec![8.0, nan]]));
    assert_eq!(file.examples()[1].target, Target::Class(1));

    let header = "@timeStamps true\n@classLabel true a\n@data\n";
    check(&format!("{header}1,2:a\n"), "line 4, column 1: expected `(time,value)`");
    check(&format!("{header}(1:a\n"), "line 4, column 5: expected `:` and a label");
    check(&format!("{header}(1):a\n"), "line 4, column 1: expected `(time,value)`");
    let message = "line 4, column 2: expected a number or a date and time, got `x`";
    check(&format!("{header}(x,1):a\n"), message);
    let message = "line 4, column 4: expected a number, got `y`";
    check(&format!("{header}(1,y):a\n"), message);
    let message = "line 4, column 8: expected a time later than the one before";
    check(&format!("{header}(1,2),(1,3):a\n"), message);
    let text = "@timeStamps true\n@missing false\n@dimensions 2\n@data\n(0,1),(1,2):(0,3)\n";
    let message = "line 5, column 13: expected a value at each of the 2 times of the series \
                   (@missing false), got 1";
    check(text, message);
}

#[test]
fn the_declared_length_of_unequal_series_is_ignored() {
    // Some writers declare a length nevertheless, aeon declares 0.
    let header = "@equalLength false\n@seriesLength 0\n@classLabel false\n@data\n";
    assert_eq!(parse(&format!("{header}1\n1,2\n")).unwrap().len(), 2);
    let header = "@equalLength false\n@seriesLength 3\n@classLabel false\n@data\n";
    let file = parse(&format!("{header}1\n1,2\n")).unwrap();
    assert_eq!(file.examples().iter().map(|e| e.sequence.len()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn files_without_labels_as_aeon_and_sktime_write_them() {
    // aeon: a colon after every dimension.
    let header = "@problemName p\n@timestamps false\n@missing False\n";
    let one = "@univariate true\n@classLabel false\n@data\n1,2,3:\n4,5,6:\n";
    let file = parse(&format!("{header}{one}")).unwrap();
    assert_eq!((file.target_kind(), file.features()), (&TargetKind::NONE, 1));
    assert_eq!(columns(&file, 1), [[4.0, 5.0, 6.0]]);
    let two = "@univariate false\n@dimension 2\n@classLabel false\n@data\n1,2:3,4:\n5:6:\n::\n";
    let file = parse(&format!("{header}{two}")).unwrap();
    assert_eq!(columns(&file, 0), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(columns(&file, 1), [[5.0], [6.0]]);
    assert_eq!(file.examples()[2].sequence.len(), 0);
    let undeclared = parse("@classLabel false\n@data\n1,2:3,4:\n5:6:\n").unwrap();
    assert_eq!(undeclared.features(), 2);
    // sktime before 0.13, and keys without a meaning for the data.
    let file = parse("@path /home\n@license CC0\n@class_label false\n@data\n1,2,3\n").unwrap();
    assert_eq!(file.target_kind(), &TargetKind::NONE);
    let note = |key| format!("the key @{key} is not known and has no effect");
    assert_eq!(file.notes(), [note("path"), note("license")]);
    let file = parse("@series_length 2\n@equal_length true\n@class_label true a\n@data\n1,2:a\n");
    assert_eq!(file.unwrap().examples()[0].target, Target::Class(0));
}

/// Writes a file according to the description of the format.
fn write(features: usize, series: &[(Vec<f32>, usize)]) -> String {
    let mut text = format!("@univariate {}\n@dimensions {features}\n", features == 1);
    text += "@classLabel true a b c\n@data\n";
    for (values, class) in series {
        for k in 0..features {
            let column: Vec<String> = values
                .chunks_exact(features)
                .map(|step| if step[k].is_nan() { "?".into() } else { step[k].to_string() })
                .collect();
            text += &(column.join(",") + ":");
        }
        text += &format!("{}\n", ["a", "b", "c"][*class]);
    }
    text
}

proptest! {
    #[test]
    fn a_file_is_read_as_it_was_written(
        (features, series) in (1..4usize).prop_flat_map(|features| {
            let value = prop_oneof![9 => any::<f32>().prop_filter("finite", |v| v.is_finite()),
                                    1 => Just(f32::NAN)];
            let values = (0..6usize)
                .prop_flat_map(move |steps| prop::collection::vec(value.clone(), steps * features));
            (Just(features), prop::collection::vec((values, 0..3usize), 1..6))
        })
    ) {
        let file = parse(&write(features, &series)).unwrap();
        prop_assert_eq!(file.features(), features);
        for (example, (values, class)) in file.examples().iter().zip(&series) {
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let nan_free = |v: &[f32]| v.iter().map(|v| if v.is_nan() { f32::NAN } else { *v }).collect::<Vec<_>>();
            prop_assert_eq!(bits(&nan_free(example.sequence.values())), bits(&nan_free(values)));
            prop_assert_eq!(&example.target, &Target::Class(*class as u32));
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&bytes[..]);
    }

    #[test]
    fn no_series_causes_a_panic(
        keys in prop::sample::subsequence(HEADER.to_vec(), 0..HEADER.len()),
        series in "([-0-9.,:?eEnNaAbéi( )\r\u{feff}]{0,12}\n){0,5}",
    ) {
        let text = format!("{}\n@data\n{series}", keys.join("\n"));
        let _ = parse(&text);
    }

    #[test]
    fn no_damage_causes_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep: prop::sample::Index,
        cut: bool,
    ) {
        let mut bytes = write(2, &[(vec![1.0, 2.0, f32::NAN, 4.0], 1), (vec![5.0, 6.0], 0)]).into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        let _ = parse_bytes(&bytes[..]);
    }
}
