//! Every dtype, no sequences, empty sequences, tensors that are not contiguous.

use candle_core::{DType, Device, Tensor};
use ragged_sequence::*;

const CPU: &Device = &Device::Cpu;

#[test]
fn every_dtype_is_padded_and_packed() {
    use DType::*;
    for dtype in [U8, U32, I16, I32, I64, BF16, F16, F32, F64, F8E4M3] {
        let sequences: Vec<Tensor> = [vec![1f32, 2.0], vec![], vec![3.0, 4.0, 5.0]]
            .into_iter()
            .map(|v| Tensor::new(v, CPU).unwrap().to_dtype(dtype).unwrap())
            .collect();
        let padding = Padding { value: 9.0, ..Padding::default() };
        let padded = pad_sequence(&sequences, &padding).unwrap();
        let packed = pack_padded_sequence(&padded, &[2, 0, 3], false).unwrap();
        let (back, _) = pad_packed_sequence(&packed, &padding).unwrap();
        assert_eq!((padded.dtype(), packed.data().dtype(), back.dtype()), (dtype, dtype, dtype));
        let floats = |t: &Tensor| t.to_dtype(F32).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(floats(&padded), [[1.0, 2.0, 9.0], [9.0, 9.0, 9.0], [3.0, 4.0, 5.0]]);
        assert_eq!(floats(&back), floats(&padded), "{dtype:?}");
    }
}

/// Sequences without steps are allowed (pytorch#11514), also for all sequences of a batch.
#[test]
fn batches_of_empty_sequences_are_allowed() {
    let empty = Tensor::zeros((0, 2), DType::F32, CPU).unwrap();
    let sequences = [empty.clone(), empty];
    let padded = pad_sequence(&sequences, &Padding::default()).unwrap();
    assert_eq!(padded.dims(), [2, 0, 2]);
    let packed = pack_padded_sequence(&padded, &[0, 0], true).unwrap();
    assert_eq!((packed.data().dims(), packed.batch_size()), (&[0, 2][..], 2));
    assert_eq!(pack_sequence(&sequences, false).unwrap().lengths(), [0, 0]);
    assert_eq!(unpack_sequence(&packed).unwrap()[1].dims(), [0, 2]);
    let total = Padding { total_length: Some(3), value: 1.5, ..Padding::default() };
    let (back, lengths) = pad_packed_sequence(&packed, &total).unwrap();
    assert_eq!((back.dims(), lengths), (&[2, 3, 2][..], vec![0, 0]));
    assert!(back.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|&v| v == 1.5));
}

#[test]
fn batches_without_sequences_are_allowed() {
    let padded = Tensor::zeros((0, 4, 3), DType::F32, CPU).unwrap();
    let packed = pack_padded_sequence(&padded, &[], false).unwrap();
    assert_eq!((packed.data().dims(), packed.batch_size()), (&[0, 3][..], 0));
    let (back, _) = pad_packed_sequence(&packed, &Padding::default()).unwrap();
    assert_eq!(back.dims(), [0, 0, 3]);
    assert_eq!(unpad_sequence(&padded, &[], PaddingSide::Right).unwrap().len(), 0);
}

#[test]
fn strided_input_is_packed_by_value() {
    let time_first = Tensor::arange(0f32, 24.0, CPU).unwrap().reshape((4, 3, 2)).unwrap();
    let batch_first = time_first.transpose(0, 1).unwrap();
    let strided = pack_padded_sequence(&batch_first, &[4, 1, 2], false).unwrap();
    let copied = batch_first.contiguous().unwrap();
    let contiguous = pack_padded_sequence(&copied, &[4, 1, 2], false).unwrap();
    let rows = |p: &PackedSequence| p.data().to_vec2::<f32>().unwrap();
    assert_eq!(rows(&strided), rows(&contiguous));
}

#[test]
fn map_keeps_the_layout() {
    let sequences = [Tensor::new(&[1f32, 2.0], CPU).unwrap(), Tensor::new(&[3f32], CPU).unwrap()];
    let packed = pack_sequence(&sequences, true).unwrap();
    let doubled = packed.map(|rows| rows * 2.0).unwrap();
    assert_eq!(doubled.data().to_vec1::<f32>().unwrap(), [2.0, 6.0, 4.0]);
    assert_eq!(doubled.layout(), packed.layout());
    let wide = packed.map(|rows| rows.unsqueeze(1)?.broadcast_as((3, 5))).unwrap();
    assert_eq!(wide.data().dims(), [3, 5]);
    assert_eq!(packed.to_dtype(DType::F64).unwrap().data().dtype(), DType::F64);
    assert_eq!(packed.to_device(CPU).unwrap().lengths(), [2, 1]);
}
