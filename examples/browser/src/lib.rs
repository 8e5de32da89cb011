//! A trained model of one feature per step in a web page: the page writes a checkpoint into memory and then gives the
//! module one value after another. See `index.html`, which draws the predictions.
//!
//! ```text
//! cargo xtask train --config configs/sum-variable.toml --set data.sums.input_size=1 --set data.sums.num_samples=2000 \
//!     --set model.cell=gru --set model.hidden_size=32 --out examples/browser/run
//! rustup target add wasm32-unknown-unknown
//! cd examples/browser
//! cargo build --release
//! cp target/wasm32-unknown-unknown/release/browser.wasm .
//! python3 -m http.server
//! ```

use std::cell::RefCell;

use ragged_runtime::{Model, Result, Scratch, Session};

/// What the page has loaded.
struct Stream {
    model: Model,
    session: Session,
    scratch: Scratch,
    prediction: Vec<f32>,
}

thread_local! {
    static FILE: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
    static STREAM: RefCell<Option<Stream>> = const { RefCell::new(None) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Returns the address of room for a checkpoint of this many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    FILE.with_borrow_mut(|file| {
        *file = vec![0; bytes];
        file.as_mut_ptr()
    })
}

/// Reads the model from the checkpoint. Returns whether it can be used; if not, [`message`] tells why.
#[unsafe(no_mangle)]
pub extern "C" fn open() -> bool {
    let stream = FILE.with_borrow(|file| -> Result<Stream> {
        let model = Model::from_bytes(file)?;
        let (session, prediction) = (model.session()?, vec![0.0; model.outputs()]);
        Ok(Stream { model, session, scratch: Scratch::default(), prediction })
    });
    let stream = match stream {
        Ok(stream) if stream.model.features() == 1 => Ok(stream),
        Ok(stream) => {
            Err(format!("expected a model of 1 feature, got {}", stream.model.features()))
        }
        Err(error) => Err(error.to_string()),
    };
    let opened = stream.is_ok();
    MESSAGE.set(stream.as_ref().err().cloned().unwrap_or_default());
    STREAM.set(stream.ok());
    opened
}

/// Returns the prediction after one more step, or NaN if it was refused; [`message`] then tells why.
#[unsafe(no_mangle)]
pub extern "C" fn step(value: f64) -> f32 {
    STREAM.with_borrow_mut(|stream| {
        let Some(Stream { model, session, scratch, prediction }) = stream else { return f32::NAN };
        let message = match model.step(&mut [session], &[value], prediction, scratch) {
            Ok([]) => String::new(),
            Ok([refused, ..]) => refused.error.to_string(),
            Err(error) => error.to_string(),
        };
        let result = if message.is_empty() { prediction[0] } else { f32::NAN };
        MESSAGE.set(message);
        result
    })
}

/// Begins a new sequence.
#[unsafe(no_mangle)]
pub extern "C" fn reset() {
    STREAM.with_borrow_mut(|stream| {
        if let Some(Stream { model, session, .. }) = stream {
            let message = model.reset(session).err().map(|error| error.to_string());
            MESSAGE.set(message.unwrap_or_default());
        }
    });
}

/// Returns the address of the last message, which has [`message_bytes`].
#[unsafe(no_mangle)]
pub extern "C" fn message() -> *const u8 {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// Returns the number of bytes of the last message; 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn message_bytes() -> usize {
    MESSAGE.with_borrow(String::len)
}
