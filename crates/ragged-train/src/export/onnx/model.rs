//! A trained model as an ONNX file.

use std::collections::BTreeMap;

use candle_core::Tensor;
use prost::Message;
use ragged_datasets::formats::Schema;
use ragged_datasets::transforms::{Pipeline, Transform};
use ragged_models::{ModelConfig, Readout};
use ragged_transforms::{Outputs, TokenEncoder};

use crate::error::{Error, Result};
use crate::export::onnx::graph::GraphBuilder;
use crate::export::onnx::messages::{Model, OperatorSet};
use crate::export::onnx::predictions::Steps;
use crate::export::onnx::recurrent::Layers;
use crate::export::onnx::supported::check_supported;
use crate::export::onnx::weights::Weights;
use crate::export::onnx::{
    attention, embedding, inputs, linear, metadata, predictions, readout, recurrent, statics,
    transforms,
};

/// The version of the operators.
const OPSET: i64 = 18;
/// The version of the file format that came with them.
const IR_VERSION: i64 = 8;
/// Readers of protocol buffers refuse more bytes.
const MOST_BYTES: usize = i32::MAX as usize;

/// What an exported model consists of.
pub(crate) struct TrainedModel<'a> {
    /// The name of the run.
    pub(crate) name: &'a str,
    /// The epoch from which the weights are.
    pub(crate) epoch: usize,
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a BTreeMap<String, Tensor>,
    pub(crate) transforms: &'a Pipeline,
    pub(crate) outputs: &'a Outputs,
    pub(crate) schema: &'a Schema,
    /// The vocabularies of tokens and of static values.
    pub(crate) encoder: &'a TokenEncoder,
}

/// Returns the bytes of an ONNX file.
///
/// # Errors
///
/// [`Error::OnnxUnsupported`] for what ONNX has no operator for, [`Error::OnnxSize`] for a model that is too large.
pub(crate) fn encode(model: &TrainedModel<'_>) -> Result<Vec<u8>> {
    let bytes = Weights(model.weights).bytes();
    // Checked first: there is no second copy of weights that are too large.
    check_size(bytes)?;
    let message = build(model)?;
    check_size(message.encoded_len())?;
    Ok(message.encode_to_vec())
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    Err(Error::OnnxSize { bytes, most: MOST_BYTES })
}

fn build(model: &TrainedModel<'_>) -> Result<Model> {
    let TrainedModel { config, schema, .. } = model;
    check_supported(config, &schema.targets)?;
    let mut graph = GraphBuilder::new(model.name, String::new());
    let features = model.transforms.features();
    let mut sequences = inputs::sequences(&mut graph, schema, features, model.encoder);
    let weights = Weights(model.weights);
    let statics = config
        .statics
        .as_ref()
        .map(|config| statics::features(&mut graph, config, model.encoder.statics(), &weights));
    let statics = statics.transpose()?;
    for transform in model.transforms.transforms() {
        transforms::apply(&mut graph, transform, &mut sequences);
    }
    sequences.round(&mut graph);

    let rows = embedding::rows(&mut graph, config.tokens.as_ref(), &weights, &sequences)?;
    let layers = Layers {
        cell: config.cell,
        config: &config.layer,
        prefix: config.cell.name().into(),
        weights: &weights,
        states: statics::states(&mut graph, config, &weights, statics.as_ref())?,
    };
    let reads = readout::reads(config.readout);
    let rows = recurrent::layers(&mut graph, &layers, &sequences, &rows, reads)?;
    let read = match config.attention {
        Some(sizes) => {
            let features = config.layer.output_features();
            attention::read(&mut graph, sizes, features, &weights, &sequences, &rows)?
        }
        None => readout::read(&mut graph, config.readout, &sequences, &rows),
    };
    let per_step = config.readout == Readout::Steps;
    let read = statics::join(&mut graph, config, &sequences, read, statics.as_ref(), per_step);
    let sizes = (config.head_features(), config.num_outputs);
    let outputs = linear::linear(&mut graph, &weights, "linear", sizes, &read)?;
    let cut = |transform: &Transform| matches!(transform, Transform::Truncate { .. });
    let truncated = model.transforms.transforms().iter().any(cut);
    let steps = per_step.then_some(Steps { sequences: &sequences, truncated });
    let outputs = (outputs, config.num_outputs);
    predictions::declare(&mut graph, &schema.targets, model.outputs, steps.as_ref(), outputs);
    Ok(Model {
        ir_version: IR_VERSION,
        producer_name: "ragged".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: format!("The model of the run {}, epoch {}.", model.name, model.epoch),
        graph: Some(graph.finish()),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata::properties(
            model.name,
            model.epoch,
            schema,
            model.outputs,
            model.encoder,
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ragged_datasets::TargetKind;
    use ragged_datasets::transforms::{Keep, TransformConfig};
    use ragged_models::{LayerKind, Merge};

    use super::*;
    use crate::export::onnx::case::{Case, check_names, dims, operators, tensor_type};
    use crate::export::onnx::graph::Element;

    #[test]
    fn the_file_says_what_it_is() {
        let case = Case::new(Readout::Final);
        let model = case.encode(&case.weights()).unwrap();
        assert_eq!((model.ir_version, model.producer_name.as_str()), (8, "ragged"));
        assert_eq!(model.producer_version, env!("CARGO_PKG_VERSION"));
        let opset = OperatorSet { domain: String::new(), version: 18 };
        assert_eq!(model.opset_import, [opset]);
        let properties: BTreeMap<_, _> =
            model.metadata_props.into_iter().map(|p| (p.key, p.value)).collect();
        let expected = [
            ("epoch", "7"),
            ("features", r#"["x","y","z"]"#),
            ("labels", r#"["a","b, \"c\""]"#),
            ("name", "r"),
            ("prediction_per", "sequence"),
            ("task", "classification"),
        ];
        assert_eq!(properties, expected.map(|(k, v)| (k.to_string(), v.to_string())).into());

        let graph = model.graph.unwrap();
        assert_eq!(dims(&graph.input[0]), ["batch", "time", "3"]);
        assert_eq!((graph.input[0].name.as_str(), graph.input[1].name.as_str()), ("x", "lengths"));
        assert_eq!(dims(&graph.input[1]), ["batch"]);
        assert_eq!(tensor_type(&graph.input[0]).elem_type, Element::Float as i32);
        assert_eq!(tensor_type(&graph.input[1]).elem_type, Element::Int64 as i32);
        assert_eq!(graph.output.len(), 1);
        assert_eq!(
            (graph.output[0].name.as_str(), dims(&graph.output[0])),
            ("prediction", vec!["batch".into(), "2".into()])
        );
        assert_eq!(operators(&graph).last(), Some(&"Softmax"));
    }

    #[test]
    fn outputs_per_step_and_wide_inputs_have_types_of_their_own() {
        let mut case = Case::new(Readout::Steps);
        assert_eq!(dims(&case.graph().output[0]), ["batch", "time", "2"]);
        let truncate = TransformConfig::Truncate { max_length: 5, keep: Keep::Last };
        case = case.transformed(&[truncate]);
        case.schema.exact = true;
        let graph = case.graph();
        assert_eq!(dims(&graph.output[0]), ["batch", "kept", "2"]);
        assert_eq!(tensor_type(&graph.input[0]).elem_type, Element::Double as i32);
        // Values predicted per sequence have no softmax.
        case = Case::new(Readout::Mean);
        case.schema.targets = TargetKind::Values(2);
        assert!(!operators(&case.graph()).contains(&"Softmax"));
    }

    #[test]
    fn every_graph_is_connected() {
        use TransformConfig as T;
        let all = [
            T::MissingIndicator,
            T::Clip { low: -1.0, high: 1.0 },
            T::ForwardFill,
            T::ForwardFill,
            T::Standardize,
            T::MinMax { low: 0.0, high: 1.0 },
            T::Difference,
            T::MeanFill,
            T::Truncate { max_length: usize::MAX, keep: Keep::First },
            T::Truncate { max_length: 3, keep: Keep::Last },
        ];
        let readouts = [
            Readout::Final,
            Readout::Last,
            Readout::First,
            Readout::Mean,
            Readout::Max,
            Readout::Sum,
            Readout::Steps,
        ];
        for readout in readouts {
            for cell in [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn] {
                for merge in [Merge::Concat, Merge::Sum, Merge::Mean] {
                    let mut case = Case::new(readout).transformed(&all);
                    case.config.cell = cell;
                    case.config.layer.merge = merge;
                    let lstm = cell == LayerKind::Lstm;
                    case.config.layer.reset_after = cell != LayerKind::Gru || merge == Merge::Sum;
                    case.config.layer.peepholes = lstm && merge != Merge::Mean;
                    case.config.layer.bidirectional = merge != Merge::Mean;
                    case.config.layer.num_layers = 2;
                    case.config.layer.bias = merge != Merge::Sum;
                    case.config.layer.trainable_state = merge != Merge::Concat;
                    case.schema.exact = merge == Merge::Sum;
                    check_names(&case.graph(), &HashSet::new());
                }
            }
        }
    }

    #[test]
    fn predictions_are_in_the_units_of_the_data() {
        use ragged_transforms::{OutputKind, Standardize};
        let scale = Standardize { mean: vec![1.0], std: vec![2.0] };
        let quantiles = OutputKind::Quantiles(vec![0.1, 0.9]);
        for (kind, scale, end) in [
            (quantiles, Some(scale.clone()), &["Cast", "Mul", "Add", "Cast"][..]),
            (OutputKind::Gaussian, Some(scale), &["Concat", "Gather"]),
            (OutputKind::LogRate, None, &["Exp"]),
            (OutputKind::Logit, None, &["Sigmoid"]),
        ] {
            let mut case = Case::new(Readout::Mean);
            case.schema.targets = TargetKind::Values(2 / kind.per_value());
            case.outputs = Outputs { kind, scale };
            let graph = case.graph();
            check_names(&graph, &HashSet::new());
            // The last node gives the output its name.
            let operators: Vec<_> =
                operators(&graph).into_iter().filter(|name| *name != "Identity").collect();
            assert_eq!(operators[operators.len() - end.len()..], *end);
        }
    }

    /// The gates i, f, g, o become i, o, f, c.
    #[test]
    fn gates_change_their_order_and_the_weight_of_the_head_is_transposed() {
        let case = Case::new(Readout::Final);
        let mut weights = case.weights();
        let gates: Vec<f32> = (0..16).map(|row| (row / 4) as f32).collect();
        let column = Tensor::from_vec(gates, (16, 1), &candle_core::Device::Cpu).unwrap();
        let rows = column.broadcast_as((16, 3)).unwrap().contiguous().unwrap();
        weights.insert("lstm.weight_ih_l0".into(), rows);
        let head =
            Tensor::arange(0f32, 8.0, &candle_core::Device::Cpu).unwrap().reshape((2, 4)).unwrap();
        weights.insert("linear.weight".into(), head);
        let graph = case.encode(&weights).unwrap().graph.unwrap();
        let constant = |name: &str| {
            let tensor = graph.initializer.iter().find(|tensor| tensor.name == name).unwrap();
            let values = tensor.raw_data.chunks_exact(4);
            let values = values.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            (tensor.dims.clone(), values.collect::<Vec<f32>>())
        };
        let (dims, values) = constant("lstm.W_l0");
        assert_eq!(dims, [1, 16, 3]);
        assert_eq!(values, [0.0, 3.0, 1.0, 2.0].map(|gate| [gate; 12]).concat());
        let transposed = vec![0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0];
        assert_eq!(constant("linear.weight"), (vec![4, 2], transposed));
    }

    #[test]
    fn what_onnx_cannot_express_is_refused() {
        let mut case = Case::new(Readout::Final);
        case.config.layer.proj_size = Some(2);
        let error = case.encode(&case.weights()).unwrap_err();
        assert!(matches!(error, Error::OnnxUnsupported { key: "model.proj_size", .. }));
        assert_eq!(
            error.to_string(),
            "model.proj_size is 2: the LSTM operator of ONNX has no projection; expected a model that was trained \
             without it"
        );

        let mut case = Case::new(Readout::Final);
        case.config.layer.zoneout_cell = 0.5;
        let error = case.encode(&case.weights()).unwrap_err();
        assert!(matches!(error, Error::OnnxUnsupported { key: "model.zoneout_cell", .. }));

        let mut case = Case::new(Readout::Final);
        case.config.layer.layer_norm = true;
        let error = case.encode(&case.weights()).unwrap_err();
        assert!(matches!(error, Error::OnnxUnsupported { key: "model.layer_norm", .. }));

        check_size(MOST_BYTES).unwrap();
        let error = check_size(1 << 31).unwrap_err().to_string();
        let expected = "the model takes 2147483648 bytes: expected at most 2147483647, the limit of one ONNX file";
        assert_eq!(error, expected);

        let case = Case::new(Readout::Final);
        let mut weights = case.weights();
        weights.remove("linear.bias");
        let error = case.encode(&weights).unwrap_err().to_string();
        assert_eq!(error, "linear.bias: expected shape [2], got no such tensor");
    }
}
