//! The structure of tables: what a header, quotes, delimiters and encodings may be.

use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
use ragged_datasets::{Dataset, InMemory, Result, Target, TargetKind};

fn read(text: impl AsRef<[u8]>) -> Result<InMemory> {
    formats::parse(text.as_ref(), Format::Csv, &ReadOptions::default(), None)
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, message: &str) {
    assert_eq!(read(text).expect_err(message).to_string(), message);
}

fn names(data: &InMemory) -> Vec<&str> {
    data.feature_names().unwrap_or_default().iter().map(String::as_str).collect()
}

#[test]
fn the_row_numbers_of_a_table_library_are_left_out_and_noted() {
    let note = "column 1 has no name and is left out, as the numbers of the rows";
    let data = read(",series_id,x,target\n0,s,5,a\n1,t,6,b\n").unwrap();
    assert_eq!((names(&data), data.notes()), (vec!["x"], &[note.to_string()][..]));
    let note = "column `Unnamed: 0` is left out, as the numbers of the rows";
    let data = read("Unnamed: 0,series_id,x,target\n0,s,5,a\n1,t,6,b\n").unwrap();
    assert_eq!((names(&data), data.notes()), (vec!["x"], &[note.to_string()][..]));
    // Rows are numbered again each time that the table is read and written.
    let data = read("Unnamed: 0.1,Unnamed: 0,x\n0,0,5\n1,1,6\n").unwrap();
    assert_eq!((names(&data), data.notes().len()), (vec!["x"], 2));
    let csv =
        CsvColumns { features: Some(vec!["Unnamed: 0".into(), "x".into()]), ..Default::default() };
    let options = ReadOptions { csv, ..Default::default() };
    let data = formats::parse(b"Unnamed: 0,x\n0,5\n", Format::Csv, &options, None).unwrap();
    assert_eq!((data.features(), data.notes()), (2, &[][..]));
    refused("x,,y\n1,2,3\n", "line 1, column 2: column 2 has no name: expected a name for each");
    // Empty lines before the header count.
    refused("\n\r\nx,x\n1,2\n", "line 3, column 2: column `x` occurs twice");
    refused("x,x", "line 1, column 2: column `x` occurs twice");
}

#[test]
fn a_header_in_another_case_is_taken_as_meant_and_noted() {
    let data = read("Series_ID,Time,a,Target\n0,1,5,0.5\n0,0,4,0.5\n1,0,6,1.5\n").unwrap();
    assert_eq!((data.len(), names(&data)), (2, vec!["a"]));
    assert_eq!(data.examples()[0].sequence.values(), [4.0, 5.0]);
    assert_eq!(data.target_kind(), &TargetKind::Values(1));
    assert_eq!(
        data.notes(),
        [
            "column `Series_ID` is read as `series_id`",
            "column `Time` is read as `time`",
            "column `Target` is read as a target",
        ]
    );
    let message = "line 1, column 2: expected one column `time`, got `Time` and `TIME`";
    refused("Time,TIME,a\n1,1,1\n", message);
}

#[test]
fn a_column_that_names_the_series_is_noticed() {
    let message = "line 1, column 1: expected the names of the series in a column `series_id`, got `ID`: \
                   set csv.series to `ID`, or csv.features if it is a feature";
    refused("ID,x,target\n1,5,a\n", message);
    let data = read("sensor_id,x\n1,5\n").unwrap();
    assert_eq!(
        data.notes(),
        [
            "column `sensor_id` is read as a feature, and the file as one series, as there is no column \
          `series_id`"
        ]
    );
    // Next to the names of the series, it is a feature.
    assert_eq!(names(&read("series_id,id,x\ns,1,5\n").unwrap()), ["id", "x"]);
    let message = "line 3, column 1: expected the name of a series, got an empty cell";
    refused("series_id,x\ns,1\n,2\nt,3\n", message);
}

#[test]
fn a_column_that_is_likely_to_be_the_target_is_noted() {
    let data = read("series_id,x,Label\ns,1,0\nt,2,1\n").unwrap();
    assert_eq!(
        data.notes(),
        [
            "column `Label` is read as a feature, as targets are in columns `target` unless csv.targets \
          names others"
        ]
    );
    assert!(read("series_id,x,label,target\ns,1,0,a\n").unwrap().notes().is_empty());
}

#[test]
fn a_label_under_an_unusual_name_is_refused_with_advice() {
    refused(
        "series_id,x,label\na,1,cat\n",
        "line 2, column 3: expected a number, got `cat`: targets are in a column `target`, or in those \
         that csv.targets names; data.read.csv.types says if `label` is a category, a text or ignored",
    );
}

#[test]
fn a_table_without_a_header_is_refused() {
    let message = |column: usize, got: &str| {
        format!(
            "line 1, column {column}: expected a header with the names of the columns, got the \
             number `{got}`"
        )
    };
    refused("0,0.5,1\n0,0.75,1\n", &message(1, "0"));
    refused("s0,0,0.5,up\ns0,1,0.75,up\n", &message(2, "0"));
    // Such names are usual next to others.
    assert_eq!(names(&read("series_id,0,1,target\ns,5,6,a\n").unwrap()), ["0", "1"]);
}

#[test]
fn lost_quotes_are_refused() {
    let end = "expected a closing quote, got the end of the file";
    refused("series_id,x,t\n\"s,1,2\ns,2,3\n", &format!("line 2, column 1: {end}"));
    refused("series_id,x,target\ns,1,a\ns,2,\"a\n", &format!("line 3, column 3: {end}"));
    // Two lost quotes would make one label of several rows.
    let text = "series_id,x,target\ns,1,\"a\ns,2,a\nt,3,\"b\n";
    let message =
        "line 2, column 3: expected the end of the cell after its closing quote, got more text";
    refused(text, message);
    let text = "series_id,x,target\ns,1,\"a\ns,2,a\nt,3,b\"\n";
    let message = "line 2, column 3: expected a cell on one line, got a line break between quotes";
    refused(text, message);
    let message = "line 2, column 2: expected a quote only at the beginning of a cell, and doubled within \
                   it";
    refused("x,target\n1,5\" pipe\n", message);
    let data = read("x,\"target\"\n1,\"say \"\"hi\"\", ok\"\n").unwrap();
    assert_eq!(data.target_kind(), &TargetKind::Classes(vec!["say \"hi\", ok".into()]));
}

#[test]
fn delimiters_at_the_end_of_rows() {
    let data = read("x,target,\n1,a,\n2,a,\n").unwrap();
    assert_eq!(names(&data), ["x"]);
    assert_eq!(data.notes(), ["column 3 has no name and no content, and is left out"]);
    let message = "line 3, column 3: expected an empty cell below no name, got `5`";
    refused("x,target,\n1,a,\n2,a,5\n", message);
    let message = "line 2, column 3: expected 2 cells, got 3, the last one empty: expected no delimiter at \
                   the end of a row";
    refused("x,target\n1,a,\n", message);
}

#[test]
fn decimal_commas_and_other_delimiters() {
    let message = "line 2, column 1: expected a number, got `0,5`: expected a point before the decimals and \
                   no separators between thousands";
    refused("x,target\n\"0,5\",1\n", message);
    let message = "line 2, column 3: expected 2 cells, got 3: expected quotes around a cell with a \
                   delimiter or a decimal comma";
    refused("x,target\n0,5,1\n", message);
    let message = "line 1, column 1: expected names separated by ',', got ';': set csv.delimiter";
    refused("series_id;x;target\ns;1;a\n", message);
    let message = "line 1, column 1: expected names separated by ',', got '\\t': set csv.delimiter";
    refused("series_id\tx\ttarget\ns\t1\ta\n", message);
}

#[test]
fn encodings_and_line_ends() {
    let text = "series_id,x,target\ns,1,é\ns,2,é\n";
    let expected = read(text).unwrap();
    assert_eq!(expected.examples()[0].target, Target::Class(0));
    for end in ["\r\n", "\r"] {
        let data = read(text.replace('\n', end)).unwrap();
        assert_eq!(data.examples(), expected.examples(), "{end:?}");
    }
    // The line of an error counts lines of any kind.
    refused(
        "x\r1\rz\r",
        "line 3, column 1: expected a number, got `z`: data.read.csv.types says which columns are no numbers",
    );
    refused(b"series_id,x,target\ns,1,m\xfcde\n", "line 2, column 3: invalid UTF-8");
    let message = "line 1, column 1: expected a text in UTF-8, got UTF-16: save the file as UTF-8";
    let utf16 =
        |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    for (mark, bytes) in [
        (&b"\xff\xfe"[..], utf16(u16::to_le_bytes)),
        (b"\xfe\xff", utf16(u16::to_be_bytes)),
        (b"", utf16(u16::to_le_bytes)),
        (b"", utf16(u16::to_be_bytes)),
    ] {
        refused([mark, &bytes].concat(), message);
    }
}

#[test]
fn times_are_compared_without_rounding() {
    let text = "series_id,time,x\ns,1700000000000000200,2\ns,1700000000000000100,1\n";
    assert_eq!(read(text).unwrap().examples()[0].sequence.values(), [1.0, 2.0]);
    let text = "time,x\n2024-01-01T00:00:00.000000002Z,2\n2024-01-01T00:00:00.000000001Z,1\n";
    assert_eq!(read(text).unwrap().examples()[0].sequence.values(), [1.0, 2.0]);
    let message = "line 3, column 1: expected a new time, got the time of line 2 again";
    refused("time,x\n1e3,1\n1000.0,2\n", message);
}
