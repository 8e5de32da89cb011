//! Static columns of tables: one value per series.

use ragged_datasets::formats::{self, ColumnType, CsvColumns, Format, ReadOptions, Schema};
use ragged_datasets::tokens::{Encoded, Statics, VocabularyConfig, fit_vocabularies};
use ragged_datasets::{Dataset, InMemory};

fn typed(types: &[(&str, ColumnType)]) -> ReadOptions {
    let types = types.iter().map(|(name, given)| (name.to_string(), *given)).collect();
    ReadOptions { csv: CsvColumns { types, ..Default::default() }, ..Default::default() }
}

fn options() -> ReadOptions {
    typed(&[("mass", ColumnType::Static), ("region", ColumnType::Static)])
}

fn read(text: &str, schema: Option<&Schema>) -> Result<InMemory, String> {
    formats::parse(text.as_bytes(), Format::Csv, &options(), schema).map_err(|e| e.to_string())
}

const TABLE: &str = "series_id,x,mass,region,target\n\
                     a,1,70,north,1.5\n\
                     b,2,,south,2.5\n\
                     a,3,70.0,,1.5\n\
                     c,4,50,north,0.5\n";

fn statics(data: &dyn Dataset, index: usize) -> Statics {
    data.get(0, index).unwrap().sequence.statics().unwrap().clone()
}

#[test]
fn numbers_and_categories_are_read_once_per_series() {
    let data = read(TABLE, None).unwrap();
    assert_eq!(data.feature_names().unwrap(), ["x"]);
    assert_eq!(data.static_columns().numbers, ["mass"]);
    assert_eq!(data.static_columns().categories[0].texts, ["north", "south"]);
    assert_eq!(statics(&data, 0), Statics { numbers: vec![70.0], categories: vec![0] });
    assert!(statics(&data, 1).numbers[0].is_nan());
    assert_eq!(data.columns()[2].to_string(), "static: a number of each series");
    assert_eq!(data.columns()[3].to_string(), "static: a category of each series");
    assert!(data.notes().is_empty());
    // They are part of the content.
    let other = read(&TABLE.replace("50", "51"), None).unwrap();
    assert_ne!(other.fingerprint(), data.fingerprint());
    let other = read(&TABLE.replace("south", "east"), None).unwrap();
    assert_ne!(other.fingerprint(), data.fingerprint());
}

#[test]
fn a_static_column_that_changes_is_named() {
    let changed = TABLE.replace("a,3,70.0,", "a,3,71,");
    let message = "line 4, column 3: static column `mass` changes within series `a`: expected `70` as in line 2, got \
                   `71`";
    assert_eq!(read(&changed, None).unwrap_err(), message);
    let changed = TABLE.replace("a,3,70.0,", "a,3,70.0,south");
    let message = "line 4, column 4: static column `region` changes within series `a`: expected `north` as in line \
                   2, got `south`";
    assert_eq!(read(&changed, None).unwrap_err(), message);
    let text = TABLE.replace("c,4,50", "c,4,heavy");
    let message = "line 5, column 3: expected a number, got `heavy`: data.read.csv.types says if it is a \
                   static-category";
    assert_eq!(read(&text, None).unwrap_err(), message);
    let all = typed(&[("x", ColumnType::StaticNumber)]);
    let error = formats::parse(b"x,target\n1,2\n", Format::Csv, &all, None).unwrap_err();
    let message = "line 1, column 1: expected at least one column that changes from step to step, got static ones";
    assert_eq!(error.to_string(), message);
}

#[test]
fn later_files_have_the_same_columns() {
    let train = read(TABLE, None).unwrap();
    let schema = Schema::of(&train);
    assert_eq!(
        (&schema.static_numbers[..], &schema.static_categories[..]),
        (&["mass".to_string()][..], &["region".to_string()][..],)
    );
    // A number as the first cell does not change the type.
    let later = "series_id,region,target,mass,x\nd,7,2.5,60,1\n";
    let later = read(later, Some(&schema)).unwrap();
    assert_eq!(later.static_columns().categories[0].texts, ["7"]);
    // The options are not needed again.
    let alone = "series_id,region,target,mass,x\nd,north,2.5,60,1\n";
    let none = ReadOptions::default();
    let alone = formats::parse(alone.as_bytes(), Format::Csv, &none, Some(&schema)).unwrap();
    assert_eq!(statics(&alone, 0), Statics { numbers: vec![60.0], categories: vec![0] });
    let line = b"{\"sequence\": [{\"x\": 1}], \"target\": 1.5}\n";
    let error = formats::parse(line, Format::JsonLines, &none, Some(&schema)).unwrap_err();
    let message = "line 1, column 1: expected the static columns mass, region (a category) as in the sequences \
                   before, got no static columns";
    assert_eq!(error.to_string(), message);
}

#[test]
fn they_are_encoded_by_the_training_data() {
    let train = read(TABLE, None).unwrap();
    let schema = Schema::of(&train);
    let encoder = fit_vocabularies(&VocabularyConfig::default(), false, &train).unwrap();
    let mass = &encoder.statics().numbers()[0];
    assert_eq!((mass.mean, mass.std), (60.0, 10.0));
    let later = "series_id,x,mass,region,target\nd,1,75,east,2.5\ne,1,?,north,2.5\n";
    let later = Encoded::new(read(later, Some(&schema)).unwrap(), encoder.clone()).unwrap();
    // Index 0 is a category that the training data do not have; a missing number is the mean.
    assert_eq!(statics(&later, 0), Statics { numbers: vec![1.5], categories: vec![0] });
    assert_eq!(statics(&later, 1), Statics { numbers: vec![0.0], categories: vec![1] });
    let without = formats::parse(b"x,target\n1,2\n", Format::Csv, &ReadOptions::default(), None);
    let error = Encoded::new(without.unwrap(), encoder).unwrap_err().to_string();
    assert_eq!(error, "expected the static columns [mass, region], got []");
}

#[test]
fn a_text_can_have_static_columns() {
    let types = [("words", ColumnType::Text), ("year", ColumnType::StaticNumber)];
    let table = b"words,year,target\na film,1999,pos\nanother one,2001,neg\n";
    let data = formats::parse(table, Format::Csv, &typed(&types), None).unwrap();
    assert_eq!(statics(&data, 1), Statics { numbers: vec![2001.0], categories: vec![] });
    assert_eq!(data.length(0, 1).unwrap(), 2);
}
