//! The stack machine that reads a pickle.
//!
//! A pickle is a program. This machine executes nothing of it: a call of a Python function is kept as
//! an [`Object::Instance`] that names the function and its arguments. The machine knows the opcodes
//! that Python writes with the protocols 2 to 5. Every opcode adds a bounded amount to the objects and
//! the stack, so the memory is proportional to the length of the pickle.

use std::collections::HashMap;

use crate::weights::pickle::arguments::Arguments;
use crate::weights::pickle::error::{PickleError, Problem};
use crate::weights::pickle::object_graph::{Class, Object, Pickle, Value};
use crate::weights::pickle::opcodes as op;

/// Parses a pickle.
///
/// # Errors
///
/// The first opcode that is unknown, cut off, or does not fit the values before it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    let mut machine = Machine {
        input: Arguments::new(bytes),
        stack: vec![],
        marks: vec![],
        memo: HashMap::new(),
        objects: vec![],
    };
    loop {
        let position = machine.input.position();
        let opcode = machine.input.byte().ok();
        let outcome = match opcode {
            None => Err(Problem::NoStop),
            Some(opcode) if position == 0 && opcode != op::PROTO => Err(Problem::NoProtocol),
            Some(opcode) => machine.step(opcode),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { objects: machine.objects, root }),
            Err(problem) => return Err(PickleError { opcode, position, problem }),
        }
    }
}

/// The state of the stack machine.
struct Machine<'a> {
    input: Arguments<'a>,
    stack: Vec<Value<'a>>,
    /// The heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    objects: Vec<Object<'a>>,
}

impl<'a> Machine<'a> {
    /// Executes one opcode, whose argument is the next input. Returns the saved object after STOP.
    fn step(&mut self, opcode: u8) -> Result<Option<Value<'a>>, Problem> {
        match opcode {
            op::PROTO => match self.input.byte()? {
                2..=5 => {}
                protocol => return Err(Problem::Protocol(protocol)),
            },
            op::FRAME => {
                // Frames only help a reader to buffer.
                self.input.number::<8>()?;
            }
            op::STOP => return self.pop().map(Some),

            op::NONE => self.stack.push(Value::None),
            op::NEWTRUE => self.stack.push(Value::Bool(true)),
            op::NEWFALSE => self.stack.push(Value::Bool(false)),
            op::BININT => {
                let number = i32::from_le_bytes(self.input.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            op::BININT1 => self.push_int::<1>()?,
            op::BININT2 => self.push_int::<2>()?,
            op::LONG1 => {
                let length = self.input.length::<1>()?;
                self.push_long(length)?;
            }
            op::LONG4 => {
                let length = self.input.signed_length()?;
                self.push_long(length)?;
            }
            op::BINFLOAT => {
                let number = f64::from_be_bytes(self.input.array()?);
                self.stack.push(Value::Float(number));
            }

            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.push_text::<1>()?,
            op::BINUNICODE => self.push_text::<4>()?,
            op::BINUNICODE8 => self.push_text::<8>()?,
            op::BINSTRING => {
                let length = self.input.signed_length()?;
                let bytes = self.input.take(length)?;
                self.stack.push(text_or_bytes(bytes));
            }
            op::SHORT_BINBYTES => self.push_bytes::<1>()?,
            op::BINBYTES => self.push_bytes::<4>()?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.push_bytes::<8>()?,

            op::MARK => self.marks.push(self.stack.len()),
            op::POP => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            op::POP_MARK => drop(self.pop_to_mark()?),

            op::EMPTY_TUPLE => self.push(Object::Tuple(vec![])),
            op::TUPLE1 => self.push_tuple(1)?,
            op::TUPLE2 => self.push_tuple(2)?,
            op::TUPLE3 => self.push_tuple(3)?,
            op::TUPLE => {
                let elements = self.pop_to_mark()?;
                self.push(Object::Tuple(elements));
            }
            op::EMPTY_LIST => self.push(Object::List(vec![])),
            op::APPEND => {
                let element = self.pop()?;
                self.extend("a list", vec![element])?;
            }
            op::APPENDS => {
                let elements = self.pop_to_mark()?;
                self.extend("a list", elements)?;
            }
            op::EMPTY_SET => self.push(Object::Set(vec![])),
            op::ADDITEMS => {
                let elements = self.pop_to_mark()?;
                self.extend("a set", elements)?;
            }
            op::FROZENSET => {
                let elements = self.pop_to_mark()?;
                self.push(Object::Set(elements));
            }
            op::EMPTY_DICT => self.push(Object::Dict(vec![])),
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            op::SETITEMS => {
                let elements = self.pop_to_mark()?;
                self.set_items(&elements)?;
            }

            op::GLOBAL => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                self.stack.push(Value::Class(Class { module, name }));
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.stack.push(Value::Class(Class { module, name }));
            }
            op::REDUCE | op::NEWOBJ => {
                let arguments = self.pop()?;
                self.call(arguments)?;
            }
            op::NEWOBJ_EX => {
                let (_keywords, arguments) = (self.pop()?, self.pop()?);
                self.call(arguments)?;
            }
            op::BUILD => {
                let new = self.pop()?;
                match self.top_object()? {
                    Some(Object::Instance { state, .. }) => *state = Some(new),
                    _ => return Err(self.wrong_top("an object")),
                }
            }
            op::BINPERSID => {
                let id = self.pop()?;
                self.push(Object::Persistent(id));
            }

            op::BINPUT => self.store::<1>()?,
            op::LONG_BINPUT => self.store::<4>()?,
            op::MEMOIZE => {
                let value = self.top()?;
                self.memo.insert(self.memo.len(), value);
            }
            op::BINGET => self.fetch::<1>()?,
            op::LONG_BINGET => self.fetch::<4>()?,

            _ => return Err(Problem::Unsupported),
        }
        Ok(None)
    }

    fn push(&mut self, object: Object<'a>) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn push_int<const N: usize>(&mut self) -> Result<(), Problem> {
        let number = self.input.number::<N>()?;
        self.stack.push(i64::try_from(number).map_or(Value::BigInt, Value::Int));
        Ok(())
    }

    /// Pushes an integer of `length` bytes in two's complement, little-endian.
    fn push_long(&mut self, length: usize) -> Result<(), Problem> {
        let bytes = self.input.take(length)?;
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut number = [sign; 8];
        self.stack.push(match number.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(number))
            }
            None => Value::BigInt,
        });
        Ok(())
    }

    fn push_text<const N: usize>(&mut self) -> Result<(), Problem> {
        let length = self.input.length::<N>()?;
        let bytes = self.input.take(length)?;
        self.stack.push(text_or_bytes(bytes));
        Ok(())
    }

    fn push_bytes<const N: usize>(&mut self) -> Result<(), Problem> {
        let length = self.input.length::<N>()?;
        let bytes = self.input.take(length)?;
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    /// Replaces the last `count` values by a tuple of them.
    fn push_tuple(&mut self, count: usize) -> Result<(), Problem> {
        let start = self.stack.len().checked_sub(count).ok_or(Problem::EmptyStack)?;
        if self.marks.last().is_some_and(|&mark| start < mark) {
            return Err(Problem::EmptyStack);
        }
        let elements = self.stack.split_off(start);
        self.push(Object::Tuple(elements));
        Ok(())
    }

    /// Returns the last value, unless it is before the last mark.
    fn top(&self) -> Result<Value<'a>, Problem> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        self.stack.get(bottom..).and_then(<[_]>::last).copied().ok_or(Problem::EmptyStack)
    }

    fn pop(&mut self) -> Result<Value<'a>, Problem> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn pop_text(&mut self) -> Result<&'a str, Problem> {
        match self.pop()? {
            Value::Text(text) => Ok(text),
            other => Err(self.wrong(other, "a text")),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Problem> {
        let mark = self.marks.pop().ok_or(Problem::NoMark)?;
        Ok(self.stack.split_off(mark))
    }

    fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// Returns the object that is the last value, if it is one.
    fn top_object(&mut self) -> Result<Option<&mut Object<'a>>, Problem> {
        Ok(match self.top()? {
            Value::Object(index) => self.objects.get_mut(index),
            _ => None,
        })
    }

    fn wrong(&self, value: Value<'a>, expected: &'static str) -> Problem {
        Problem::Kind { expected, got: value.kind(&self.objects) }
    }

    fn wrong_top(&self, expected: &'static str) -> Problem {
        self.top().map_or_else(|problem| problem, |top| self.wrong(top, expected))
    }

    /// Adds elements to the list or set that is the last value.
    fn extend(&mut self, expected: &'static str, new: Vec<Value<'a>>) -> Result<(), Problem> {
        match self.top_object()? {
            Some(Object::List(elements) | Object::Set(elements)) => elements.extend(new),
            Some(Object::Instance { .. }) => {}
            _ => return Err(self.wrong_top(expected)),
        }
        Ok(())
    }

    /// Adds keys and values, which alternate, to the dictionary that is the last value.
    fn set_items(&mut self, new: &[Value<'a>]) -> Result<(), Problem> {
        let (pairs, rest) = new.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Problem::OddItems(new.len()));
        }
        match self.top_object()? {
            Some(Object::Dict(items) | Object::Instance { items, .. }) => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            _ => return Err(self.wrong_top("a dictionary")),
        }
        Ok(())
    }

    /// Replaces a class or function by the result of its call.
    fn call(&mut self, arguments: Value<'a>) -> Result<(), Problem> {
        if !matches!(self.object(arguments), Some(Object::Tuple(_))) {
            return Err(self.wrong(arguments, "a tuple of arguments"));
        }
        let callable = self.pop()?;
        let is_object = matches!(self.object(callable), Some(Object::Instance { .. }));
        if !is_object && !matches!(callable, Value::Class(_)) {
            return Err(self.wrong(callable, "a class or function"));
        }
        self.push(Object::Instance { callable, arguments, state: None, items: vec![] });
        Ok(())
    }

    fn store<const N: usize>(&mut self) -> Result<(), Problem> {
        let index = self.input.length::<N>()?;
        let value = self.top()?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn fetch<const N: usize>(&mut self) -> Result<(), Problem> {
        let index = self.input.length::<N>()?;
        let value = self.memo.get(&index).ok_or(Problem::NoMemo(index))?;
        self.stack.push(*value);
        Ok(())
    }
}

/// Returns a text, or the bytes themselves if they are not valid UTF-8.
fn text_or_bytes(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses opcodes after PROTO.
    fn of(code: &[u8]) -> Vec<u8> {
        [b"\x80\x05", code].concat()
    }

    #[track_caller]
    fn check(code: &[u8], message: &str) {
        assert_eq!(parse(&of(code)).unwrap_err().to_string(), message);
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let root = |code: &[u8]| {
            let bytes = of(code);
            let pickle = parse(&bytes).unwrap();
            format!("{:?} {:?}", pickle.root, pickle.objects)
        };
        assert_eq!(root(b"N."), "None []");
        assert_eq!(root(b"\x88."), "Bool(true) []");
        assert_eq!(root(b"J\xfe\xff\xff\xff."), "Int(-2) []");
        assert_eq!(root(b"M\x00\x80."), "Int(32768) []");
        assert_eq!(root(b"\x8a\x00."), "Int(0) []");
        assert_eq!(root(b"\x8a\x01\xff."), "Int(-1) []");
        assert_eq!(root(b"\x8b\x02\0\0\0\xff\x00."), "Int(255) []");
        assert_eq!(root(b"\x8a\x09123456789."), "BigInt []");
        assert_eq!(root(b"G\xbf\xf8\0\0\0\0\0\0."), "Float(-1.5) []");
        assert_eq!(root("X\u{2}\0\0\0é.".as_bytes()), "Text(\"é\") []");
        assert_eq!(root(b"\x8c\x01\xff."), "Bytes([255]) []");
        assert_eq!(root(b"C\x01\xff."), "Bytes([255]) []");
        assert_eq!(root(b"(K\x01K\x02t."), "Object(0) [Tuple([Int(1), Int(2)])]");
        assert_eq!(root(b"](K\x01K\x02e."), "Object(0) [List([Int(1), Int(2)])]");
        assert_eq!(root(b"\x8f(K\x01\x90."), "Object(0) [Set([Int(1)])]");
        assert_eq!(root(b"}K\x01Ns."), "Object(0) [Dict([(Int(1), None)])]");
        assert_eq!(root(b"K\x01(NN1."), "Int(1) []");
        assert_eq!(root(b"K\x01(0."), "Int(1) []");
        assert_eq!(root(b"K\x05Q."), "Object(0) [Persistent(Int(5))]");
        let class = "Class(Class { module: \"a\", name: \"b\" })";
        assert_eq!(root(b"ca\nb\n."), format!("{class} []"));
        assert_eq!(
            root(b"ca\nb\n)R}b."),
            format!(
                "Object(1) [Tuple([]), Instance {{ callable: {class}, arguments: Object(0), \
                 state: Some(Object(2)), items: [] }}, Dict([])]"
            )
        );
    }

    #[test]
    fn errors_name_the_opcode_and_its_position() {
        check(b"", "end at byte 2: expected opcode STOP before the end of the pickle");
        check(b"K", "opcode BININT1 at byte 2: the pickle ends within the opcode's argument");
        check(b"N0.", "opcode STOP at byte 4: the stack has too few values");
        check(b"t", "opcode TUPLE at byte 2: the stack has no mark");
        check(b"N(\x85", "opcode TUPLE1 at byte 4: the stack has too few values");
        check(b"h\x07", "opcode BINGET at byte 2: no value was stored under number 7");
        check(b"N(NNe", "opcode APPENDS at byte 6: expected a list, got None");
        check(b"NNNs", "opcode SETITEM at byte 5: expected a dictionary, got None");
        check(
            b"}(Nu",
            "opcode SETITEMS at byte 5: expected pairs of keys and values, got 1 values",
        );
        check(b"NNR", "opcode REDUCE at byte 4: expected a tuple of arguments, got None");
        check(b"N)R", "opcode REDUCE at byte 4: expected a class or function, got None");
        check(b"}Nb", "opcode BUILD at byte 4: expected an object, got a dictionary");
        check(b"NN\x93", "opcode STACK_GLOBAL at byte 4: expected a text, got None");
        check(b"c\xff\nb\n", "opcode GLOBAL at byte 2: the argument is not valid UTF-8");
        check(
            b"\x8b\xff\xff\xff\xff",
            "opcode LONG4 at byte 2: the argument has a negative length, -1",
        );
        let unsupported = "the opcode is not supported: torch.save does not write it with the \
                           protocols 2 to 5";
        check(b"N2", &format!("opcode DUP at byte 3: {unsupported}"));
        check(b"\x82\x01", &format!("opcode EXT1 at byte 2: {unsupported}"));
        check(b"\xfe", &format!("opcode 0xfe at byte 2: {unsupported}"));
    }

    /// A length is only a claim: nothing is allocated for bytes that the pickle does not have.
    #[test]
    fn lengths_beyond_the_pickle_are_errors() {
        for code in [&b"X\xff\xff\xff\xff"[..], b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"] {
            let error = parse(&of(code)).unwrap_err();
            assert_eq!(error.problem, Problem::Argument);
        }
    }

    #[test]
    fn deep_and_cyclic_objects_need_no_recursion() {
        let deep = [b")", vec![0x85; 1_000_000].as_slice(), b"."].concat();
        let bytes = of(&deep);
        let pickle = parse(&bytes).unwrap();
        assert_eq!(pickle.describe(pickle.root), "a tuple");
        // A list that contains itself.
        let bytes = of(b"]q\0h\0a.");
        assert_eq!(parse(&bytes).unwrap().objects, [Object::List(vec![Value::Object(0)])]);
    }
}
