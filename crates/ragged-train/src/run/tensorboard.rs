//! Event files for TensorBoard: protocol buffers in TensorFlow's record format.
//!
//! A record is the length of the data (8 bytes, little endian), the masked CRC-32C of these bytes, the
//! data, and the masked CRC-32C of the data (`tensorflow/core/lib/io/record_writer.h`). The messages
//! declare only the fields of `event.proto` and `summary.proto` that are used here.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::{Message, Oneof};

use crate::error::{Error, Result};
use crate::fit::record::{EpochRecord, StepRecord};
use crate::objective::metrics::Metrics;

#[derive(Message)]
struct Event {
    /// Seconds since the Unix epoch.
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
    /// One of the alternatives of a `oneof`: it is written even if it is 0, unlike a plain field.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Message)]
struct SessionLog {
    /// 1 is START: readers discard what earlier files say about this step and later ones.
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The events that one process writes for a run.
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// When the current epoch began, in seconds since the Unix epoch.
    epoch_began: f64,
    /// Time steps in the current epoch.
    real_steps: usize,
    padded_steps: usize,
}

impl EventFile {
    /// Creates a file for the events after `step` in a directory, which is created if necessary.
    pub(crate) fn create(folder: &Path, step: u64) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let now = now();
        // Readers sort the files of a directory by name.
        let name = format!("events.out.tfevents.{:017.6}.{}", now, std::process::id());
        let path = folder.join(name);
        let file = File::create(&path).map_err(Error::io(&path))?;
        let (file, epoch_began) = (BufWriter::new(file), now);
        let mut this = Self { path, file, epoch_began, real_steps: 0, padded_steps: 0 };
        this.event(0, What::FileVersion("brain.Event:2".into()))?;
        this.event(step as i64 + 1, What::SessionLog(SessionLog { status: 1 }))?;
        this.flush()?;
        Ok(this)
    }

    /// Writes the loss, gradient norm and learning rate of an update.
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

    /// Writes the metrics and the speed of an epoch, at the step of its last update.
    pub(crate) fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let mut values = vec![];
        let mut add = |part: &str, metrics: &Metrics| {
            let named = metrics.all().map(|(name, value)| (format!("{part}/{name}"), value));
            values.extend(named);
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

    /// Passes buffered events to the operating system.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io(&self.path))
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value {
            tag: tag.into(),
            simple_value: Some(value as f32),
        };
        let value = values.iter().map(value).collect();
        self.event(step as i64, What::Summary(Summary { value }))
    }

    fn event(&mut self, step: i64, what: What) -> Result<()> {
        let event = Event { wall_time: now(), step, what: Some(what) };
        self.file.write_all(&record(&event.encode_to_vec())).map_err(Error::io(&self.path))
    }
}

/// Returns the data as one record.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(data.len() + 16);
    bytes.extend(length);
    bytes.extend(masked_crc(&length));
    bytes.extend(data);
    bytes.extend(masked_crc(data));
    bytes
}

/// TensorFlow rotates and shifts checksums, since a checksum of data that contains checksums is weak.
fn masked_crc(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the records of a file and verifies their checksums.
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

    /// The test vector of 32 zeros in RFC 3720, and its checksum masked by TensorFlow's rule.
    #[test]
    fn checksums_are_masked_crc_32c() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffau32.to_le_bytes());
    }

    #[test]
    fn a_resumed_run_makes_readers_discard_later_steps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensorboard");
        let mut file = EventFile::create(&path, 7).unwrap();
        let record = StepRecord {
            epoch: 1,
            batch: 8,
            batches: 9,
            updates: 8,
            loss: 0.5,
            grad_norm: 0.0,
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
        let expected = [("update/loss", 0.5), ("update/grad_norm", 0.0), ("update/lr", 0.25)];
        assert_eq!(values, expected.map(|(tag, value)| (tag, Some(value))));
        // Tag 2 of type 5 (four bytes), then 0.0: a reader shows no point without it.
        let zero = [0x15, 0, 0, 0, 0];
        assert!(fs::read(&file.path).unwrap().windows(5).any(|bytes| bytes == zero));
    }
}
