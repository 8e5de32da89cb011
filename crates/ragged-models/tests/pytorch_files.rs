//! Checkpoints as `torch.save` writes them on every machine and with every option: byte orders, views,
//! pickle protocols, parameters and subclasses; and the kinds of tensors that cannot be read.
//!
//! The archives are written here, opcode by opcode, so that the expected values are known.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use ragged_models::{Linear, LoadOptions, Parameters, Result, read_state_dict};
use zip::write::SimpleFileOptions;

/// The opcodes of one value.
type Code = Vec<u8>;

fn text(text: &str) -> Code {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn int(number: i64) -> Code {
    [&[0x8a, 8], &number.to_le_bytes()[..]].concat()
}

fn global(name: &str) -> Code {
    let (module, name) = name.rsplit_once('.').unwrap();
    format!("c{module}\n{name}\n").into_bytes()
}

fn tuple(elements: &[Code]) -> Code {
    [b"(", elements.concat().as_slice(), b"t"].concat()
}

fn ints(numbers: &[usize]) -> Code {
    tuple(&numbers.iter().map(|&number| int(number as i64)).collect::<Vec<_>>())
}

fn call(function: &str, arguments: &[Code]) -> Code {
    [global(function), tuple(arguments), b"R".into()].concat()
}

fn dict(entries: &[(&str, Code)]) -> Code {
    let entries: Code = entries.iter().flat_map(|(k, v)| [text(k), v.clone()].concat()).collect();
    [b"}(", entries.as_slice(), b"u"].concat()
}

const TRUE: &[u8] = &[0x88];
const FALSE: &[u8] = &[0x89];

fn no_hooks() -> Code {
    call("collections.OrderedDict", &[])
}

fn storage(class: &str, key: &str) -> Code {
    let id = [text("storage"), global(class), text(key), text("cpu"), int(1)];
    [tuple(&id), b"Q".into()].concat()
}

/// The arguments of `_rebuild_tensor_v2`.
fn view(class: &str, key: &str, offset: i64, size: &[usize], stride: &[usize]) -> Vec<Code> {
    let place = [storage(class, key), int(offset), ints(size), ints(stride)];
    [&place[..], &[FALSE.into(), no_hooks()]].concat()
}

const REBUILD: &str = "torch._utils._rebuild_tensor_v2";

/// A vector that is the whole storage.
fn vector(class: &str, key: &str, length: usize) -> Code {
    call(REBUILD, &view(class, key, 0, &[length], &[1]))
}

fn negated(class: &str, key: &str, length: usize, metadata: &[(&str, Code)]) -> Code {
    let arguments = view(class, key, 0, &[length], &[1]);
    call(REBUILD, &[arguments, vec![dict(metadata)]].concat())
}

/// A checkpoint in a folder of its own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    /// Writes the pickle of one value, and its storages.
    fn new(root: Code, storages: &[(&str, Vec<u8>)]) -> Self {
        let pickle = [&[0x80, 2], root.as_slice(), b"."].concat();
        Self::of_records("w", pickle, Some("little"), storages)
    }

    fn of_records(
        name: &str,
        pickle: Vec<u8>,
        order: Option<&str>,
        storages: &[(&str, Vec<u8>)],
    ) -> Self {
        let mut records = vec![(format!("{name}/data.pkl"), pickle)];
        records.extend(order.map(|order| (format!("{name}/byteorder"), order.into())));
        let storage =
            |(key, bytes): &(&str, Vec<u8>)| (format!("{name}/data/{key}"), bytes.clone());
        records.extend(storages.iter().map(storage));
        Self::of_archive(&records)
    }

    fn of_archive(records: &[(String, Vec<u8>)]) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        let mut zip = zip::ZipWriter::new(std::fs::File::create(file.path()).unwrap());
        let options =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in records {
            zip.start_file(name.as_str(), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("w.pt")
    }

    fn read(&self) -> Result<HashMap<String, Tensor>> {
        read_state_dict(&self.path(), &LoadOptions::default())
    }

    #[track_caller]
    fn fails(&self, message: &str) {
        check(self.read(), &self.path(), message);
    }
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T>, file: &Path, message: &str) {
    let error = result.unwrap_err().to_string();
    assert_eq!(error, format!("{}: {message}", file.display()));
}

/// The elements of the tensor `x`.
fn x(file: &File) -> Vec<f64> {
    values(&file.read().unwrap()["x"])
}

fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn the_byte_order_of_the_file_counts() {
    let numbers = [1.5, -2.25, 3e5];
    let state = dict(&[
        ("half", vector("torch.HalfStorage", "0", 2)),
        ("float", vector("torch.FloatStorage", "1", 3)),
        ("double", vector("torch.DoubleStorage", "2", 3)),
        ("long", vector("torch.LongStorage", "3", 2)),
        ("byte", vector("torch.ByteStorage", "4", 2)),
    ]);
    let pickle = [&[0x80, 2], state.as_slice(), b"."].concat();
    let storages = |big: bool| {
        // 1.5 and -2 in half precision.
        let mut elements = [
            vec![vec![0x00, 0x3e], vec![0x00, 0xc0]],
            numbers.map(|x| (x as f32).to_le_bytes().to_vec()).to_vec(),
            numbers.map(|x: f64| x.to_le_bytes().to_vec()).to_vec(),
            [-3i64, 1 << 40].map(|x| x.to_le_bytes().to_vec()).to_vec(),
            vec![vec![7], vec![200]],
        ];
        if big {
            elements.iter_mut().flatten().for_each(|element| element.reverse());
        }
        let bytes = elements.map(|elements| elements.concat());
        ["0", "1", "2", "3", "4"].into_iter().zip(bytes).collect::<Vec<_>>()
    };
    // A file without the record is one of PyTorch before 2.1.
    for (order, big) in [(Some("little"), false), (Some("big"), true), (None, false)] {
        let file = File::of_records("w", pickle.clone(), order, &storages(big));
        let tensors = file.read().unwrap();
        let got = ["half", "float", "double", "long", "byte"].map(|name| values(&tensors[name]));
        let want = [
            vec![1.5, -2.0],
            numbers.into(),
            numbers.into(),
            vec![-3.0, (1u64 << 40) as f64],
            vec![7.0, 200.0],
        ];
        assert_eq!(got, want, "{order:?}");
    }
    let file = File::of_records("w", pickle, Some("middle"), &storages(false));
    file.fails("w/byteorder: expected `little` or `big`, got `middle`");
}

#[test]
fn the_negative_bit_negates() {
    let neg = [("neg", TRUE.into())];
    let state = dict(&[
        ("float", negated("torch.FloatStorage", "0", 3, &neg)),
        ("plain", negated("torch.FloatStorage", "0", 3, &[("neg", FALSE.into())])),
        ("int", negated("torch.IntStorage", "1", 3, &neg)),
        ("byte", negated("torch.ByteStorage", "2", 2, &neg)),
        ("half", negated("torch.HalfStorage", "3", 1, &neg)),
    ]);
    let integers: Vec<u8> = [1, -5, i32::MIN].iter().flat_map(|x| x.to_le_bytes()).collect();
    let storages = [
        ("0", floats(&[1.0, -2.5, 0.0])),
        ("1", integers),
        ("2", vec![1, 0]),
        ("3", vec![0x00, 0x3c]),
    ];
    let tensors = File::new(state, &storages).read().unwrap();
    assert_eq!(values(&tensors["float"]), [-1.0, 2.5, 0.0]);
    assert_eq!(values(&tensors["plain"]), [1.0, -2.5, 0.0]);
    let wrapped = f64::from(i32::MIN);
    assert_eq!(values(&tensors["int"]), [-1.0, 5.0, wrapped]);
    assert_eq!(values(&tensors["byte"]), [255.0, 0.0]);
    assert_eq!(values(&tensors["half"]), [-1.0]);
    let other = [("conj", TRUE.into())];
    let state = dict(&[("x", negated("torch.FloatStorage", "0", 3, &other))]);
    File::new(state, &storages).fails("tensor x: metadata: conj is not supported");
}

/// The imaginary part of a conjugate: every second element, negated.
#[test]
fn the_negative_bit_of_a_strided_view() {
    let place = view("torch.FloatStorage", "0", 1, &[2], &[2]);
    let metadata = vec![dict(&[("neg", TRUE.into())])];
    let state = dict(&[("x", call(REBUILD, &[place, metadata].concat()))]);
    assert_eq!(x(&File::new(state, &[("0", floats(&[1.0, 2.0, 3.0, 4.0]))])), [-2.0, -4.0]);
}

#[test]
fn views_have_the_elements_of_their_strides() {
    let numbers: Vec<f32> = (0..24).map(|k| k as f32).collect();
    let storages = [("0", floats(&numbers))];
    let check = |offset: usize, size: &[usize], stride: &[usize]| {
        let place = view("torch.FloatStorage", "0", offset as i64, size, stride);
        let tensor = File::new(dict(&[("x", call(REBUILD, &place))]), &storages).read().unwrap();
        let tensor = tensor["x"].clone();
        assert_eq!(tensor.dims(), size);
        // The elements by their definition.
        let mut want = vec![offset];
        for (&dim, &stride) in size.iter().zip(stride) {
            want = want.iter().flat_map(|at| (0..dim).map(move |k| at + k * stride)).collect();
        }
        let want: Vec<f64> = want.into_iter().map(|at| at as f64).collect();
        assert_eq!(values(&tensor), want, "{offset} {size:?} {stride:?}");
    };
    check(0, &[2, 3, 4], &[12, 4, 1]);
    check(3, &[2, 3], &[3, 1]);
    check(2, &[3, 2], &[1, 3]);
    check(0, &[4, 2, 3], &[1, 12, 4]);
    check(5, &[], &[]);
    check(1, &[4], &[5]);
    check(1, &[2, 3], &[11, 2]);
    check(0, &[3, 4], &[0, 1]);
    check(7, &[2, 3, 2], &[1, 0, 2]);
    check(9, &[3, 2], &[0, 0]);
    // Dimensions of size 1 may have any stride.
    check(4, &[1, 3, 1, 2], &[99, 2, 77, 1]);
    // Windows that overlap, as `unfold` gives them.
    check(2, &[5, 3], &[1, 1]);
    check(0, &[4, 4, 4], &[2, 1, 2]);
    check(0, &[2, 0, 3], &[0, 3, 1]);
    check(0, &[0], &[1]);
}

#[test]
fn an_expanded_tensor_needs_no_memory() {
    let size = [1 << 40, 2];
    let place = view("torch.FloatStorage", "0", 0, &size, &[0, 1]);
    let file = File::new(dict(&[("x", call(REBUILD, &place))]), &[("0", floats(&[1.0, 2.0]))]);
    let tensors = file.read().unwrap();
    assert_eq!(tensors["x"].dims(), size);
    assert_eq!(values(&tensors["x"].narrow(0, 1 << 30, 2).unwrap()), [1.0, 2.0, 1.0, 2.0]);
}

#[test]
fn a_tensor_beyond_its_storage_is_an_error() {
    let storages = [("0", vec![0; 1 << 16])];
    let fails = |offset: i64, size: &[usize], stride: &[usize], message: &str| {
        let place = view("torch.ByteStorage", "0", offset, size, stride);
        File::new(dict(&[("x", call(REBUILD, &place))]), &storages).fails(message);
    };
    let beyond =
        |size: &str| format!("tensor x: size {size} is beyond the 65536 elements of its storage");
    fails(0, &[65537], &[1], &beyond("[65537]"));
    fails(65536, &[], &[], &beyond("[]"));
    fails(1, &[2, 32768], &[32768, 1], &beyond("[2, 32768]"));
    fails(i64::MAX, &[2], &[1], &beyond("[2]"));
    fails(0, &[1 << 40, 1 << 40], &[0, 0], &beyond("[1099511627776, 1099511627776]"));
    fails(
        0,
        &[1 << 62, 1 << 62, 0],
        &[0, 0, 0],
        &beyond("[4611686018427387904, 4611686018427387904, 0]"),
    );
    // A few bytes of pickle must not fill the memory.
    let message =
        "tensor x: size [30000, 30000] repeats elements of its storage too often: save a copy";
    fails(0, &[30000, 30000], &[1, 1], message);
    fails(-1, &[1], &[1], "tensor x: expected a number of at least 0, got -1");
    fails(0, &[1], &[], "tensor x: size [1] and stride [] differ in length");
    let place = view("torch.FloatStorage", "7", 0, &[1], &[1]);
    let file = File::new(dict(&[("x", call(REBUILD, &place))]), &storages);
    let error = file.read().unwrap_err().to_string();
    assert!(error.contains(": tensor x: w/data/7: "), "{error}");
}

/// `torch.nn.Parameter`, one with attributes, and tensors of Python subclasses of both versions.
#[test]
fn parameters_and_subclasses_are_read_as_their_tensors() {
    let tensor = vector("torch.FloatStorage", "0", 2);
    let parameter = [tensor, TRUE.into(), no_hooks()];
    let attributes = dict(&[("partition_dim", int(0))]);
    let with_state = [&parameter[..], std::slice::from_ref(&attributes)].concat();
    let place = tuple(&view("torch.FloatStorage", "0", 0, &[2], &[1]));
    let of = |function: &str, arguments: Code| {
        [global(function), global("mine.Tensor"), arguments, attributes.clone()]
    };
    let state = dict(&[
        ("a", call("torch._utils._rebuild_parameter", &parameter)),
        ("b", call("torch._utils._rebuild_parameter_with_state", &with_state)),
        ("c", call("torch._tensor._rebuild_from_type_v2", &of(REBUILD, place.clone()))),
        ("d", call("torch._tensor._rebuild_from_type", &of(REBUILD, place))),
        (
            "e",
            call(
                "torch._tensor._rebuild_from_type_v2",
                &of("torch._utils._rebuild_parameter", tuple(&parameter)),
            ),
        ),
    ]);
    let tensors = File::new(state, &[("0", floats(&[0.5, -4.0]))]).read().unwrap();
    assert_eq!(tensors.len(), 5);
    for (name, tensor) in tensors {
        assert_eq!(values(&tensor), [0.5, -4.0], "{name}");
    }
}

/// The newer dtypes have storages without a type; the tensor names the dtype.
#[test]
fn untyped_storages_have_the_dtype_of_the_tensor() {
    let state = |dtype: &str, metadata: Option<Code>| {
        let mut arguments = view("torch.storage.UntypedStorage", "0", 0, &[2], &[1]);
        arguments.push(global(dtype));
        arguments.extend(metadata);
        dict(&[("x", call("torch._utils._rebuild_tensor_v3", &arguments))])
    };
    let storages = [("0", vec![1, 0, 0, 0, 0, 0, 0, 0x80])];
    let expected = [1.0, f64::from(1u32 << 31)];
    assert_eq!(x(&File::new(state("torch.uint32", None), &storages)), expected);
    let neg = dict(&[("neg", TRUE.into())]);
    let wrapped = [f64::from(u32::MAX), f64::from(1u32 << 31)];
    assert_eq!(x(&File::new(state("torch.uint32", Some(neg)), &storages)), wrapped);
    let message = "tensor x: dtype torch.float8_e5m2 is not supported";
    File::new(state("torch.float8_e5m2", None), &storages).fails(message);
}

#[test]
fn tensors_of_unknown_kinds_are_named() {
    let storages = [("0", floats(&[1.0, 2.0]))];
    let tensor = vector("torch.FloatStorage", "0", 2);
    let fails = |value: Code, message: &str| {
        let state = dict(&[("good", tensor.clone()), ("x", value)]);
        File::new(state, &storages).fails(&format!("tensor x: {message}"));
    };
    let place = view("torch.QInt8Storage", "0", 0, &[2], &[1]);
    let message = "torch._utils._rebuild_qtensor: quantised tensors are not \
                   supported: save tensor.dequantize()";
    fails(call("torch._utils._rebuild_qtensor", &place), message);
    let message = "torch._utils._rebuild_sparse_tensor: sparse tensors are not \
                   supported: save tensor.to_dense()";
    fails(call("torch._utils._rebuild_sparse_tensor", &[int(0), tuple(&[])]), message);
    let message = "torch._utils._rebuild_tensor_v9 makes an unknown kind of tensor";
    fails(call("torch._utils._rebuild_tensor_v9", &[]), message);
    let message = "mine.wrap makes an unknown kind of tensor";
    fails(call("mine.wrap", std::slice::from_ref(&tensor)), message);
    let wrapped = [global("mine.rebuild"), global("mine.Tensor"), tuple(&[]), dict(&[])];
    let message = "mine.rebuild makes an unknown kind of tensor";
    fails(call("torch._tensor._rebuild_from_type_v2", &wrapped), message);
    let message = "torch._utils._rebuild_parameter was not called with a tensor";
    fails(call("torch._utils._rebuild_parameter", &[int(1)]), message);
    let message = "storage type torch.ComplexFloatStorage is not supported";
    fails(vector("torch.ComplexFloatStorage", "0", 1), message);
    let mut nested = tensor.clone();
    for _ in 0..20 {
        nested = call("torch._utils._rebuild_parameter", &[nested]);
    }
    let message = "torch._utils._rebuild_parameter contains more than 8 calls, one in the other";
    fails(nested, message);
}

/// A linear layer takes its own tensors from a file with all kinds of other entries.
#[test]
fn only_entries_that_are_needed_must_be_readable() {
    let weight = call(REBUILD, &view("torch.FloatStorage", "0", 0, &[1, 2], &[2, 1]));
    let bias = call(REBUILD, &view("torch.FloatStorage", "0", 1, &[1], &[1]));
    let quantised = || call("torch._utils._rebuild_qtensor", &[]);
    let state = |bias: Code| {
        let entries = [
            ("head.weight", weight.clone()),
            ("head.bias", bias),
            ("head.steps", int(3)),
            ("body.weight", quantised()),
        ];
        File::new(dict(&entries), &[("0", floats(&[1.0, 2.0]))])
    };
    let load = |file: &File, prefix: &str, strict: bool| {
        let parameters = Parameters::new(1);
        let builder = parameters.builder(DType::F32, &Device::Cpu);
        let builder = if prefix.is_empty() { builder.pp("head") } else { builder };
        Linear::new(2, 1, builder).unwrap();
        let options = LoadOptions { prefix: prefix.into(), strict, ..LoadOptions::default() };
        parameters.load_with(&file.path(), &options)?;
        Result::Ok(parameters.state_dict().values().flat_map(values).collect::<Vec<_>>())
    };
    let file = state(bias);
    assert_eq!(load(&file, "head.", true).unwrap(), [2.0, 1.0, 2.0]);
    assert_eq!(load(&file, "", false).unwrap(), [2.0, 1.0, 2.0]);
    let message = "tensor body.weight: torch._utils._rebuild_qtensor: \
                   quantised tensors are not supported: save tensor.dequantize()";
    check(load(&file, "", true), &file.path(), message);
    // What has the name of a parameter is never just missing.
    for strict in [true, false] {
        let file = state(int(2));
        let message = "head.bias is a number: expected a tensor";
        check(load(&file, "head.", strict), &file.path(), message);
        let file = state(call("numpy.core.multiarray._reconstruct", &[]));
        let message =
            "head.bias is an object of numpy.core.multiarray._reconstruct: expected a tensor";
        check(load(&file, "head.", strict), &file.path(), message);
        let file = state(quantised());
        let message = message_of_quantised("head.bias");
        check(load(&file, "head.", strict), &file.path(), &message);
    }
}

fn message_of_quantised(name: &str) -> String {
    format!(
        "tensor {name}: torch._utils._rebuild_qtensor: quantised tensors are \
         not supported: save tensor.dequantize()"
    )
}

/// The same state dict as the protocols write it. 4 and 5 have frames, memoised short texts and
/// classes whose names are on the stack.
#[test]
fn pickle_protocols_2_to_5_are_read() {
    let storages = [("0", floats(&[1.0, 2.0]))];
    let state = dict(&[("x", vector("torch.FloatStorage", "0", 2))]);
    let short = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes(), &[0x94]].concat();
    let class = |module: &str, name: &str| [short(module), short(name), vec![0x93, 0x94]].concat();
    // {'x': _rebuild_tensor_v2(storage, 0, (2,), (1,), False, OrderedDict()), 'y': 'x'}
    let new: Code = [
        b"}\x94(".to_vec(),
        short("x"),
        class("torch._utils", "_rebuild_tensor_v2"),
        b"((".to_vec(),
        short("storage"),
        class("torch", "FloatStorage"),
        short("0"),
        short("cpu"),
        b"K\x02t\x94QK\x00K\x02\x85\x94K\x01\x85\x94\x89".to_vec(),
        class("collections", "OrderedDict"),
        b")R\x94t\x94R\x94".to_vec(),
        short("y"),
        // The first text that was memoised.
        b"h\x01u.".to_vec(),
    ]
    .concat();
    let framed = [&[0x95], &(new.len() as u64).to_le_bytes()[..], &new].concat();
    for (protocol, code) in [
        (2, [state.as_slice(), b"."].concat()),
        (3, [state.as_slice(), b"."].concat()),
        (4, framed.clone()),
        (5, framed),
    ] {
        let pickle = [&[0x80, protocol], code.as_slice()].concat();
        let file = File::of_records("w", pickle, Some("little"), &storages);
        assert_eq!(x(&file), [1.0, 2.0], "protocol {protocol}");
    }
    let pickle = |bytes: &[u8]| File::of_records("w", bytes.into(), None, &storages);
    let message =
        "data.pkl: opcode PROTO at byte 0: pickle protocol 6 is not supported: expected 2 to 5";
    pickle(b"\x80\x06}.").fails(message);
    let message = "data.pkl: opcode EMPTY_DICT at byte 0: expected opcode PROTO, with which the pickle \
                   protocols 2 to 5 begin";
    pickle(b"}.").fails(message);
    let message = "data.pkl: opcode INST at byte 3: the opcode is not supported: torch.save does not \
                   write it with the protocols 2 to 5";
    pickle(b"\x80\x02(ia\nb\n.").fails(message);
}

#[test]
fn a_saved_module_or_torchscript_is_refused() {
    let module = [global("torch.nn.modules.rnn.LSTM"), b")\x81}b".into()].concat();
    let message = "the file holds an object of torch.nn.modules.rnn.LSTM, expected a dictionary of \
                   tensors: save module.state_dict()";
    File::new(module, &[]).fails(message);
    let pickle = || b"\x80\x02}.".to_vec();
    let records = ["data.pkl", "constants.pkl"].map(|name| (format!("w/{name}"), pickle()));
    let message =
        "a TorchScript archive: expected a file that torch.save wrote, of module.state_dict()";
    File::of_archive(&records).fails(message);
    let message = "a zip archive without data.pkl: expected a file that torch.save wrote";
    File::of_archive(&records[1..]).fails(message);
    File::of_archive(&records[..1]).fails("the file holds no tensor");
    let list = File::new(b"]".into(), &[]);
    list.fails("the file holds a list, expected a dictionary of tensors: save module.state_dict()");
}

#[test]
fn names_of_any_characters_are_shown_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.safetensors");
    for length in 96..104 {
        let name = "a".repeat(length) + "éééé";
        let tensor = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
        candle_core::safetensors::save(&HashMap::from([(name.clone(), tensor)]), &path).unwrap();
        let options = LoadOptions { prefix: "ü.".into(), ..LoadOptions::default() };
        let first: String = name.chars().take(100).collect();
        let message = format!("no name begins with ü.: the first name is {first}");
        check(read_state_dict(&path, &options), &path, &message);
    }
    let state = dict(&[("ж", vector("torch.FloatStorage", "0", 1))]);
    let file = File::new(state, &[("0", floats(&[1.0]))]);
    assert_eq!(values(&file.read().unwrap()["ж"]), [1.0]);
}

/// A pickle with a changed byte is an error or another state dict, without a panic.
#[test]
fn damaged_pickles_are_errors() {
    let parameter = [vector("torch.FloatStorage", "0", 2), TRUE.into(), no_hooks()];
    let whole = dict(&[("x", call("torch._utils._rebuild_parameter", &parameter))]);
    let whole = [&[0x80, 2], whole.as_slice(), b"."].concat();
    for at in 0..whole.len() {
        for value in [0, b'(', b't', b'0', 0x8a, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let storages = [("0", floats(&[1.0, 2.0]))];
            let _ = File::of_records("w", damaged, Some("little"), &storages).read();
        }
        let cut = whole[..at].to_vec();
        assert!(File::of_records("w", cut, None, &[]).read().is_err(), "cut at {at}");
    }
}
