//! Event files for TensorBoard, which are records of TensorFlow's with protocol buffers in them.
//!
//! A record is its length (8 bytes, little endian), the masked CRC-32C of these bytes, the data, and
//! the masked CRC-32C of the data (`tensorflow/core/lib/io/record_writer.h`). The messages are the
//! few fields in use of `event.proto` and `summary.proto`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::{Message, Oneof};

use crate::{EpochRecord, Error, Metrics, Result, StepRecord};

#[derive(Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

#[derive(Message)]
struct SessionLog {
    /// 1 is START: readers forget what files before this one say about this step and later ones.
    #[prost(int32, tag = "1")]
    status: i32,
}

/// One process's part of a run's events.
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// When the last update was, and how many real steps there were since the last epoch's end.
    epoch_began: f64,
    real_steps: usize,
    padded_steps: usize,
}

impl EventFile {
    /// A new file in `folder`, which is made where it is missing, for events from `step` on.
    pub(crate) fn create(folder: &Path, step: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
        let now = now();
        // Readers take the files of a folder in the order of their names.
        let name = format!("events.out.tfevents.{:017.6}.{}", now, std::process::id());
        let path = folder.join(name);
        let file = File::create(&path).map_err(|error| Error::file(&path, error))?;
        let (file, epoch_began) = (BufWriter::new(file), now);
        let mut this = Self { path, file, epoch_began, real_steps: 0, padded_steps: 0 };
        this.event(0, What::FileVersion("brain.Event:2".into()))?;
        this.event(step as i64 + 1, What::SessionLog(SessionLog { status: 1 }))?;
        this.flush()?;
        Ok(this)
    }

    /// An update: its loss, gradient norm and learning rate.
    pub(crate) fn step(&mut self, record: &StepRecord) -> Result<()> {
        self.real_steps += record.steps;
        self.padded_steps += record.padded_steps;
        let values = [
            ("update/loss", record.loss),
            ("update/grad_norm", record.grad_norm),
            ("update/lr", record.lr),
        ];
        self.scalars(record.updates, &values)
    }

    /// An epoch: its metrics, and how fast it went. The step is that of its last update.
    pub(crate) fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let mut values = vec![];
        let mut add = |part: &str, metrics: &Metrics| {
            let named = [
                ("loss", Some(metrics.loss)),
                ("r2", metrics.r2),
                ("accuracy", metrics.accuracy),
                ("f1", metrics.f1),
            ];
            let given = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
            values.extend(given.map(|(name, value)| (format!("{part}/{name}"), value)));
        };
        add("train", &record.train);
        record.valid.iter().for_each(|metrics| add("valid", metrics));
        let seconds = now() - self.epoch_began;
        let (real, padded) = (self.real_steps as f64, self.padded_steps as f64);
        values.push(("epoch/number".into(), record.epoch as f64));
        values.push(("epoch/real_tokens_per_second".into(), real / seconds.max(1e-9)));
        values.push(("epoch/padding_share".into(), 1.0 - real / padded.max(1.0)));
        (self.real_steps, self.padded_steps, self.epoch_began) = (0, 0, now());
        let values: Vec<_> = values.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        self.scalars(record.updates, &values)?;
        self.flush()
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| Error::file(&self.path, error))
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let value =
            |&(tag, value): &(&str, f64)| Value { tag: tag.into(), simple_value: value as f32 };
        let value = values.iter().map(value).collect();
        self.event(step as i64, What::Summary(Summary { value }))
    }

    fn event(&mut self, step: i64, what: What) -> Result<()> {
        let event = Event { wall_time: now(), step, what: Some(what) };
        self.file
            .write_all(&record(&event.encode_to_vec()))
            .map_err(|error| Error::file(&self.path, error))
    }
}

/// The data framed as one record.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(data.len() + 16);
    bytes.extend(length);
    bytes.extend(masked_crc(&length));
    bytes.extend(data);
    bytes.extend(masked_crc(data));
    bytes
}

/// A sum of data that itself holds sums would be weak, so TensorFlow turns and shifts it.
fn masked_crc(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a file apart again: what a reader does, sums and all.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let (mut events, mut rest) = (vec![], bytes);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]));
            let data = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_crc(data));
            events.push(Event::decode(data).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    /// RFC 3720's test vector of 32 zeros, and its sum masked by TensorFlow's rule elsewhere.
    #[test]
    fn sums_are_masked_castagnoli() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffau32.to_le_bytes());
    }

    #[test]
    fn a_resumed_run_tells_readers_to_forget() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensorboard");
        let mut file = EventFile::create(&path, 7).unwrap();
        let record = StepRecord {
            epoch: 1,
            batch: 8,
            batches: 9,
            updates: 8,
            loss: 0.5,
            grad_norm: 2.0,
            lr: 0.25,
            steps: 3,
            padded_steps: 6,
        };
        file.step(&record).unwrap();
        file.flush().unwrap();
        let events = read(&fs::read(&file.path).unwrap());
        assert!(matches!(&events[0].what, Some(What::FileVersion(v)) if v == "brain.Event:2"));
        assert!(matches!(&events[1].what, Some(What::SessionLog(log)) if log.status == 1));
        assert_eq!((events[1].step, events[2].step), (8, 8));
        let Some(What::Summary(summary)) = &events[2].what else { panic!("a summary") };
        let values: Vec<_> =
            summary.value.iter().map(|v| (v.tag.as_str(), v.simple_value)).collect();
        assert_eq!(values, [("update/loss", 0.5), ("update/grad_norm", 2.0), ("update/lr", 0.25)]);
    }
}
