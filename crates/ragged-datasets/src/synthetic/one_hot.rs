//! One-hot encoding of symbols.

/// Encodes each symbol as one step of `count` features: 1 for the symbol, 0 for the others.
pub(super) fn one_hot(symbols: impl IntoIterator<Item = usize>, count: usize) -> Vec<f32> {
    let mut values = vec![];
    for symbol in symbols {
        let begin = values.len();
        values.resize(begin + count, 0.0);
        values[begin + symbol] = 1.0;
    }
    values
}
