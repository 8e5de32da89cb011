//! The fingerprint identifies the content of a data set, not the file that it came from.

use ragged_datasets::formats::{Format, ReadOptions, parse};

#[test]
fn a_fingerprint_depends_on_the_content_and_not_on_the_format() {
    let sum = |text: &str, format| {
        parse(text.as_bytes(), format, &ReadOptions::default(), None).unwrap().fingerprint()
    };
    let ts = sum("# a comment\n@classLabel true b a\n@data\n1,2.50,?:a\n", Format::Ts);
    // Computed in Python: sha256(pack("<Q3f", 3, 1, 2.5, nan) + b"a\n").
    assert_eq!(ts, "5a42034d0d625cd8a8286e6d2130fb2cf4849a2a90adec4d27d4e2d046c4af9d");
    let json = sum("{\"sequence\": [1, 25e-1, null], \"target\": \"a\"}", Format::JsonLines);
    assert_eq!(json, ts);
    let other = sum("@classLabel true b a\n@data\n1,2.5,?:b\n", Format::Ts);
    assert_ne!(other, ts);
}

/// Values that 32 bits cannot keep apart are different content.
#[test]
fn exact_values_count_with_all_their_bits() {
    let sum = |second: &str| {
        let text = format!(
            "{{\"sequence\": [1700000000, {second}], \"target\": \"a\"}}\n\
             {{\"sequence\": [null], \"target\": \"a\"}}\n"
        );
        parse(text.as_bytes(), Format::JsonLines, &ReadOptions::default(), None)
            .unwrap()
            .fingerprint()
    };
    // Computed in Python, with a NaN of 0x7ff8000000000000: sha256(pack("<Q2d", 2, ..) + b"a\n" + ..).
    assert_eq!(
        sum("1700000040.25"),
        "de95c106025043bef5f9eca354534c7eb54972e3934b7edb670afbc696adb100"
    );
    assert_ne!(sum("1700000040.25"), sum("1700000040.5"));
}
