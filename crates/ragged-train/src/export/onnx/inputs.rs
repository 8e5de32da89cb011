//! The inputs of a graph.

use ragged_datasets::formats::Schema;
use ragged_transforms::TokenEncoder;

use crate::export::onnx::graph::{Dim, Element, GraphBuilder, Value};
use crate::export::onnx::sequences::Sequences;

/// Declares the features `x` `[B, T, I]` if there are any, the `tokens` `[B, T]` or `[B, T, K]` for several columns,
/// and the `lengths` `[B]`.
pub(super) fn sequences(
    graph: &mut GraphBuilder,
    schema: &Schema,
    features: usize,
    encoder: &TokenEncoder,
) -> Sequences {
    let element = if schema.exact { Element::Double } else { Element::Float };
    let columns = encoder.columns().len();
    let x = (features > 0 || columns == 0).then(|| {
        let dims = [Dim::Any("batch"), Dim::Any("time"), Dim::Size(features)];
        graph.input("x", element, &dims, features_doc(schema))
    });
    let tokens = (columns > 0).then(|| tokens(graph, encoder));
    let doc = "The number of steps of each sequence, from 0 to the size of the time axis.";
    let lengths = graph.input("lengths", Element::Int64, &[Dim::Any("batch")], doc.into());
    Sequences { x, element, features, tokens, lengths }
}

/// Declares the indices of the tokens, and returns them as `[B, T, K]`.
fn tokens(graph: &mut GraphBuilder, encoder: &TokenEncoder) -> Value {
    let names: Vec<&str> = encoder.columns().iter().map(|column| &*column.column).collect();
    let doc = format!(
        "The indices of the tokens of each step in the vocabularies of {}; in the padding, any numbers.",
        names.join(", ")
    );
    let mut dims = vec![Dim::Any("batch"), Dim::Any("time")];
    if names.len() > 1 {
        dims.push(Dim::Size(names.len()));
        return graph.input("tokens", Element::Int64, &dims, doc);
    }
    let ids = graph.input("tokens", Element::Int64, &dims, doc);
    let axis = graph.ints(&[2]);
    graph.node("Unsqueeze", [&ids, &axis], vec![])
}

/// Describes the features of the input.
fn features_doc(schema: &Schema) -> String {
    let names = schema.features.as_ref().map(|names| format!(" ({})", names.join(", ")));
    format!(
        "Sequences, padded to one length with any values. The features{} are those of the training data before \
         transforms; NaN stands for a missing value.",
        names.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ragged_datasets::transforms::{Keep, Pipeline, Transform};
    use ragged_models::{
        AttentionConfig, EmbeddingSize, LayerKind, Readout, StaticConfig, StaticJoin, TokenConfig,
    };
    use ragged_transforms::{StaticEncoder, StaticNumber, TokenVocabulary, Vocabulary};

    use super::*;
    use crate::export::onnx::case::{Case, check_names, dims};

    fn column(name: &str, entries: &[&str]) -> TokenVocabulary {
        let entries = entries.iter().map(|entry| entry.to_string()).collect();
        let vocabulary = Vocabulary::new(entries, true).unwrap();
        TokenVocabulary { column: name.into(), vocabulary }
    }

    /// A case with this number of features and columns of tokens, and with static values.
    fn case(readout: Readout, features: usize, columns: usize, join: StaticJoin) -> Case {
        let mut case = Case::new(readout);
        let table = EmbeddingSize { num_embeddings: 3, embedding_dim: 2 };
        if columns > 0 {
            let tokens =
                TokenConfig { num_values: features, ..TokenConfig::new(vec![table; columns]) };
            case.config.layer.input_size = tokens.output_features();
            case.config.tokens = Some(tokens);
        }
        let truncate = Transform::Truncate { max_length: 3, keep: Keep::Last };
        case.transforms = Pipeline::new(features, vec![Transform::ForwardFill, truncate]).unwrap();
        case.schema.features = None;
        let tables = vec![EmbeddingSize { num_embeddings: 2, embedding_dim: 5 }];
        case.config.statics = Some(StaticConfig { num_values: 1, tables, join });
        let mass = StaticNumber { column: "mass".into(), mean: 70.0, std: 10.0 };
        let statics = StaticEncoder::new(vec![mass], vec![column("region", &["north"])]).unwrap();
        let columns = (0..columns).map(|k| column(&format!("word {k}"), &["to", "be"])).collect();
        case.encoder = TokenEncoder::new(columns, None).unwrap().with_statics(statics);
        case
    }

    #[test]
    fn every_graph_with_tokens_and_static_values_is_connected() {
        for readout in [Readout::Final, Readout::Mean, Readout::Attention, Readout::Steps] {
            for (features, columns) in [(3, 0), (3, 1), (2, 2), (0, 1), (0, 2)] {
                for join in [StaticJoin::Head, StaticJoin::State] {
                    let mut case = case(readout, features, columns, join);
                    case.config.cell = if columns == 1 { LayerKind::Gru } else { LayerKind::Lstm };
                    case.config.layer.num_layers = 2;
                    case.config.layer.bidirectional = features == 3;
                    let sizes = AttentionConfig { size: 4, heads: 1 + columns };
                    case.config.attention = (readout == Readout::Attention).then_some(sizes);
                    let graph = case.graph();
                    check_names(&graph, &HashSet::new());
                    let names: Vec<&str> = graph.input.iter().map(|i| &*i.name).collect();
                    let x = (features > 0).then_some("x").into_iter();
                    let tokens = (columns > 0).then_some("tokens");
                    let mut expected: Vec<&str> = x.chain(tokens).collect();
                    expected.extend(["lengths", "static_numbers", "static_categories"]);
                    assert_eq!(names, expected);
                }
            }
        }
    }

    #[test]
    fn tokens_have_an_axis_for_columns_only_if_there_are_several() {
        let one = case(Readout::Final, 0, 1, StaticJoin::Head).graph();
        assert_eq!(dims(&one.input[0]), ["batch", "time"]);
        assert_eq!(dims(&one.input[2]), ["batch", "1"]);
        let two = case(Readout::Final, 0, 2, StaticJoin::Head);
        let model = two.encode(&two.weights()).unwrap();
        assert_eq!(dims(&model.graph.unwrap().input[0]), ["batch", "time", "2"]);
        let property = |key: &str| {
            let found = model.metadata_props.iter().find(|property| property.key == key);
            found.map(|property| property.value.as_str())
        };
        let vocabulary =
            r#"{"column":"region","lowercase":true,"tokens":["<unknown>","north"],"unknown":0}"#;
        assert_eq!(property("static_categories"), Some(&*format!("[{vocabulary}]")));
        assert_eq!(property("static_numbers"), Some(r#"["mass"]"#));
        assert_eq!(property("vocabularies").unwrap().matches("\"tokens\":[").count(), 2);
    }
}
