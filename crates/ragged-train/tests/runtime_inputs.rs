//! `ragged-runtime` has the bits of the trainer for models of tables: numbers and categories per step, static columns.

mod served;

use std::fmt::Write;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use ragged_datasets::formats::Format;
use ragged_runtime::{Error, Model, Scratch, Sequence, Session, Statics, Tokens};
use served::{as_predicted, train};

const MOODS: [&str; 3] = ["calm", "glad", "wild"];
const PLACES: [&str; 2] = ["in", "out"];
const REGIONS: [&str; 3] = ["north", "south", "east"];

/// Which inputs a table has.
#[derive(Debug, Clone, Copy)]
struct Columns {
    numbers: bool,
    /// Categories per step, 0 to 2 columns.
    categories: usize,
    static_number: bool,
    static_category: bool,
}

/// One series. Indices beyond the lists above are of categories that the training data do not have.
#[derive(Debug, Clone)]
struct Series {
    steps: Vec<([f32; 2], [usize; 2])>,
    altitude: f64,
    region: usize,
}

fn name(all: &[&'static str], index: usize) -> &'static str {
    all.get(index).copied().unwrap_or("unheard-of")
}

impl Series {
    fn tokens(&self, columns: Columns) -> Vec<&'static str> {
        let of =
            |step: &([f32; 2], [usize; 2])| [name(&MOODS, step.1[0]), name(&PLACES, step.1[1])];
        self.steps.iter().flat_map(|step| of(step).into_iter().take(columns.categories)).collect()
    }

    fn values(&self, columns: Columns) -> Vec<f64> {
        let steps = self.steps.iter().filter(|_| columns.numbers);
        steps.flat_map(|(values, _)| values.map(f64::from)).collect()
    }
}

/// Writes a table of the series; without targets if `target` is `None`.
fn table(all: &[Series], columns: Columns, target: Option<&str>) -> String {
    let mut text = "series_id".to_string();
    let Columns { numbers, categories, static_number, static_category } = columns;
    for (has, names) in [
        (numbers, "x,y"),
        (categories > 0, "mood"),
        (categories > 1, "place"),
        (static_number, "altitude"),
        (static_category, "region"),
        (target.is_some(), "target"),
    ] {
        text += &if has { format!(",{names}") } else { String::new() };
    }
    text += "\n";
    for (k, series) in all.iter().enumerate() {
        for (t, (values, tokens)) in series.steps.iter().enumerate() {
            let cell = |v: f32| if v.is_nan() { String::new() } else { v.to_string() };
            let _ = write!(text, "s{k}");
            if numbers {
                let _ = write!(text, ",{},{}", cell(values[0]), cell(values[1]));
            }
            let moods = [name(&MOODS, tokens[0]), name(&PLACES, tokens[1])];
            moods.iter().take(categories).for_each(|mood| text += &format!(",{mood}"));
            if static_number {
                let altitude = series.altitude;
                text += &if altitude.is_nan() { ",".into() } else { format!(",{altitude}") };
            }
            if static_category {
                let _ = write!(text, ",{}", name(&REGIONS, series.region));
            }
            match target {
                Some("classes") => text += [",even", ",odd"][k % 2],
                Some("values") => {
                    let _ = write!(text, ",{}", k * 3 % 7);
                }
                Some(_) => text += [",even", ",odd"][(k + t) % 2],
                None => {}
            }
            text += "\n";
        }
    }
    text
}

fn series(moods: usize, regions: usize) -> impl Strategy<Value = Vec<Series>> {
    let value = || prop_oneof![6 => -2.0..2.0f32, 1 => Just(f32::NAN)];
    let step = ([value(), value()], [0..moods, 0..moods.min(3)]);
    let altitude = prop_oneof![4 => 0.0..900.0f64, 1 => Just(f64::NAN)];
    let one = (prop::collection::vec(step, 1..7), altitude, 0..regions)
        .prop_map(|(steps, altitude, region)| Series { steps, altitude, region });
    prop::collection::vec(one, 9..12)
}

fn columns() -> impl Strategy<Value = Columns> {
    let kinds = prop::sample::select(vec![(true, 0), (true, 0), (true, 1), (true, 2), (false, 2)]);
    (kinds, any::<[bool; 2]>()).prop_map(|((numbers, categories), [number, category])| Columns {
        numbers,
        categories,
        static_number: number,
        static_category: category || !number && categories == 0,
    })
}

/// The keys of the model, the target, the transforms, and whether it can run step by step.
fn configuration() -> impl Strategy<Value = (String, &'static str, &'static str, bool)> {
    let readouts = vec!["final", "last", "mean", "max", "attention", "attention"];
    let transforms = vec![
        "{ name = \"mean-fill\" }, { name = \"standardize\" }",
        "{ name = \"mean-fill\" }, { name = \"truncate\", max_length = 3 }",
        "{ name = \"mean-fill\" }, { name = \"truncate\", max_length = 3, keep = \"last\" }",
    ];
    (
        prop::sample::select(vec!["lstm", "gru", "rnn"]),
        prop::sample::select(readouts),
        prop::sample::select(vec!["classes", "values", "steps"]),
        prop::sample::select(transforms),
        (1usize..3, 1usize..9, 1usize..4, 1usize..4),
        any::<[bool; 4]>(),
    )
        .prop_map(|(cell, readout, target, transforms, sizes, flags)| {
            let ((layers, hidden, size, heads), [both, state, trained, one]) = (sizes, flags);
            let mut model = format!(
                "cell = {cell:?}\nhidden_size = {hidden}\nnum_layers = {layers}\nbidirectional = {both}\n\
                 trainable_state = {}\n",
                trained && !state
            );
            let attends = target != "steps" && readout == "attention";
            if target != "steps" {
                let _ = writeln!(model, "readout = {readout:?}");
            }
            if attends {
                let heads = if one { 1 } else { heads };
                let _ = writeln!(model, "attention = {{ size = {size}, heads = {heads} }}");
            }
            if cell == "lstm" && hidden > 4 && one {
                model += "proj_size = 2\n";
            }
            if state {
                model += "static = \"state\"\nstatic_size = 3\n";
            }
            (model, target, transforms, !both && !attends && !transforms.contains("last"))
        })
}

#[test]
fn tables_have_the_bits_of_the_trainer() {
    let (mut trained, mut stepped, mut attended) = (0, 0, 0);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let draw = (configuration(), columns(), series(3, 3), series(5, 5));
    for _ in 0..60 {
        let ((model, target, transforms, stepwise), columns, data, later) =
            draw.new_tree(&mut runner).unwrap().current();
        let folder = tempfile::tempdir().unwrap();
        let mut types = vec![];
        types.extend(columns.static_number.then_some("altitude = \"static\""));
        types.extend(columns.static_category.then_some("region = \"static\""));
        types.extend((columns.categories > 0).then_some("mood = \"category\""));
        types.extend((columns.categories > 1).then_some("place = \"category\""));
        let has_statics = columns.static_number || columns.static_category;
        let model = if has_statics { model } else { model.replace("static", "#static") };
        let transforms = match (columns.numbers, transforms.split_once("{ name = \"truncate\"")) {
            (true, _) => transforms.to_string(),
            (false, Some((_, truncate))) => format!("{{ name = \"truncate\"{truncate}"),
            (false, None) => String::new(),
        };
        let config = format!(
            "[model]\n{model}[data]\ntransforms = [{transforms}]\ndataset = DATASET\n\
             read.csv.types = {{ {} }}\n[train]\nepochs = 1\nbatch_size = 4\nlr = 0.1\n",
            types.join(", ")
        );
        let text = table(&data, columns, Some(target));
        let Ok(predictor) = train(folder.path(), &config, ("train.csv", &text)) else { continue };
        trained += 1;
        attended += usize::from(config.contains("heads"));
        let model = Model::open(&folder.path().join("run")).unwrap();
        let text = table(&later, columns, None);
        let want = predictor.predict_bytes(text.as_bytes(), Format::Csv).unwrap();
        let inputs = Inputs::new(&later, columns);
        let got = model.predict_sequences(&inputs.sequences()).unwrap();
        assert_eq!(got.len(), want.rows.len());
        for (index, (got, want)) in got.iter().zip(&want.rows).enumerate() {
            assert_eq!(as_predicted(&model, got), want.values, "series {index} of\n{config}");
        }
        let sequence = inputs.sequences()[0];
        if let (Tokens::Texts(texts), true) = (sequence.tokens, columns.numbers) {
            let less = Sequence { tokens: Tokens::Texts(&texts[1..]), ..sequence };
            let error = model.predict_sequences(&[sequence, less]);
            assert!(matches!(error, Err(Error::TokenCount { sequence: 2, .. })), "{error:?}");
            let ids = vec![99; texts.len()];
            let beyond = Sequence { tokens: Tokens::Ids(&ids), ..sequence };
            let error = model.predict_sequences(&[beyond]);
            assert!(matches!(error, Err(Error::Token { sequence: 1, .. })), "{error:?}");
        }
        if has_statics {
            let error = model.predict_sequences(&[Sequence {
                statics: Statics::default(),
                ..inputs.sequences()[0]
            }]);
            assert!(matches!(error, Err(Error::Statics { sequence: 1, got: (0, 0), .. })));
        }
        if !stepwise || columns.categories > 0 {
            assert!(matches!(
                model.session_with(inputs.sequences()[0].statics),
                Err(Error::Stepwise { .. } | Error::Transforms(_))
            ));
            continue;
        }
        stepped += 1;
        check_sessions(&model, &inputs.sequences(), &got, &config);
    }
    let counts = format!("{trained} trained, {stepped} step by step, {attended} with attention");
    assert!(trained >= 50 && stepped >= 8 && attended >= 8, "{counts}");
}

/// What the sequences of a model borrow.
struct Inputs {
    values: Vec<Vec<f64>>,
    tokens: Vec<Vec<&'static str>>,
    numbers: Vec<Vec<f64>>,
    categories: Vec<Vec<&'static str>>,
}

impl Inputs {
    fn new(all: &[Series], columns: Columns) -> Self {
        let number = |s: &Series| columns.static_number.then_some(s.altitude);
        let category = |s: &Series| columns.static_category.then(|| name(&REGIONS, s.region));
        Self {
            values: all.iter().map(|s| s.values(columns)).collect(),
            tokens: all.iter().map(|s| s.tokens(columns)).collect(),
            numbers: all.iter().map(|s| number(s).into_iter().collect()).collect(),
            categories: all.iter().map(|s| category(s).into_iter().collect()).collect(),
        }
    }

    fn sequences(&self) -> Vec<Sequence<'_>> {
        let of = |k: usize| Sequence {
            values: &self.values[k],
            tokens: match &*self.tokens[k] {
                [] => Tokens::None,
                tokens => Tokens::Texts(tokens),
            },
            statics: Statics { numbers: &self.numbers[k], categories: &self.categories[k] },
        };
        (0..self.values.len()).map(of).collect()
    }
}

/// Sessions with static values step by step, saved between the steps, reset, and in two chunks.
fn check_sessions(model: &Model, sequences: &[Sequence], want: &[Vec<f32>], config: &str) {
    let mut scratch = Scratch::default();
    for (sequence, want) in sequences.iter().zip(want) {
        let mut session = model.session_with(sequence.statics).unwrap();
        let fresh = session.clone();
        for _ in 0..2 {
            let (mut outputs, mut y) = (vec![], vec![0.0; model.outputs()]);
            for step in sequence.values.chunks_exact(model.features()) {
                let refused = model.step(&mut [&mut session], step, &mut y, &mut scratch).unwrap();
                let truncated = !refused.is_empty();
                match model.is_per_step() {
                    true if truncated => {}
                    true => outputs.extend(&y),
                    false => outputs.clone_from(&y),
                }
                session = model.restore(&session.to_bytes()).unwrap();
            }
            assert_eq!(&outputs, want, "{config}");
            model.reset(&mut session).unwrap();
            assert_eq!(session, fresh);
        }
    }
    let mut all: Vec<Session> =
        sequences.iter().map(|s| model.session_with(s.statics).unwrap()).collect();
    let mut outputs = vec![vec![]; all.len()];
    for part in 0..2 {
        let cut = |s: &Sequence| s.values.len() / model.features() / 2 * model.features();
        let chunk = |s: &Sequence<'_>| match part {
            0 => s.values[..cut(s)].to_vec(),
            _ => s.values[cut(s)..].to_vec(),
        };
        let chunks: Vec<Vec<f64>> = sequences.iter().map(chunk).collect();
        let chunks: Vec<&[f64]> = chunks.iter().map(Vec::as_slice).collect();
        let mut sessions: Vec<&mut Session> = all.iter_mut().collect();
        for (all, new) in outputs.iter_mut().zip(model.chunk(&mut sessions, &chunks).unwrap()) {
            if !model.is_per_step() {
                all.clear();
            }
            all.extend(new);
        }
    }
    assert_eq!(outputs, want, "chunks of\n{config}");
}
