//! PyTorch, in a Python process that answers each line of JSON with another.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::bench::problem::{Mode, Pass, Problem};
use crate::bench::timing::Turn;
use crate::failure::Failure;

const SCRIPT: &str = include_str!("../../../../validation/bench_pytorch.py");

/// A running Python interpreter, killed when dropped.
pub(super) struct PyTorch {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl PyTorch {
    /// Starts the interpreter; with `ftz`, PyTorch flushes denormals to zero.
    pub(super) fn start(python: &Path, threads: usize, ftz: bool) -> Result<Self, Failure> {
        Self::start_script(SCRIPT, python, threads, ftz.then_some("ftz"))
    }

    /// Starts the interpreter with another script.
    pub(super) fn start_script(
        script: &str,
        python: &Path,
        threads: usize,
        option: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(python);
        command.args(["-c", script, &threads.to_string()]).args(option);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let failed = |reason: &str| Failure::Failed(format!("{}: {reason}", python.display()));
        let mut child = child.map_err(|error| failed(&error.to_string()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("no pipes"));
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Stops the process, so that its waiting threads take no time from the library that is measured.
    pub(super) fn pause(&self) -> Result<(), Failure> {
        self.signal("-STOP")
    }

    /// Continues the process after [`pause`](Self::pause).
    pub(super) fn resume(&self) -> Result<(), Failure> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> Result<(), Failure> {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => {
                Err(Failure::Failed(format!("kill {name}: expected the process of PyTorch to run")))
            }
        }
    }

    /// Sends a line of JSON and returns the answer.
    pub(super) fn ask(&mut self, request: &Value) -> Result<Value, Failure> {
        let mut line = String::new();
        let asked = writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush());
        let read = asked.and_then(|()| self.stdout.read_line(&mut line));
        let answer = serde_json::from_str(&line).ok();
        match (read, answer) {
            (Ok(1..), Some(answer)) => Ok(answer),
            _ => Err(Failure::Failed(
                "PyTorch did not answer: is torch installed for this Python?".into(),
            )),
        }
    }

    /// Transfers data and weights. Returns the losses, packed and padded.
    pub(super) fn load(&mut self, problem: &Problem) -> Result<(f64, f64), Failure> {
        let folder = tempfile::tempdir().map_err(|error| Failure::Failed(error.to_string()))?;
        let path = folder.path().join("problem.safetensors");
        let write = || -> candle_core::Result<()> {
            let lengths: Vec<i64> = problem.lengths.iter().map(|&length| length as i64).collect();
            let mut tensors: std::collections::HashMap<String, Tensor> =
                problem.parameters.state_dict().into_iter().collect();
            tensors.insert("x".into(), problem.x.clone());
            tensors.insert("target".into(), problem.target.clone());
            let count = lengths.len();
            tensors.insert("lengths".into(), Tensor::from_vec(lengths, count, &Device::Cpu)?);
            candle_core::safetensors::save(&tensors, &path)
        };
        write().map_err(ragged_train::Error::Candle)?;
        let lstm = &problem.shape.lstm;
        let answer = self.ask(&json!({
            "file": path, "layers": lstm.num_layers, "bidirectional": lstm.bidirectional,
        }))?;
        let loss = |mode: &str| answer[mode].as_f64().unwrap_or(f64::NAN);
        Ok((loss("packed"), loss("padded")))
    }

    pub(super) fn time(&mut self, mode: Mode, pass: Pass, n: usize) -> Turn {
        let request = json!({
            "mode": mode.to_string(), "pass": pass.to_string(), "iterations": n,
        });
        let answer = self.ask(&request)?;
        let times = answer["ms"].as_array().map(|times| times.iter().filter_map(Value::as_f64));
        Ok(times.map(Iterator::collect).unwrap_or_default())
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // It would end by itself at the end of its input, but later.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
