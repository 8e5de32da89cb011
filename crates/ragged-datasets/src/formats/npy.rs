//! NumPy's array format (NEP 1): a header that is a Python dictionary, then the elements.

use std::io::Read;

use half::f16;

use crate::formats::arrays::{Array, Data, MAX_BYTES, single};

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy itself refuses headers of more than 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;

/// Reads an array. Memory is allocated only as bytes arrive, not by the declared shape.
pub(super) fn read(input: &mut impl Read) -> Result<Array, String> {
    let start = take(input, 8)?;
    if !start.starts_with(MAGIC) {
        return Err("expected a NumPy array, got other bytes".into());
    }
    let length = match start[6] {
        1 => take(input, 2)?.iter().rev().fold(0, |n, &byte| n * 256 + usize::from(byte)),
        2 | 3 => take(input, 4)?.iter().rev().fold(0, |n, &byte| n * 256 + usize::from(byte)),
        version => return Err(format!("expected format version 1 to 3, got {version}")),
    };
    if length > MAX_HEADER {
        return Err(format!("expected a header of at most {MAX_HEADER} bytes, got {length}"));
    }
    let header = take(input, length)?;
    let header = String::from_utf8(header).map_err(|_| "header: invalid UTF-8".to_string())?;
    let Header { descr, fortran, dims } = Header::parse(&header)?;

    let (order, code) = descr.split_at_checked(1).unwrap_or(("", &descr));
    let unknown = || format!("dtype `{descr}` is not supported: expected numbers or texts");
    let (letter, size) = code.split_at_checked(1).ok_or_else(unknown)?;
    let size: usize = size.parse().map_err(|_| unknown())?;
    let element = if letter == "U" { size.checked_mul(4) } else { Some(size) };
    let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
    let bytes = count.zip(element).and_then(|(count, element)| count.checked_mul(element));
    let Some(bytes) = bytes.filter(|&bytes| bytes <= MAX_BYTES) else {
        return Err(format!("shape {dims:?} is too large: expected at most {MAX_BYTES} bytes"));
    };
    if element == Some(0) && bytes == 0 && count != Some(0) && letter != "U" {
        return Err(unknown());
    }
    let mut data = take(input, bytes)?;
    if order == ">" {
        let unit = if letter == "U" { 4 } else { size.max(1) };
        data.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
    let data = match (letter, size) {
        ("f", 2) => Data::of_bytes(&data, |b| f64::from(f16::from_le_bytes(b)))?,
        ("f", 4) => Data::of_bytes(&data, |b| f64::from(f32::from_le_bytes(b)))?,
        ("f", 8) => Data::of_bytes(&data, f64::from_le_bytes)?,
        ("b" | "u", 1) => Data::integers(&data, |b| i64::from(u8::from_le_bytes(b))),
        ("u", 2) => Data::integers(&data, |b| i64::from(u16::from_le_bytes(b))),
        ("u", 4) => Data::integers(&data, |b| i64::from(u32::from_le_bytes(b))),
        ("u", 8) => Data::unsigned(&data, u64::from_le_bytes),
        ("i", 1) => Data::integers(&data, |b| i64::from(i8::from_le_bytes(b))),
        ("i", 2) => Data::integers(&data, |b| i64::from(i16::from_le_bytes(b))),
        ("i", 4) => Data::integers(&data, |b| i64::from(i32::from_le_bytes(b))),
        ("i", 8) => Data::integers(&data, i64::from_le_bytes),
        ("U", size) => Data::Text(texts(&data, size, count.unwrap_or(0))?),
        _ => return Err(unknown()),
    };
    let array = Array { dims, data };
    Ok(if fortran { transposed(array)? } else { array })
}

/// Reads exactly `count` bytes.
fn take(input: &mut impl Read, count: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![];
    input.take(count as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() < count {
        return Err(format!("expected {count} more bytes, got {}", bytes.len()));
    }
    Ok(bytes)
}

/// Decodes NumPy's texts: `size` UTF-32 characters each, filled up with zeros.
fn texts(bytes: &[u8], size: usize, count: usize) -> Result<Vec<String>, String> {
    if size == 0 {
        return Err("expected texts of at least one character".into());
    }
    let characters = bytes.as_chunks::<4>().0.iter().map(|&bytes| {
        let code = u32::from_le_bytes(bytes);
        char::from_u32(code).ok_or_else(|| format!("expected a Unicode character, got code {code}"))
    });
    let characters: Vec<char> = characters.collect::<Result<_, _>>()?;
    let text = |text: &[char]| text.iter().collect::<String>().trim_end_matches('\0').to_string();
    Ok(characters.chunks_exact(size).take(count).map(text).collect())
}

fn transposed(array: Array) -> Result<Array, String> {
    let [rows, columns] = array.dims[..] else {
        // In one dimension, both orders are the same.
        return match array.dims.len() {
            0 | 1 => Ok(array),
            dims => Err(format!("expected at most 2 dimensions in Fortran order, got {dims}")),
        };
    };
    fn row_major<T: Clone>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
        (0..rows * columns).map(|k| values[k % columns * rows + k / columns].clone()).collect()
    }
    let data = match &array.data {
        Data::Float(values) => Data::Float(row_major(values, rows, columns)),
        Data::Integer(values) => Data::Integer(row_major(values, rows, columns)),
        Data::Unsigned(values) => Data::Unsigned(row_major(values, rows, columns)),
        Data::Text(values) => Data::Text(row_major(values, rows, columns)),
    };
    Ok(Array { dims: array.dims, data })
}

struct Header {
    descr: String,
    fortran: bool,
    dims: Vec<usize>,
}

impl Header {
    /// Parses the dictionary, which has each of its three keys once, in any order.
    fn parse(text: &str) -> Result<Self, String> {
        let bad = || "header: expected a dictionary of descr, fortran_order and shape".to_string();
        let inside = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let mut rest = inside.ok_or_else(bad)?;
        let (mut descr, mut fortran, mut dims) = (None, None, None);
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                break;
            }
            let (key, after) = quoted(rest).ok_or_else(bad)?;
            rest = after.trim_start().strip_prefix(':').ok_or_else(bad)?.trim_start();
            match key {
                "descr" if descr.is_none() => {
                    let (value, after) = quoted(rest).ok_or("header: expected one plain dtype")?;
                    (descr, rest) = (Some(value.to_string()), after);
                }
                "fortran_order" if fortran.is_none() => {
                    let yes = rest.strip_prefix("True").map(|after| (true, after));
                    let no = || rest.strip_prefix("False").map(|after| (false, after));
                    let (value, after) = yes.or_else(no).ok_or_else(bad)?;
                    (fortran, rest) = (Some(value), after);
                }
                "shape" if dims.is_none() => {
                    let (value, after) =
                        rest.strip_prefix('(').and_then(|r| r.split_once(')')).ok_or_else(bad)?;
                    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
                    let sizes = parts.map(|part| part.trim_end_matches('L').parse::<usize>());
                    let sizes = sizes.collect::<Result<Vec<_>, _>>().map_err(|_| bad())?;
                    (dims, rest) = (Some(sizes), after);
                }
                _ => return Err(bad()),
            }
        }
        match (descr, fortran, dims) {
            (Some(descr), Some(fortran), Some(dims)) => Ok(Self { descr, fortran, dims }),
            _ => Err(bad()),
        }
    }
}

/// Splits a quoted text from the text after it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// Returns the bytes of an array.
pub(super) fn write(array: &Array) -> Vec<u8> {
    let (descr, data): (String, Vec<u8>) = match &array.data {
        Data::Float(values) => match single(values) {
            Some(values) => {
                ("<f4".into(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            None => ("<f8".into(), values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        },
        Data::Integer(values) => {
            ("<i8".into(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Data::Unsigned(values) => {
            ("<u8".into(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Data::Text(texts) => {
            let size = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            let padded = |text: &String| {
                let codes = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(size);
                codes.flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
            };
            (format!("<U{size}"), texts.iter().flat_map(padded).collect())
        }
    };
    let dims: String = array.dims.iter().map(|dim| format!("{dim}, ")).collect();
    let dims = dims.trim_end();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    // Spaces and a line feed, so that the elements begin at a multiple of 64 bytes.
    let length = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    header.extend(std::iter::repeat_n(' ', length - header.len() - 1));
    header.push('\n');
    let version_and_length = [&[1, 0][..], &(length as u16).to_le_bytes()].concat();
    [MAGIC, &version_and_length, header.as_bytes(), &data].concat()
}
