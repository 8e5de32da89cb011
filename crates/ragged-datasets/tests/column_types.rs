//! The types of the columns of tables: as inferred, as given, and in later files.

use proptest::prelude::*;
use ragged_datasets::formats::{self, ColumnType, CsvColumns, Format, ReadOptions, Role, Schema};
use ragged_datasets::{Dataset, InMemory};

fn typed(types: &[(&str, ColumnType)]) -> ReadOptions {
    let types = types.iter().map(|(name, given)| (name.to_string(), *given)).collect();
    ReadOptions { csv: CsvColumns { types, ..Default::default() }, ..Default::default() }
}

fn read(text: &str, options: &ReadOptions, schema: Option<&Schema>) -> Result<InMemory, String> {
    formats::parse(text.as_bytes(), Format::Csv, options, schema).map_err(|e| e.to_string())
}

fn inferred(text: &str) -> Result<InMemory, String> {
    read(text, &ReadOptions::default(), None)
}

const TABLE: &str = "series_id,time,speed,gear,road,target\n\
                     a,2,0.5,first,wet,x\n\
                     a,1,0.7,,dry,x\n\
                     b,1,1.5,first,dry,y\n";

#[test]
fn a_column_of_texts_is_a_category_of_each_step() {
    let data = inferred(TABLE).unwrap();
    let columns = data.token_columns();
    assert_eq!(
        (columns[1].name.as_str(), &columns[0].texts[..]),
        ("road", &["first".to_string(), "".into()][..])
    );
    // In the order of the times; an empty cell is a category.
    let example = data.get(0, 0).unwrap();
    assert_eq!(example.sequence.values(), [0.7, 0.5]);
    assert_eq!(example.sequence.tokens().unwrap().ids(), [1, 1, 0, 0]);
    assert_eq!(data.columns()[3].to_string(), "tokens: a category of each step");
    assert_eq!(
        data.notes()[..2],
        [
            "column `gear` is read as a category of 1 different texts (data.read.csv.types)",
            "column `road` is read as a category of 2 different texts (data.read.csv.types)",
        ]
    );
    // What is given needs no note.
    let given = typed(&[("gear", ColumnType::Category), ("road", ColumnType::Category)]);
    let given = read(TABLE, &given, None).unwrap();
    assert_eq!((given.examples(), given.notes()), (data.examples(), &[][..]));
    // Digits can be a category, too, and categories alone are enough.
    let codes = "series_id,code,target\na,1,0.5\na,01,0.5\n";
    let data = read(codes, &typed(&[("code", ColumnType::Category)]), None).unwrap();
    assert_eq!(
        (data.features(), &data.token_columns()[0].texts[..]),
        (0, &["1".into(), "01".into()][..])
    );
}

#[test]
fn a_given_type_goes_before_a_name() {
    let types = [
        ("gear", ColumnType::Ignored),
        ("road", ColumnType::Target),
        ("time", ColumnType::Number),
        ("target", ColumnType::Category),
    ];
    let table = TABLE.replace("a,1,0.7,,dry", "a,1,0.7,,wet");
    let data = read(&table, &typed(&types), None).unwrap();
    assert_eq!(data.feature_names().unwrap(), ["time", "speed"]);
    assert_eq!(data.token_columns()[0].name, "target");
    // In the order of the rows.
    assert_eq!(data.examples()[0].sequence.values(), [2.0, 0.5, 1.0, 0.7]);
    assert_eq!(data.target_kind().labels().unwrap(), ["dry", "wet"]);
    assert_eq!(data.columns()[3].to_string(), "left out: by csv.types");
    // What is not read may be absent from later files.
    let later = "series_id,time,speed,target\nc,1,2,y\n";
    let schema = Schema::of(&data).without_targets();
    assert_eq!(read(later, &typed(&types), Some(&schema)).unwrap().len(), 1);
    let error = read(later, &typed(&types), None).unwrap_err();
    assert!(error.starts_with("line 1, column 1: expected a column `gear`"), "{error}");

    let when = "when,x,target\n3,1,a\n1,2,a\n2,3,b\n";
    let data = read(when, &typed(&[("when", ColumnType::Time)]), None).unwrap();
    assert_eq!(data.examples()[0].sequence.values(), [2.0, 3.0, 1.0]);
}

#[test]
fn contradictions_are_refused() {
    let mut options = typed(&[("speed", ColumnType::Number)]);
    options.csv.targets = Some(vec!["speed".into()]);
    let error = read(TABLE, &options, None).unwrap_err();
    let message = "line 1, column 3: column `speed` has another role: expected no type, got number";
    assert_eq!(error, message);
    let mut options = typed(&[("speed", ColumnType::Time)]);
    options.csv.time = Some("time".into());
    let error = read(TABLE, &options, None).unwrap_err();
    assert_eq!(error, "line 1, column 3: expected one column of times, got `speed` and `time`");
    let error = read(TABLE, &typed(&[("weather", ColumnType::Category)]), None).unwrap_err();
    assert!(error.starts_with("line 1, column 1: expected a column `weather`"), "{error}");
}

#[test]
fn a_column_that_may_be_of_several_types_is_refused() {
    let mixed = "series_id,code,target\na,B7,0.5\na,12,0.5\n";
    let message = "line 2, column 2: column `code` has texts, such as `B7`, and numbers, such as `12` in line 3: \
                   expected data.read.csv.types to say if it is a category or ignored";
    assert_eq!(inferred(mixed).unwrap_err(), message);
    assert!(read(mixed, &typed(&[("code", ColumnType::Category)]), None).is_ok());
    // A text below a number is an error at its line.
    let message = "line 3, column 2: expected a number, got `east`: data.read.csv.types says which columns are no \
                   numbers";
    assert_eq!(inferred("series_id,x,target\na,1,0.5\na,east,0.5\n").unwrap_err(), message);
    let names: String = (0..50).map(|k| format!("s,person {k},0.5\n")).collect();
    let message = "line 2, column 2: column `name` has 50 different texts in 50 cells: expected data.read.csv.types \
                   to say if it is a category, a text or ignored";
    assert_eq!(inferred(&format!("series_id,name,target\n{names}")).unwrap_err(), message);
    let message = "line 2, column 1: column `word` may have one sequence or one step in each row, as no column names \
                   the series: expected data.read.csv.types to say if it is a category, a text or ignored";
    assert_eq!(inferred("word,target\nGoogle,NOUN\nexpands,VERB\n").unwrap_err(), message);
}

const TEXTS: &str = "text,target\na pleasant film .,pos\n\"dull, and long\",neg\n,neg\n";

#[test]
fn each_row_of_texts_is_a_sequence() {
    let data = inferred(TEXTS).unwrap();
    let lines = "{\"text\": \"a pleasant film .\", \"target\": \"pos\"}\n\
                 {\"text\": \"dull, and long\", \"target\": \"neg\"}\n\
                 {\"text\": \"\", \"target\": \"neg\"}\n";
    let same = formats::parse(lines.as_bytes(), Format::JsonLines, &ReadOptions::default(), None);
    let same = same.unwrap();
    assert_eq!(data.examples(), same.examples());
    assert_eq!(
        (data.token_columns(), data.fingerprint()),
        (same.token_columns(), same.fingerprint())
    );
    assert_eq!(Schema::of(&data), Schema::of(&same));
    assert_eq!((data.columns()[0].role, data.ids()), (Role::Token(0), None));
    assert_eq!(
        data.notes()[..2],
        [
            "column `text` is read as texts, one sequence for each row, as it is the only input \
             (data.read.csv.types)",
            "texts are divided into words (data.read.tokenizer)",
        ]
    );
    // Later files of either format, under another name of the column too.
    let schema = Schema::of(&data).without_targets();
    let later = read("sentence\na film\n", &ReadOptions::default(), Some(&schema)).unwrap();
    assert_eq!(later.examples()[0].sequence.len(), 2);
    let lines = b"{\"text\": \"a film\"}\n";
    let same = formats::parse(lines, Format::JsonLines, &ReadOptions::default(), Some(&schema));
    assert_eq!(later.examples(), same.unwrap().examples());
}

#[test]
fn a_text_is_the_whole_sequence() {
    let text = typed(&[("words", ColumnType::Text)]);
    let table = "series_id,words,target\na,one two,x\nb,three,y\n";
    let data = read(table, &text, None).unwrap();
    assert_eq!(data.ids().unwrap(), ["a", "b"]);
    let message =
        "line 3, column 1: expected a new name, as each row has a whole text, got one again";
    assert_eq!(read(&table.replace("\nb,", "\na,"), &text, None).unwrap_err(), message);
    let message = "line 1, column 2: column `words` has a text in each row, which is a whole sequence: expected \
                   csv.types to say that `x` is static or ignored";
    let table = "words,x,target\none two,1,x\nthree,2,y\n";
    assert_eq!(read(table, &text, None).unwrap_err(), message);
    let both = typed(&[("words", ColumnType::Text), ("x", ColumnType::Ignored)]);
    assert_eq!(read(table, &both, None).unwrap().len(), 2);
}

#[test]
fn a_text_among_numbers_of_a_later_file_is_an_error() {
    let schema = Schema::of(&inferred("series_id,x,target\na,1,0.5\nb,2,1.5\n").unwrap());
    let error = read("series_id,x,target\na,east,0.5\n", &ReadOptions::default(), Some(&schema));
    assert!(error.unwrap_err().starts_with("line 2, column 2: expected a number, got `east`"));
}

proptest! {
    /// Neither the order of the columns nor that of the rows changes what a later table says.
    #[test]
    fn the_order_of_columns_and_rows_does_not_matter(
        columns in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        rows in Just((1..5).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let lines: Vec<Vec<&str>> = "series_id,time,speed,gear,road,target\na,1,0.5,low,wet,x\na,2,0.7,high,dry,x\n\
            b,1,1.5,low,dry,y\nb,2,2.5,low,wet,y".lines().map(|line| line.split(',').collect()).collect();
        let table = |rows: &[usize], columns: &[usize]| -> String {
            let row = |row: &usize| {
                columns.iter().map(|&k| lines[*row][k]).collect::<Vec<_>>().join(",") + "\n"
            };
            std::iter::once(&0).chain(rows).map(row).collect()
        };
        let train = inferred(&table(&[1, 2, 3, 4], &[0, 1, 2, 3, 4, 5])).unwrap();
        let schema = Schema::of(&train);
        let later = read(&table(&rows, &columns), &ReadOptions::default(), Some(&schema)).unwrap();
        let by_name = |data: &InMemory| {
            let mut texts: Vec<_> = (0..2).map(|index| {
                let example = data.get(0, index).unwrap();
                let tokens = example.sequence.tokens().unwrap();
                let texts: Vec<String> = tokens.ids().iter().enumerate()
                    .map(|(at, &id)| data.token_columns()[at % 2].texts[id as usize].clone()).collect();
                (data.id(index).unwrap().to_string(), example.sequence.values().to_vec(), texts)
            }).collect();
            texts.sort_by(|a, b| a.0.cmp(&b.0));
            texts
        };
        prop_assert_eq!(by_name(&train), by_name(&later));
    }
}
