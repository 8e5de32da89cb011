//! Models of tokens, against candle's own selection of rows, and the laws of packed batches.

use candle_core::{DType, Device, Tensor};
use ragged_models::random::Generator;
use ragged_models::{
    EmbeddingSize, InnerConfig, LayerKind, Mode, Model, ModelConfig, ModelKind, Parameters,
    Readout, RecurrentConfig, TokenConfig,
};
use ragged_sequence::{PackedLayout, PackedSequence, PackedTokens};

const WORDS: usize = 11;

/// Words and their characters; the characters are derived from the word.
fn spelling(word: u32) -> Vec<u32> {
    (0..word % 4).map(|k| (word + k) % 5).collect()
}

fn config(columns: usize, values: usize, inner: bool) -> ModelConfig {
    let tables =
        (0..columns).map(|k| EmbeddingSize { num_embeddings: WORDS, embedding_dim: 3 + k });
    let inner = inner.then(|| InnerConfig {
        table: EmbeddingSize { num_embeddings: 5, embedding_dim: 2 },
        cell: LayerKind::Gru,
        layer: RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(2, 3) },
    });
    let tokens = TokenConfig { num_values: values, inner, ..TokenConfig::new(tables.collect()) };
    let layer = RecurrentConfig::new(tokens.output_features(), 6);
    ModelConfig {
        tokens: Some(tokens),
        readout: Readout::Steps,
        ..ModelConfig::new(ModelKind::Variable, layer, 2)
    }
}

/// Packs words, given for each sequence, with values and characters that are derived from them.
fn packed(sequences: &[&[u32]], config: &TokenConfig) -> PackedTokens {
    let lengths: Vec<usize> = sequences.iter().map(|words| words.len()).collect();
    let layout = PackedLayout::from_lengths(&lengths);
    let words: Vec<u32> = layout.positions().map(|(b, t)| sequences[b][t]).collect();
    let columns = config.tables.len() as u32;
    let ids = words.iter().flat_map(|&word| (0..columns).map(move |k| (word + k) % WORDS as u32));
    let ids = Tensor::from_vec(ids.collect(), (words.len(), columns as usize), &Device::Cpu);
    let ids = PackedSequence::from_layout(ids.unwrap(), layout).unwrap();
    let mut tokens = PackedTokens::new(ids).unwrap();
    if config.num_values > 0 {
        let count = config.num_values;
        let values = words
            .iter()
            .flat_map(|&word| (0..count).map(move |k| f64::from(word) * 0.1 - k as f64));
        let values = Tensor::from_vec(values.collect(), (words.len(), count), &Device::Cpu);
        tokens = tokens.with_values(values.unwrap()).unwrap();
    }
    if config.inner.is_some() {
        let spellings: Vec<Vec<u32>> = (0..WORDS as u32).map(spelling).collect();
        let lengths: Vec<usize> = spellings.iter().map(Vec::len).collect();
        let layout = PackedLayout::from_lengths(&lengths);
        let ids: Vec<u32> = layout.positions().map(|(b, t)| spellings[b][t]).collect();
        let count = ids.len();
        let ids = Tensor::from_vec(ids, count, &Device::Cpu).unwrap();
        let inner = PackedSequence::from_layout(ids, layout).unwrap();
        tokens = tokens.with_inner(inner, words).unwrap();
    }
    tokens
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The rows and all gradients of the stage before the layer are those of candle's `index_select` and of a layer that
/// runs for each word by itself.
#[test]
fn rows_and_gradients_agree_with_candles_operations() {
    let sequences: [&[u32]; 4] = [&[1, 2, 1, 10], &[], &[3], &[2, 2, 7]];
    for (columns, count, inner) in [(1, 0, false), (2, 3, false), (1, 2, true), (0, 0, true)] {
        let config = config(columns, count, inner);
        let token_config = config.tokens.clone().unwrap();
        let parameters = Parameters::new(7);
        let vb = parameters.builder(DType::F64, &Device::Cpu);
        let model = Model::new(&config, vb.clone()).unwrap();
        let tokens = packed(&sequences, &token_config);
        let rows = model.embed(&tokens, Mode::Eval).unwrap().data().clone();

        let ids = tokens.ids();
        let mut parts: Vec<Tensor> = tokens.values().cloned().into_iter().collect();
        for k in 0..columns {
            let name = if columns == 1 { "weight".to_string() } else { format!("{k}.weight") };
            let weight = vb.pp("embedding").get((WORDS, 3 + k), &name).unwrap();
            let column = ids.narrow(1, k, 1).unwrap().flatten_all().unwrap();
            parts.push(weight.index_select(&column, 0).unwrap());
        }
        if let Some(InnerConfig { layer, .. }) = &token_config.inner {
            let gru = ragged_models::Gru::new(layer, vb.pp("inner.gru")).unwrap();
            let table = vb.pp("inner.embedding").get((5, 2), "weight").unwrap();
            let states = tokens.inner().unwrap().rows().iter().map(|&word| {
                let letters = spelling(word);
                let count = letters.len();
                let letters = Tensor::from_vec(letters, count, &Device::Cpu).unwrap();
                let letters = table.index_select(&letters, 0).unwrap().unsqueeze(0).unwrap();
                let state = gru.forward(&letters, None, Mode::Eval).unwrap().1;
                state.squeeze(1).unwrap().flatten_all().unwrap().unsqueeze(0).unwrap()
            });
            parts.push(Tensor::cat(&states.collect::<Vec<_>>(), 0).unwrap());
        }
        let want = Tensor::cat(&parts, 1).unwrap();
        assert_eq!(
            values(&rows),
            values(&want),
            "{columns} columns, {count} values, inner {inner}"
        );

        let weights: Vec<f64> =
            (0..want.elem_count()).map(|k| ((k * 7) % 11) as f64 - 5.0).collect();
        let weights = Tensor::from_vec(weights, want.dims(), &Device::Cpu).unwrap();
        let gradients =
            |rows: &Tensor| (rows * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let (got, want) = (gradients(&rows), gradients(&want));
        for (name, var) in parameters.named() {
            let (got, want) = (got.get(&var).map(values), want.get(&var).map(values));
            let Some(got) = got else {
                assert!(want.is_none() && !name.starts_with("embedding"), "{name}");
                continue;
            };
            for (got, want) in got.iter().zip(want.unwrap()) {
                assert!((got - want).abs() < 1e-12, "{name}: {got}, expected {want}");
            }
        }
    }
}

/// Each sequence has the prediction that it has alone, bit for bit, also in a prepared model.
#[test]
fn predictions_do_not_depend_on_the_batch() {
    let config = config(1, 1, true);
    let tokens = config.tokens.clone().unwrap();
    let vb = Parameters::new(3).builder(DType::F64, &Device::Cpu);
    let config = ModelConfig { readout: Readout::Final, ..config };
    let model = Model::new(&config, vb).unwrap();
    let prepared = model.prepare().unwrap();
    let sequences: [&[u32]; 3] = [&[4, 9, 4], &[], &[5]];
    let all = model.forward_tokens(&packed(&sequences, &tokens), Mode::Inference).unwrap();
    for (k, sequence) in sequences.into_iter().enumerate() {
        let alone = packed(&[sequence], &tokens);
        let want = values(&all.narrow(0, k, 1).unwrap());
        assert_eq!(values(&model.forward_tokens(&alone, Mode::Inference).unwrap()), want);
        assert_eq!(values(&prepared.forward_tokens(&alone).unwrap()), want);
    }
}

#[test]
fn dropped_words_read_the_row_of_unknown_tokens() {
    let mut config = config(1, 0, false);
    let tokens = TokenConfig { word_dropout: 0.5, ..config.tokens.clone().unwrap() };
    config.tokens = Some(tokens.clone());
    let parameters = Parameters::new(1);
    let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let words = vec![1u32; 400];
    let batch = packed(&[&words], &tokens);
    let table = parameters.state_dict()["embedding.weight"].clone();
    let row = |k: usize| values(&table.narrow(0, k, 1).unwrap());
    let rows = model.embed(&batch, Mode::Train(&mut Generator::seed(4))).unwrap();
    let rows = rows.data().to_vec2::<f64>().unwrap();
    assert!(rows.iter().all(|got| *got == row(0) || *got == row(1)));
    let dropped = rows.iter().filter(|got| **got == row(0)).count();
    assert!((150..250).contains(&dropped), "{dropped} of 400");
    let rows = model.embed(&batch, Mode::Eval).unwrap().data().to_vec2::<f64>().unwrap();
    assert!(rows.iter().all(|got| *got == row(1)));

    // The same words, with another index for unknown tokens.
    config.tokens = Some(TokenConfig { unknown: 3, ..tokens.clone() });
    let model = Model::new(&config, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let rows = model.embed(&batch, Mode::Train(&mut Generator::seed(4))).unwrap();
    let rows = rows.data().to_vec2::<f64>().unwrap();
    assert_eq!(rows.iter().filter(|got| **got == row(3)).count(), dropped);
    let size = tokens.tables[0].num_embeddings;
    config.tokens = Some(TokenConfig { unknown: size as u32, ..tokens });
    let error = config.validate().unwrap_err().to_string();
    assert_eq!(error, format!("unknown is {size}: expected below {size}, the size of the table"));
}

#[test]
fn batches_with_other_parts_are_refused() {
    let with_values = config(1, 2, false);
    let vb = Parameters::new(1).builder(DType::F64, &Device::Cpu);
    let model = Model::new(&with_values, vb.clone()).unwrap();
    let plain = config(1, 0, false).tokens.unwrap();
    let error = model.forward_tokens(&packed(&[&[1]], &plain), Mode::Eval).unwrap_err().to_string();
    let message =
        "tokens: expected 2 numbers, 1 columns of ids and no inner sequences, got 0, 1 and none";
    assert_eq!(error, message);

    let features = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(3, 4), 1);
    let model =
        Model::new(&features, Parameters::new(1).builder(DType::F64, &Device::Cpu)).unwrap();
    let error = model.forward_tokens(&packed(&[&[1]], &plain), Mode::Eval).unwrap_err().to_string();
    assert_eq!(error, "input: expected features, as the model has no embedding, got tokens");

    let wrong = ModelConfig { layer: RecurrentConfig::new(4, 4), ..with_values };
    let error = Model::new(&wrong, vb).unwrap_err().to_string();
    assert_eq!(error, "input_size is 4: expected 5, the features of the tokens");
}
