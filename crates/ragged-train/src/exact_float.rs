//! Floats in JSON that come back with their bits, for `#[serde(with = "exact_float")]`.
//!
//! JSON has no NaN and no infinities, and serde_json writes them as `null`. Here they are strings, as in the JSON
//! of protocol buffers: `"NaN"`, `"Infinity"` and `"-Infinity"`, and `"NaN(0xfff8000000000000)"` for a NaN with
//! other bits than [`f64::NAN`]. Every float of a checkpoint and of `metrics.jsonl` is written this way.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serialises floats, alone or in a container.
pub(crate) fn serialize<T: Floats, S: Serializer>(floats: &T, to: S) -> Result<S::Ok, S::Error> {
    floats.to_json().serialize(to)
}

/// Deserialises what [`serialize`] has written.
pub(crate) fn deserialize<'de, T: Floats, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let json = T::Json::deserialize(from)?;
    T::from_json(json).map_err(|got| D::Error::custom(format!("expected a number, got {got:?}")))
}

/// A float, or a container of floats.
pub(crate) trait Floats: Sized {
    /// What is written.
    type Json: Serialize + DeserializeOwned;

    fn to_json(&self) -> Self::Json;

    /// Fails with a text that is no number.
    fn from_json(json: Self::Json) -> Result<Self, String>;
}

/// A float as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Finite(f64),
    Other(String),
}

impl Floats for f64 {
    type Json = Number;

    fn to_json(&self) -> Number {
        Number::Other(match *self {
            Self::INFINITY => "Infinity".into(),
            Self::NEG_INFINITY => "-Infinity".into(),
            value if value.to_bits() == Self::NAN.to_bits() => "NaN".into(),
            value if value.is_nan() => format!("NaN({:#018x})", value.to_bits()),
            value => return Number::Finite(value),
        })
    }

    fn from_json(json: Number) -> Result<Self, String> {
        let text = match json {
            Number::Finite(value) => return Ok(value),
            Number::Other(text) => text,
        };
        let bits = || {
            let digits = text.strip_prefix("NaN(0x")?.strip_suffix(')')?;
            u64::from_str_radix(digits, 16).ok().map(Self::from_bits).filter(|value| value.is_nan())
        };
        match text.as_str() {
            "NaN" => Ok(Self::NAN),
            "Infinity" => Ok(Self::INFINITY),
            "-Infinity" => Ok(Self::NEG_INFINITY),
            _ => bits().ok_or(text),
        }
    }
}

impl<T: Floats> Floats for Option<T> {
    type Json = Option<T::Json>;

    fn to_json(&self) -> Self::Json {
        self.as_ref().map(T::to_json)
    }

    fn from_json(json: Self::Json) -> Result<Self, String> {
        json.map(T::from_json).transpose()
    }
}

impl<T: Floats> Floats for Vec<T> {
    type Json = Vec<T::Json>;

    fn to_json(&self) -> Self::Json {
        self.iter().map(T::to_json).collect()
    }

    fn from_json(json: Self::Json) -> Result<Self, String> {
        json.into_iter().map(T::from_json).collect()
    }
}

/// A float with a count or number.
impl Floats for (f64, usize) {
    type Json = (Number, usize);

    fn to_json(&self) -> Self::Json {
        (self.0.to_json(), self.1)
    }

    fn from_json((float, count): Self::Json) -> Result<Self, String> {
        Ok((f64::from_json(float)?, count))
    }
}

impl Floats for [f64; 3] {
    type Json = [Number; 3];

    fn to_json(&self) -> Self::Json {
        self.map(|float| float.to_json())
    }

    fn from_json([a, b, c]: Self::Json) -> Result<Self, String> {
        Ok([f64::from_json(a)?, f64::from_json(b)?, f64::from_json(c)?])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through_json<T: Floats>(floats: &T) -> T {
        let text = serde_json::to_string(&floats.to_json()).unwrap();
        T::from_json(serde_json::from_str(&text).unwrap()).unwrap()
    }

    proptest! {
        /// Any bits, of which one in 2048 patterns is not finite, and those alone.
        #[test]
        fn every_float_keeps_its_bits(bits: u64, payload in 0u64..1 << 53) {
            for bits in [bits, 0x7ff0_0000_0000_0000 | payload | payload << 11 & 1 << 63] {
                prop_assert_eq!(through_json(&f64::from_bits(bits)).to_bits(), bits);
            }
        }
    }

    #[test]
    fn special_values_are_readable() {
        let text = |value: f64| serde_json::to_string(&value.to_json()).unwrap();
        assert_eq!(text(f64::NAN), r#""NaN""#);
        assert_eq!(text(-f64::NAN), r#""NaN(0xfff8000000000000)""#);
        assert_eq!(text(f64::NEG_INFINITY), r#""-Infinity""#);
        assert_eq!(text(-0.0), "-0.0");
        assert_eq!(through_json(&vec![(f64::INFINITY, 3)]), [(f64::INFINITY, 3)]);
        for text in ["nan", "NaN(0x1)", "NaN()", ""] {
            assert!(f64::from_json(Number::Other(text.into())).is_err(), "{text}");
        }
    }
}
