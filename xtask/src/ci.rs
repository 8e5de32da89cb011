//! `cargo xtask ci`: what CI and a contributor run before a change lands.

use std::process::{Command, ExitCode, Stdio};

use crate::python;
use crate::report::{announce, report, root};

/// One run of cargo.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    /// An environment variable for this step, and its value.
    variable: Option<(&'static str, &'static str)>,
}

const fn step(name: &'static str, arguments: &'static [&'static str]) -> Step {
    Step { name, arguments, variable: None }
}

/// The steps that only show their output when they fail.
const CHECKS: [Step; 6] = [
    step("format", &["fmt", "--all", "--check"]),
    step("clippy", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    Step {
        variable: Some(("RUSTDOCFLAGS", "-D warnings")),
        ..step("docs", &["doc", "--quiet", "--workspace", "--no-deps"])
    },
    step(
        "a crate outside the workspace",
        &[
            "check",
            "--quiet",
            "--manifest-path",
            "examples/lecture/Cargo.toml",
            "--target-dir",
            "target",
        ],
    ),
    // `xtask-compare` asks for features of its own.
    step(
        "crates without features",
        &[
            "clippy",
            "--quiet",
            "--workspace",
            "--exclude",
            "xtask-compare",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ],
    ),
    // The command line with no feature. The other crates keep theirs, so that they are those of the tests.
    step(
        "ragged without features",
        &[
            "test",
            "--quiet",
            "--workspace",
            "--no-default-features",
            "--features",
            "ragged-kernels/default,ragged-models/default,ragged-runtime/default,\
             ragged-sequence/default,ragged-train/default",
            "--test",
            "installation",
        ],
    ),
];

/// The step `clippy` where an MPI library is installed. The code without it is among the crates without features.
const CLIPPY_WITH_MPI: Step = step(
    "clippy",
    &[
        "clippy",
        "--quiet",
        "--workspace",
        "--features",
        "ragged-cli/mpi",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
);

/// The last step, so that the summary of the tests ends the output. Includes the doc tests.
const TESTS: Step = step("tests", &["test", "--quiet", "--workspace"]);

pub(crate) fn run() -> ExitCode {
    let with_mpi = lacks_for_mpi().is_none();
    let mut checks = CHECKS.iter().map(|step| match step.name {
        "clippy" if with_mpi => &CLIPPY_WITH_MPI,
        _ => step,
    });
    let result = checks.try_for_each(check).and_then(|()| dependencies());
    let result = result
        .and_then(|()| public_api())
        .and_then(|()| TARGETS.iter().try_for_each(emulated))
        .and_then(|()| browser())
        .and_then(|()| mpi())
        .and_then(|()| python::check())
        .and_then(|()| {
            announce(TESTS.name);
            let status = cargo(&TESTS).status().map_err(|error| error.to_string())?;
            if status.success() { Ok(()) } else { Err("tests failed".into()) }
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: ci: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Licences, duplicate and banned crates, and sources, by `cargo deny`; known vulnerabilities where
/// their database can be downloaded.
fn dependencies() -> Result<(), String> {
    if !is_installed("deny") {
        return Ok(());
    }
    check(&step(
        "dependencies",
        &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"],
    ))?;
    if !succeeds(&step("", &["deny", "fetch", "db"]))? {
        eprintln!("ci: advisories: skipped, their database cannot be downloaded");
        return Ok(());
    }
    check(&step("advisories", &["deny", "--log-level", "error", "check", "advisories"]))
}

/// Changes of the public API that the version numbers do not allow, by `cargo semver-checks`, since
/// the last version tag.
fn public_api() -> Result<(), String> {
    if !is_installed("semver-checks") {
        return Ok(());
    }
    let mut git = Command::new("git");
    git.args(["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]).current_dir(root());
    let tag = match git.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        _ => {
            eprintln!("ci: public API: skipped, there is no version tag to compare with");
            return Ok(());
        }
    };
    announce("public API");
    let mut command = cargo(&step("", &["semver-checks", "--workspace", "--baseline-rev"]));
    report("public API", command.arg(tag.trim()))
}

/// A target that this machine emulates.
struct Target {
    name: &'static str,
    triple: &'static str,
    /// The programs that must be installed.
    programs: &'static [&'static str],
    /// The part of the names of cargo's environment variables.
    variable: &'static str,
    /// Settings of cargo for the target.
    settings: &'static [(&'static str, &'static str)],
}

const TARGETS: [Target; 2] = [
    Target {
        name: "WebAssembly under node",
        triple: "wasm32-wasip1",
        programs: &["node"],
        variable: "WASM32_WASIP1",
        settings: &[
            ("RUNNER", "node --no-warnings ../../xtask/wasi.mjs"),
            ("RUSTFLAGS", "-C target-feature=+simd128"),
        ],
    },
    Target {
        name: "aarch64 under qemu",
        triple: "aarch64-unknown-linux-gnu",
        programs: &["qemu-aarch64", "aarch64-linux-gnu-gcc"],
        variable: "AARCH64_UNKNOWN_LINUX_GNU",
        settings: &[
            ("RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu"),
            ("LINKER", "aarch64-linux-gnu-gcc"),
        ],
    },
];

/// Runs the small model of `ragged-runtime` on another target, where the tools for it are installed.
fn emulated(target: &Target) -> Result<(), String> {
    let Target { name, triple, programs, variable, settings } = target;
    if let Some(program) = programs.iter().find(|program| !works(program, &["--version"])) {
        eprintln!("ci: {name}: skipped, {program} is not installed");
        return Ok(());
    }
    if !has_target(name, triple) {
        return Ok(());
    }
    announce(name);
    let package = ["test", "--quiet", "--package", "ragged-runtime", "--no-default-features"];
    let mut command = cargo(&step(name, &[]));
    command.args(package).args(["--target", triple, "--test", "small_model"]);
    for (setting, value) in *settings {
        command.env(format!("CARGO_TARGET_{variable}_{setting}"), value);
    }
    report(name, &mut command)
}

/// Returns a program of an MPI library that is not installed.
fn lacks_for_mpi() -> Option<&'static str> {
    ["mpirun", "mpicc"].into_iter().find(|program| !works(program, &["--version"]))
}

/// Trains by several processes, where an MPI library is installed.
fn mpi() -> Result<(), String> {
    const NAME: &str = "MPI";
    if let Some(program) = lacks_for_mpi() {
        eprintln!("ci: {NAME}: skipped, {program} is not installed");
        return Ok(());
    }
    announce(NAME);
    let test = ["test", "--quiet", "--workspace", "--features", "ragged-cli/mpi", "--test", "mpi"];
    report(NAME, cargo(&step(NAME, &[])).args(test))
}

/// Compiles the example of a web page, which is outside the workspace.
fn browser() -> Result<(), String> {
    const NAME: &str = "a web page";
    const TRIPLE: &str = "wasm32-unknown-unknown";
    if !has_target(NAME, TRIPLE) {
        return Ok(());
    }
    announce(NAME);
    let mut command = cargo(&step(NAME, &["check", "--quiet", "--target-dir", "target"]));
    command.args(["--manifest-path", "examples/browser/Cargo.toml", "--target", TRIPLE]);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C target-feature=+simd128");
    report(NAME, &mut command)
}

/// Returns whether Rust can compile for a target, and reports that its check is skipped if not.
fn has_target(name: &str, triple: &str) -> bool {
    let added = works("rustup", &["target", "add", triple]);
    if !added {
        eprintln!("ci: {name}: skipped, rustup cannot add the target {triple}");
    }
    added
}

/// Returns whether a program can be run and succeeds.
fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).current_dir(root());
    command.output().is_ok_and(|output| output.status.success())
}

/// Returns whether cargo has the subcommand, and reports that its check is skipped if not.
fn is_installed(subcommand: &'static str) -> bool {
    let mut command = cargo(&step("", &[]));
    let output = command.args([subcommand, "--version"]).output();
    let installed = output.is_ok_and(|output| output.status.success());
    if !installed {
        eprintln!("ci: cargo {subcommand}: skipped, it is not installed");
    }
    installed
}

fn check(step: &Step) -> Result<(), String> {
    announce(step.name);
    report(step.name, &mut cargo(step))
}

fn succeeds(step: &Step) -> Result<bool, String> {
    let output = cargo(step).output().map_err(|error| error.to_string())?;
    Ok(output.status.success())
}

fn cargo(step: &Step) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(step.arguments).envs(step.variable).stdin(Stdio::null()).current_dir(root());
    command
}
