//! The Rust programs on the project's pages, compiled and run as documentation tests:
//! `cargo test --doc -p xtask-compare`.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/lecture.md")]
struct Lecture;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/objectives.md")]
struct Objectives;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/pytorch.md")]
struct PyTorch;
