//! Models with new weights, and checks of their graphs, for tests.

use std::collections::{BTreeMap, HashSet};

use candle_core::{DType, Device, Tensor};
use prost::Message;
use ragged_datasets::formats::Schema;
use ragged_datasets::transforms::{Pipeline, TransformConfig, fit};
use ragged_datasets::{Example, InMemory, Sequence, Target, TargetKind};
use ragged_models::{ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig};
use ragged_transforms::{Outputs, TokenEncoder};

use crate::error::Result;
use crate::export::onnx::messages::{self, Model, TensorType};
use crate::export::onnx::model::{TrainedModel, encode};

/// Everything that a model consists of, with new weights.
pub(super) struct Case {
    pub(super) config: ModelConfig,
    pub(super) transforms: Pipeline,
    pub(super) outputs: Outputs,
    pub(super) schema: Schema,
    pub(super) encoder: TokenEncoder,
}

impl Case {
    /// A model of three features and two classes.
    pub(super) fn new(readout: Readout) -> Self {
        let layer = RecurrentConfig::new(3, 4);
        let config = ModelConfig { readout, ..ModelConfig::new(ModelKind::Variable, layer, 2) };
        let labels = vec!["a".into(), "b, \"c\"".into()];
        let targets = match readout {
            Readout::Steps => TargetKind::StepClasses(labels),
            _ => TargetKind::Classes(labels),
        };
        let features = Some(["x", "y", "z"].map(String::from).to_vec());
        let schema = Schema { features, ..Schema::from(&targets) };
        let (transforms, outputs) = (Pipeline::identity(3), Outputs::default());
        let encoder = TokenEncoder::default();
        Self { config, transforms, outputs, schema, encoder }
    }

    /// The same with fitted transforms. The second feature has a missing value.
    pub(super) fn transformed(mut self, transforms: &[TransformConfig]) -> Self {
        let values = vec![1.0, f32::NAN, 3.0, 4.0, 5.0, 6.0];
        let example = Example::new(Sequence::new(values, 3).unwrap(), Target::Values(vec![]));
        let data = InMemory::new(vec![example], TargetKind::NONE).unwrap();
        self.transforms = fit(transforms, &data).unwrap();
        self.config.layer.input_size = self.transforms.output_features();
        self
    }

    pub(super) fn weights(&self) -> BTreeMap<String, Tensor> {
        let parameters = Parameters::new(1);
        let vb = parameters.builder(DType::F32, &Device::Cpu);
        ragged_models::Model::new(&self.config, vb).unwrap();
        parameters.state_dict()
    }

    pub(super) fn encode(&self, weights: &BTreeMap<String, Tensor>) -> Result<Model> {
        let Self { config, transforms, outputs, schema, encoder } = self;
        let (name, epoch) = ("r", 7);
        let model =
            TrainedModel { name, epoch, config, weights, transforms, outputs, schema, encoder };
        Ok(Model::decode(&*encode(&model)?).unwrap())
    }

    pub(super) fn graph(&self) -> messages::Graph {
        self.encode(&self.weights()).unwrap().graph.unwrap()
    }
}

/// Checks that each name is defined once, before its first use, and used, and that no graph repeats a name of the
/// graph around it.
#[track_caller]
pub(super) fn check_names(graph: &messages::Graph, outer: &HashSet<String>) {
    let mut defined = outer.clone();
    let mut used: HashSet<&str> = graph.output.iter().map(|info| info.name.as_str()).collect();
    let given = graph.input.iter().map(|info| &info.name);
    for name in given.chain(graph.initializer.iter().map(|tensor| &tensor.name)) {
        assert!(defined.insert(name.clone()), "{name} is defined twice");
    }
    for node in &graph.node {
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            assert!(defined.contains(name), "{}: {name} is not defined", node.name);
            used.insert(name);
        }
        for body in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
            check_names(body, &defined);
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            assert!(defined.insert(name.clone()), "{name} is defined twice");
        }
    }
    for output in &graph.output {
        assert!(defined.contains(&output.name), "{} is not defined", output.name);
    }
    let states = graph.node.iter().filter(|node| node.op_type == "Scan");
    used.extend(states.map(|node| node.output[0].as_str()));
    let unused: Vec<_> =
        defined.iter().filter(|name| !outer.contains(*name) && !used.contains(&***name)).collect();
    assert!(unused.is_empty(), "{unused:?} is not used");
}

pub(super) fn tensor_type(info: &messages::ValueInfo) -> TensorType {
    info.r#type.clone().unwrap().tensor_type.unwrap()
}

/// The dimensions of an input or output, in words.
pub(super) fn dims(info: &messages::ValueInfo) -> Vec<String> {
    let dims = tensor_type(info).shape.unwrap().dim.into_iter();
    dims.map(|dim| dim.param.unwrap_or_else(|| dim.value.unwrap().to_string())).collect()
}

pub(super) fn operators(graph: &messages::Graph) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}
