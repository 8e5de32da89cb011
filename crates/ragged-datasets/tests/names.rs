//! The names of features and sequences: later files are read by name, in every format.

use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions, Schema};
use ragged_datasets::transforms::{TransformConfig, Transformed, fit};
use ragged_datasets::{
    AugmentConfig, Augmented, Chunks, Dataset, Example, InMemory, Result, Sequence, Subset, Target,
    TargetKind,
};

fn read(text: &str, format: Format, schema: Option<&Schema>) -> Result<InMemory> {
    formats::parse(text.as_bytes(), format, &ReadOptions::default(), schema)
}

fn csv(text: &str) -> InMemory {
    read(text, Format::Csv, None).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn values(data: &InMemory, index: usize) -> &[f32] {
    data.examples()[index].sequence.values()
}

const TRAIN: &str = "series_id,time,a,b,target\ns,0,1,10,up\ns,1,2,20,up\nt,0,3,30,down\n";

#[test]
fn later_files_are_read_by_name_in_every_format() {
    let schema = Schema::of(&csv(TRAIN));
    assert_eq!(schema.features, Some(names(&["a", "b"])));
    for (format, text) in [
        (Format::Csv, "target,b,series_id,a\nup,20,x,2\nup,40,x,4\n"),
        (
            Format::JsonLines,
            "{\"sequence\": [{\"b\": 20, \"a\": 2}, {\"a\": 4, \"b\": 40}], \"target\": \"up\"}\n",
        ),
        (
            Format::JsonLines,
            "{\"sequence\": {\"b\": [20, 40], \"a\": [2, 4]}, \"target\": \"up\"}\n",
        ),
    ] {
        let data = read(text, format, Some(&schema)).unwrap();
        assert_eq!(values(&data, 0), [2.0, 20.0, 4.0, 40.0], "{text}");
        assert_eq!(data.feature_names(), Some(&names(&["a", "b"])[..]));
        assert_eq!(data.examples()[0].target, Target::Class(1));
        assert_eq!(data.notes(), [""; 0]);
    }
    // Arrays with names.
    let swapped = Example::new(Sequence::new(vec![20.0, 2.0], 2).unwrap(), Target::Class(0));
    let swapped = InMemory::new(vec![swapped], TargetKind::Classes(names(&["up"]))).unwrap();
    let swapped = swapped.with_feature_names(Some(names(&["b", "a"]))).unwrap();
    for format in [Format::Npz, Format::Safetensors] {
        let bytes = formats::to_bytes(&swapped, format).unwrap();
        let data = formats::parse(&bytes, format, &ReadOptions::default(), Some(&schema)).unwrap();
        assert_eq!(values(&data, 0), [2.0, 20.0], "{format:?}");
    }
}

#[test]
fn missing_and_unexpected_features_are_one_error() {
    let schema = Schema::of(&csv(TRAIN));
    let check = |text: &str, format, message: &str| {
        let error = read(text, format, Some(&schema)).unwrap_err().to_string();
        assert_eq!(error, message);
    };
    let message = "line 1, column 1: expected the features a, b: missing b; unexpected c, d";
    check("a,c,d\n1,2,3\n", Format::Csv, message);
    check("{\"sequence\": {\"a\": [1], \"c\": [2], \"d\": [3]}}\n", Format::JsonLines, message);
    let message = "line 1, column 1: step 2: expected the features a, b: missing b";
    check("{\"sequence\": [{\"a\": 1, \"b\": 2}, {\"a\": 1}]}\n", Format::JsonLines, message);
    let message = "line 1, column 1: step 2: expected all steps as lists, or all as objects";
    check("{\"sequence\": [{\"a\": 1, \"b\": 2}, [1, 2]]}\n", Format::JsonLines, message);
    let message = "line 1, column 1: expected 2 values of `b`, as of `a`, got 1";
    check("{\"sequence\": {\"a\": [1, 2], \"b\": [2]}}\n", Format::JsonLines, message);
    let message = "line 1, column 1: feature `a` occurs twice";
    check("{\"sequence\": {\"a\": [1], \"a\": [2]}}\n", Format::JsonLines, message);
    let message = "line 1, column 1: expected 2 features, got 3";
    check("{\"sequence\": [[1, 2, 3]], \"target\": \"up\"}\n", Format::JsonLines, message);
}

#[test]
fn a_file_without_names_is_read_by_position_and_noted() {
    let schema = Schema::of(&csv(TRAIN)).without_targets();
    let data = read("{\"sequence\": [[1, 2]]}\n", Format::JsonLines, Some(&schema)).unwrap();
    assert_eq!(values(&data, 0), [1.0, 2.0]);
    let note = "the file does not name its features: they are read in the order a, b";
    assert_eq!(data.notes(), [note]);
    let data = read("@data\n1:2\n", Format::Ts, Some(&schema)).unwrap();
    assert_eq!(data.notes(), [note]);
}

#[test]
fn all_files_of_a_folder_are_read_by_the_names_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let read = || formats::read(folder.path(), &ReadOptions::default());
    write("1.csv", "a,b,target\n1,2,k\n");
    write("2.csv", "b,target,a\n4,l,3\n");
    let data = read().unwrap();
    assert_eq!((values(&data, 0), values(&data, 1)), (&[1.0, 2.0][..], &[3.0, 4.0][..]));
    write("3.csv", "b,target,c\n4,l,3\n");
    let error = read().unwrap_err().to_string();
    let message = "3.csv: line 1, column 1: expected the features a, b: missing a; unexpected c";
    assert!(error.ends_with(message), "{error}");
}

#[test]
fn names_and_ids_survive_a_round_trip() {
    let data = csv(TRAIN);
    for format in [Format::Csv, Format::JsonLines, Format::Npz, Format::Safetensors] {
        let bytes = formats::to_bytes(&data, format).unwrap();
        let again = formats::parse(&bytes, format, &ReadOptions::default(), None).unwrap();
        assert_eq!(again.feature_names(), data.feature_names(), "{format:?}");
        assert_eq!(again.ids(), data.ids(), "{format:?}");
        assert_eq!(again.examples()[0].sequence, data.examples()[0].sequence, "{format:?}");
        assert_eq!(again.target_summary(), data.target_summary(), "{format:?}");
    }
    // A table would give this feature another role.
    let data = data.with_feature_names(Some(names(&["a", "time"]))).unwrap();
    let error = formats::to_bytes(&data, Format::Csv).unwrap_err().to_string();
    assert_eq!(error, "the csv format cannot hold a feature of the name `time`");
}

#[test]
fn names_and_ids_belong_to_parts_and_transforms_of_the_data() {
    let data = csv("series_id,a,b\ns,1,\nt,3,30\nu,5,50\n");
    let part = Subset::new(data.clone(), vec![2, 0]).unwrap();
    assert_eq!((part.id(0), part.id(1), part.id(2)), (Some("u"), Some("s"), None));
    assert_eq!(part.feature_names(), data.feature_names());
    let pipeline = fit(&[TransformConfig::MissingIndicator], &data).unwrap();
    let transformed = Transformed::new(part, pipeline).unwrap();
    assert_eq!(transformed.feature_names(), Some(&names(&["a", "b", "b is missing"])[..]));
    assert_eq!(transformed.id(1), Some("s"));
    let augmented = Augmented::new(transformed, AugmentConfig::default(), 0).unwrap();
    assert_eq!((augmented.id(0), augmented.features()), (Some("u"), 3));
    let chunks = Chunks::new(data, 1).unwrap();
    assert_eq!((chunks.id(1), chunks.feature_names().map(<[String]>::len)), (Some("t"), Some(2)));
}

#[test]
fn ids_of_json_are_texts_or_whole_numbers_of_any_size() {
    let text = "{\"id\": \"x\", \"sequence\": [1]}\n{\"id\": 18446744073709551615, \"sequence\": [1]}\n\
                {\"id\": -3, \"sequence\": [1]}\n";
    let data = read(text, Format::JsonLines, None).unwrap();
    assert_eq!(data.ids(), Some(&names(&["x", "18446744073709551615", "-3"])[..]));
}

#[test]
fn a_target_cannot_be_a_feature() {
    let features = Some(names(&["a", "target"]));
    let options =
        ReadOptions { csv: CsvColumns { features, ..Default::default() }, ..Default::default() };
    let error = formats::parse(b"a,target\n1,2\n", Format::Csv, &options, None).unwrap_err();
    let message = "line 1, column 2: column `target` is a target: expected other features";
    assert_eq!(error.to_string(), message);
}

/// Names of some sequences alone were left out without a word.
#[test]
fn names_of_some_sequences_alone_are_noted() {
    let text = "{\"id\": \"x\", \"sequence\": [1]}\n{\"sequence\": [2]}\n";
    let options = ReadOptions::default();
    let data = formats::parse(text.as_bytes(), Format::JsonLines, &options, None).unwrap();
    assert_eq!(data.ids(), None);
    assert_eq!(data.notes(), ["1 of 2 sequences have names, which are left out"]);
}
