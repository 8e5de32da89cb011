//! A server of predictions. Requests that arrive together run as one batch.
//!
//! ```text
//! cargo run --release -p ragged-runtime --example server -- runs/NAME/1 127.0.0.1:3000
//! curl --data '{"id": "a", "sequence": [[1, 2, 3], [4, null, 6]]}' http://127.0.0.1:3000/predict
//! ```
//!
//! `POST /predict` takes JSON lines, one sequence each, and returns one line for each of them. If a line is wrong, the
//! response is an error that names it.
//!
//! `GET /stream` opens a WebSocket. Each message is one step, such as `[1, 2, 3]`. Each response is the prediction for all
//! steps so far.

#![allow(clippy::print_stderr)]

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::routing::{get, post};
use ragged_runtime::{Model, Scratch, softmax};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// The most sequences of one batch.
const MOST_SEQUENCES: usize = 64;

/// A sequence, and where its prediction goes.
type Job = (Vec<f64>, oneshot::Sender<Result<Vec<f32>, String>>);

#[derive(Clone)]
struct Service {
    model: Arc<Model>,
    jobs: mpsc::Sender<Job>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let run = arguments.next().ok_or("expected the folder of a run")?;
    let address = arguments.next().unwrap_or("127.0.0.1:3000".into());
    let model = Arc::new(Model::open(run.as_ref())?);
    let (jobs, queue) = mpsc::channel(1024);
    let service = Service { model: model.clone(), jobs };
    std::thread::spawn(move || run_batches(&model, queue));
    let routes = Router::new().route("/predict", post(predict)).route("/stream", get(stream));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, routes.with_state(service)).await?)
}

/// Runs all sequences that wait as one batch, again and again.
fn run_batches(model: &Model, mut queue: mpsc::Receiver<Job>) {
    let mut waiting: Vec<Job> = vec![];
    while queue.blocking_recv_many(&mut waiting, MOST_SEQUENCES) > 0 {
        let sequences: Vec<&[f64]> = waiting.iter().map(|(sequence, _)| &sequence[..]).collect();
        let results: Vec<Result<Vec<f32>, String>> = match model.predict(&sequences) {
            Ok(predictions) => predictions.into_iter().map(Ok).collect(),
            // One of them is bad: each gets its own answer.
            Err(_) => {
                let alone = |&sequence: &&[f64]| match model.predict(&[sequence]) {
                    Ok(mut predictions) => Ok(predictions.remove(0)),
                    Err(error) => Err(error.to_string()),
                };
                sequences.iter().map(alone).collect()
            }
        };
        for ((_, reply), result) in waiting.drain(..).zip(results) {
            // The client may have closed its connection.
            let _ = reply.send(result);
        }
    }
}

async fn predict(
    State(service): State<Service>,
    body: String,
) -> Result<String, (StatusCode, String)> {
    let refuse = |line: usize, error: String| {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("line {}: {error}\n", line + 1))
    };
    let mut replies = vec![];
    for (line, text) in body.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let request: Value = serde_json::from_str(text).map_err(|e| refuse(line, e.to_string()))?;
        let steps =
            request["sequence"].as_array().ok_or("expected the key sequence, a list of steps");
        let steps = steps.map_err(|error| refuse(line, error.into()))?;
        let values = steps.iter().map(|step| step_values(&service.model, step));
        let values = values.collect::<Result<Vec<_>, _>>().map_err(|error| refuse(line, error))?;
        let (reply, result) = oneshot::channel();
        let closed = |_| (StatusCode::SERVICE_UNAVAILABLE, "the server stops\n".to_string());
        service.jobs.send((values.concat(), reply)).await.map_err(|_| closed(()))?;
        replies.push((line, request["id"].clone(), result));
    }
    let mut answer = String::new();
    for (line, id, result) in replies {
        let outputs = result.await.unwrap_or(Err("the server stops".into()));
        let outputs = outputs.map_err(|error| refuse(line, error))?;
        let mut response = response(&service.model, &outputs);
        if !id.is_null() {
            response["id"] = id;
        }
        answer += &format!("{response}\n");
    }
    Ok(answer)
}

async fn stream(
    State(service): State<Service>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.on_upgrade(move |socket| answer_steps(service.model, socket))
}

/// Answers each step of a session.
async fn answer_steps(model: Arc<Model>, mut socket: WebSocket) {
    let (session, mut scratch) = (model.session(), Scratch::default());
    let mut session = match session {
        Ok(session) => session,
        Err(error) => {
            let _ = socket
                .send(Message::Text(json!({"error": error.to_string()}).to_string().into()))
                .await;
            return;
        }
    };
    let mut y = vec![0.0; model.outputs()];
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let step = serde_json::from_str(&text).map_err(|error| error.to_string());
        let values = step.and_then(|step| step_values(&model, &step));
        let refused = values.and_then(|x| {
            let refused = model.step(&mut [&mut session], &x, &mut y, &mut scratch);
            let refused = refused.map_err(|error| error.to_string())?;
            refused.first().map_or(Ok(()), |refused| Err(refused.error.to_string()))
        });
        let answer = match refused {
            Ok(()) => response(&model, &y),
            Err(error) => json!({ "error": error }),
        };
        if socket.send(Message::Text(answer.to_string().into())).await.is_err() {
            return;
        }
    }
}

/// The values of one step; `null` is a missing one.
fn step_values(model: &Model, step: &Value) -> Result<Vec<f64>, String> {
    let values = step.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(step));
    let number = |value: &Value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
    let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
    let features = model.features();
    numbers
        .filter(|numbers| numbers.len() == features)
        .ok_or_else(|| format!("expected a step of {features} numbers, got {step}"))
}

fn response(model: &Model, outputs: &[f32]) -> Value {
    let rows = outputs.chunks_exact(model.outputs());
    let classes = |labels: &[String], label: Option<&str>, row: &[f32]| {
        let p: serde_json::Map<_, _> =
            labels.iter().zip(softmax(row)).map(|(label, p)| (label.clone(), json!(p))).collect();
        json!({"label": label, "probabilities": p})
    };
    let rows = rows.map(|row| match model.targets().labels() {
        Some(labels) => classes(labels, model.targets().label(row), row),
        None if model.targets().parts().is_empty() => json!({ "values": row }),
        None => {
            let heads = model.heads().map(|(part, range)| {
                let row = &row[range];
                let value = match part.labels() {
                    Some(labels) => classes(labels, part.label(row), row),
                    None => json!({ "values": row }),
                };
                (part.name.clone(), value)
            });
            json!({ "heads": heads.collect::<serde_json::Map<_, _>>() })
        }
    });
    let mut rows: Vec<Value> = rows.collect();
    match model.is_per_step() {
        true => json!({ "steps": rows }),
        false => rows.pop().unwrap_or_default(),
    }
}
