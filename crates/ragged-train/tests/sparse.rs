//! Sparse embedding tables: the gradients and updates of the rows of a batch are those of whole tables.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_datasets::{Batch, BatchInput, BatchStatics, BatchSteps};
use ragged_models::{
    EmbeddingSize, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig, SparseRows,
    StaticConfig, StaticJoin, TokenConfig,
};
use ragged_sequence::random::Generator;
use ragged_sequence::{PackedTokens, pack_sequence};
use ragged_train::fit::{GradientAccumulator, Position, StepOptions};
use ragged_train::optim::{Hyperparameters, NamedGradients};
use ragged_train::{Criterion, Optimizer, OptimizerConfig};

const VOCABULARY: usize = 12;

/// Texts with two columns of tokens, with one static number, one static category and a target for each.
fn batch(texts: &[Vec<u32>]) -> Batch {
    let text = |ids: &Vec<u32>| {
        let columns: Vec<u32> = ids.iter().flat_map(|&id| [id, (id * 5 + 1) % 7]).collect();
        Tensor::from_vec(columns, (ids.len(), 2), &Device::Cpu).unwrap()
    };
    let packed: Vec<_> = texts.iter().map(text).collect();
    let tokens = PackedTokens::new(pack_sequence(&packed, false).unwrap()).unwrap();
    let target: Vec<f64> = (0..texts.len()).map(|k| (k as f64 * 1.7).sin()).collect();
    let target = Tensor::from_vec(target, (texts.len(), 1), &Device::Cpu).unwrap();
    let numbers = Tensor::from_vec(vec![0.5f32; texts.len()], (texts.len(), 1), &Device::Cpu);
    let categories: Vec<u32> = texts.iter().map(|text| text.len() as u32 % 3).collect();
    let categories = Tensor::from_vec(categories, (texts.len(), 1), &Device::Cpu);
    let statics = BatchStatics { numbers: numbers.unwrap(), categories: categories.unwrap() };
    let input = BatchInput { steps: BatchSteps::Tokens(tokens), statics: Some(statics) };
    Batch::new(input, target, (0..texts.len()).collect())
}

/// Returns the parameters after one update from each list of batches, and the norms of the gradients.
fn after(updates: &[Vec<Batch>], config: OptimizerConfig, sparse: bool) -> (Named, Vec<f64>) {
    let size = |num_embeddings, embedding_dim| EmbeddingSize { num_embeddings, embedding_dim };
    let tables = TokenConfig::new(vec![size(VOCABULARY, 3), size(7, 2)]);
    let model = ModelConfig {
        tokens: Some(TokenConfig { sparse, ..tables }),
        statics: Some(StaticConfig {
            num_values: 1,
            tables: vec![size(3, 2)],
            join: StaticJoin::State,
        }),
        ..ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(5, 4), 1)
    };
    let parameters = Parameters::new(3);
    let model = Model::new(&model, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let mut optimizer = Optimizer::new(config, parameters.named()).unwrap();
    let options = StepOptions {
        clip_grad_norm: Some(0.3),
        clip_grad_value: Some(0.2),
        ..StepOptions::new(0.5)
    };
    let update = |batches: &Vec<Batch>| {
        let mut sum = GradientAccumulator::default();
        let at = Position { epoch: 0, batch: 0 };
        for batch in batches {
            let rng = &mut Generator::seed(0);
            sum.add(&model, batch, &Criterion::Mse, &optimizer, at, rng).unwrap();
        }
        sum.update(&mut optimizer, options, at).unwrap()
    };
    let norms = updates.iter().map(update).collect();
    let bits = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    (parameters.state_dict().into_iter().map(|(name, t)| (name, bits(t))).collect(), norms)
}

type Named = BTreeMap<String, Vec<f64>>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With SGD, a row without a gradient does not change, so both ways are the same, also where gradients of several
    /// batches are added and clipped.
    #[test]
    fn sparse_and_dense_tables_are_trained_alike(
        texts in prop::collection::vec(prop::collection::vec(0..VOCABULARY as u32, 1..6), 6..12),
        cut in 1..5usize,
    ) {
        let updates =
            [vec![batch(&texts[..cut]), batch(&texts[cut..5])], vec![batch(&texts[5..])]];
        let (dense, dense_norms) = after(&updates, OptimizerConfig::sgd(), false);
        let (sparse, norms) = after(&updates, OptimizerConfig::sgd(), true);
        for (name, sparse) in sparse {
            for (sparse, dense) in sparse.iter().zip(&dense[&name]) {
                prop_assert!((sparse - dense).abs() < 1e-14, "{name}: {sparse}, dense {dense}");
            }
        }
        prop_assert!(norms.iter().zip(dense_norms).all(|(norm, dense)| (norm - dense).abs() < 1e-14));
    }
}

/// Adam moves every row of a dense table by its running averages, and of a sparse one those of the batch only.
#[test]
fn rows_that_are_not_in_the_batch_stay() {
    let updates = [vec![batch(&[vec![1, 2]])], vec![batch(&[vec![2, 3]])]];
    let table =
        |sparse| after(&updates, OptimizerConfig::adam(), sparse).0["embedding.0.weight"].clone();
    let first = after(&updates[..1], OptimizerConfig::adam(), true).0["embedding.0.weight"].clone();
    let (dense, sparse) = (table(false), table(true));
    assert_eq!(sparse[3..6], first[3..6], "row 1 is in the first batch only");
    assert_ne!(dense[3..6], first[3..6]);
    assert_ne!(sparse[6..9], first[6..9], "row 2 is in both");
}

/// Three updates of `torch.optim.SparseAdam` with a rate of 0.1 (PyTorch 2.15), in which rows come and go and repeat.
/// Its epsilon is not divided by the correction of the second moment as that of Adam is: a difference of 1e-8.
#[test]
fn adam_on_rows_equals_that_of_pytorch() {
    let table: Vec<f64> = (0..10).map(|k| f64::from(k) / 10.0).collect();
    let table = Var::from_vec(table, (5, 2), &Device::Cpu).unwrap();
    let named = vec![("table".to_string(), table.clone())];
    let mut optimizer = Optimizer::new(OptimizerConfig::adam(), named.clone()).unwrap();
    let updates: [(&[u32], &[[f64; 2]]); 3] = [
        (&[1, 3], &[[3.0, -4.0], [1.5, 2.25]]),
        (&[1, 4], &[[-1.0, 1.0], [2.0, 2.0]]),
        (&[3], &[[4.0, -1.0]]),
    ];
    for (ids, weights) in updates {
        let index = Tensor::new(ids, &Device::Cpu).unwrap();
        let rows = Var::from_tensor(&table.detach().index_select(&index, 0).unwrap()).unwrap();
        let weights = Tensor::new(weights.concat(), &Device::Cpu).unwrap();
        let weights = weights.reshape((ids.len(), 2)).unwrap();
        let store = (rows.as_tensor() * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let sparse = SparseRows { table: table.as_tensor().clone(), ids: ids.to_vec(), rows };
        let gradients = NamedGradients::with_sparse(&named, store, &[sparse]);
        optimizer.step(&gradients, Hyperparameters::new(0.1)).unwrap();
    }
    let want = [
        [0.0, 0.1],
        [0.059978157349469485, 0.44694680561274336],
        [0.4, 0.5],
        [0.4199938950933094, 0.5733956126544881],
        [0.7255863294091363, 0.8255863294091362],
    ];
    for (got, want) in table.to_vec2::<f64>().unwrap().iter().flatten().zip(want.iter().flatten()) {
        assert!((got - want).abs() < 1e-7, "{got}, PyTorch {want}");
    }
}
