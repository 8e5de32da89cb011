//! What a pickle describes: objects that refer to one another.
//!
//! The objects are in one list and refer to one another by index, so that an object may be shared,
//! or contain itself, and no function recurses.

use std::collections::BTreeMap;
use std::fmt;

/// A value of a pickle. Texts and bytes are slices of the pickle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, which no size of a tensor is.
    BigInt,
    Float(f64),
    Text(&'a str),
    /// Bytes, or a text that is not valid UTF-8: Python escapes foreign bytes in a path.
    Bytes(&'a [u8]),
    Class(Class<'a>),
    /// An index into the objects of the [`Pickle`].
    Object(usize),
}

/// A Python class, function or constant by its module and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
}

impl fmt::Display for Class<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// A compound value of a pickle.
#[derive(Debug, PartialEq)]
pub(crate) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Set(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// An object outside the pickle, which for PyTorch is a storage.
    Persistent(Value<'a>),
    /// The result of calling a class or function, which is not executed.
    Instance {
        callable: Value<'a>,
        arguments: Value<'a>,
        /// The attributes that are set after the call.
        state: Option<Value<'a>>,
        /// The entries that are set after the call if the result is a dictionary. The elements that
        /// are appended to a list or set are not kept.
        items: Vec<(Value<'a>, Value<'a>)>,
    },
}

impl Value<'_> {
    /// Returns the kind of the value.
    pub(crate) fn kind(self, objects: &[Object<'_>]) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::BigInt | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::Class(_) => "a class or function",
            Value::Object(index) => match objects.get(index) {
                Some(Object::Tuple(_)) => "a tuple",
                Some(Object::List(_)) => "a list",
                Some(Object::Set(_)) => "a set",
                Some(Object::Dict(_)) => "a dictionary",
                Some(Object::Persistent(_)) => "a storage",
                Some(Object::Instance { .. }) | None => "an object",
            },
        }
    }
}

/// A saved object.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(crate) objects: Vec<Object<'a>>,
    /// The saved object itself.
    pub(crate) root: Value<'a>,
}

impl<'a> Pickle<'a> {
    /// Returns the object that a value refers to.
    pub(crate) fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// Returns the elements of a tuple.
    pub(crate) fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.object(value)? {
            Object::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the entries of a dictionary whose keys are texts. As in Python, the last of equal
    /// keys counts. An instance is a dictionary if it is an `OrderedDict` or has entries.
    pub(crate) fn dictionary(&self, value: Value<'a>) -> Option<BTreeMap<&'a str, Value<'a>>> {
        let items = match self.object(value)? {
            Object::Dict(items) => items,
            Object::Instance { callable: Value::Class(class), items, .. }
                if !items.is_empty() || class.name == "OrderedDict" =>
            {
                items
            }
            _ => return None,
        };
        let texts = items.iter().filter_map(|&(key, value)| match key {
            Value::Text(key) => Some((key, value)),
            _ => None,
        });
        Some(texts.collect())
    }

    /// Returns what a value is, in words.
    pub(crate) fn describe(&self, value: Value<'a>) -> String {
        match (value, self.object(value)) {
            (_, Some(Object::Instance { callable: Value::Class(class), .. })) => {
                format!("an object of {class}")
            }
            (Value::Class(class), _) => format!("the class or function {class}"),
            _ => value.kind(&self.objects).into(),
        }
    }
}
