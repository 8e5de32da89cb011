//! Sessions as bytes.
//!
//! The bytes are: 8 that name the format, the 32 of the model's checksum, the hidden states, the cell states, the
//! pooled row and the features of the static values as 32-bit floats, the number of steps as 64 bits, the states of the
//! transforms as 64-bit floats, and 8 bytes of a checksum of all before. Numbers are little-endian.

use ragged_transforms::PipelineState;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::session::Session;
use crate::statics::StaticPart;

const FORMAT: &[u8; 8] = b"RAGGEDS1";
const SUM_LEN: usize = 8;

impl Session {
    /// Returns the session as bytes, from which [`Model::restore`] continues with the same bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { states, pooled, statics, transforms, fingerprint } = self;
        let mut bytes = [FORMAT.as_slice(), fingerprint].concat();
        let floats = states.hidden.iter().chain(&states.cell).flatten();
        let floats = floats.chain(&pooled.row).chain(statics);
        floats.for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend(pooled.steps.to_le_bytes());
        transforms.as_slice().iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend(&Sha256::digest(&bytes)[..SUM_LEN]);
        bytes
    }
}

impl Model {
    /// Reads a session that was saved as bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Session`] for damaged bytes, or a session of another model; also of another epoch of the same run. For
    /// a model that has no sessions, as [`session`](Self::session).
    pub fn restore(&self, bytes: &[u8]) -> Result<Session> {
        let features = self.statics.as_ref().map_or(0, StaticPart::features);
        let mut session = self.session_of(vec![0.0; features])?;
        let wrong = |expected, got: &str| Error::Session { expected, got: got.into() };
        let len = session.to_bytes().len();
        let header = FORMAT.len() + self.fingerprint.len();
        if bytes.len() < header || bytes[..FORMAT.len()] != *FORMAT {
            return Err(wrong("the bytes of a session", "other bytes"));
        }
        if bytes[FORMAT.len()..header] != self.fingerprint {
            return Err(wrong("a session of this model", "one of another model or epoch"));
        }
        if bytes.len() != len {
            let got = format!("{} bytes instead of {len}", bytes.len());
            return Err(wrong("a whole session", &got));
        }
        let (content, sum) = bytes.split_at(len - SUM_LEN);
        if sum != &Sha256::digest(content)[..SUM_LEN] {
            return Err(wrong("the bytes of a session", "damaged bytes"));
        }
        let mut rest = &content[header..];
        let states = &mut session.states;
        let floats = states.hidden.iter_mut().chain(&mut states.cell).flatten();
        for value in floats.chain(&mut session.pooled.row).chain(&mut session.statics) {
            *value = f32::from_le_bytes(take(&mut rest));
        }
        session.pooled.steps = u64::from_le_bytes(take(&mut rest));
        let (numbers, _) = rest.as_chunks::<8>();
        let numbers: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        session.transforms = PipelineState::from_slice(&self.transforms, &numbers)?;
        Ok(session)
    }
}

/// Takes the first bytes, of which the caller knows that there are enough; else zeros.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk::<N>() {
        Some((first, after)) => {
            *rest = after;
            *first
        }
        None => [0; N],
    }
}
