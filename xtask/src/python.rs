//! `cargo xtask python`: builds the wheel of the Python package and tests it in a virtual environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::report::{announce, report, root};

/// What the build and the tests need from PyPI, other than torch.
const PACKAGES: [&str; 3] = ["maturin>=1.9,<2", "numpy", "pytest"];

/// Builds and tests the package, with torch unless the only argument is `--without-torch`.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), String> {
    let with_torch = match arguments {
        [] => true,
        [argument] if argument == "--without-torch" => false,
        _ => return Err("python takes no argument other than --without-torch".into()),
    };
    let environment = Environment::create()?;
    environment.install(&PACKAGES)?;
    if with_torch && !environment.has_torch() {
        eprintln!("python: installing torch, which takes 4 GB with its CUDA libraries");
        environment.install(&["torch"])?;
    }
    environment.build("release")?;
    eprintln!("python: tests");
    match environment.tests().status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the tests failed".into()),
    }
}

/// The part of `cargo xtask ci`: the checks of the source, and the tests that need no torch, where there is Python.
pub(crate) fn check() -> Result<(), String> {
    const NAME: &str = "python package";
    let environment = match Environment::create() {
        Ok(environment) => environment,
        Err(text) => {
            eprintln!("ci: {NAME}: skipped, {text}");
            return Ok(());
        }
    };
    if let Err(text) = environment.install(&PACKAGES) {
        eprintln!("ci: {NAME}: skipped, {text}");
        return Ok(());
    }
    announce(NAME);
    let manifest = ["--manifest-path", "python/Cargo.toml"];
    report("python: format", cargo("fmt").args(manifest).arg("--check"))?;
    let mut clippy = cargo("clippy");
    clippy.args(manifest).args(["--quiet", "--", "-D", "warnings"]);
    report("python: clippy", &mut clippy)?;
    // The kernels take ten times as long to compile with optimisations, and give the same results.
    environment.build("dev")?;
    report("python: tests", &mut environment.tests())
}

/// A virtual environment in the folder `target`.
struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// Creates the environment, or finds that of an earlier call. The error says what is missing.
    fn create() -> Result<Self, String> {
        let works = |command: &mut Command| {
            command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
        };
        let python = std::env::var_os("PYTHON").unwrap_or("python3".into());
        if !works(Command::new(&python).arg("--version")) {
            return Err(format!("{} is not installed", python.display()));
        }
        let environment = Self { folder: target().join("venv") };
        let mut create = Command::new(&python);
        create.args(["-m", "venv", "--clear"]).arg(&environment.folder);
        if works(environment.command("python").arg("--version")) || works(&mut create) {
            return Ok(environment);
        }
        Err(format!("{} cannot create a virtual environment", python.display()))
    }

    fn command(&self, program: &str) -> Command {
        let programs = self.folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let mut command = Command::new(programs.join(program));
        command.current_dir(root()).env("CARGO_TARGET_DIR", target()).stdin(Stdio::null());
        command
    }

    fn install(&self, packages: &[&str]) -> Result<(), String> {
        let mut pip = self.command("python");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
        match pip.output() {
            Ok(output) if output.status.success() => Ok(()),
            _ => Err(format!("pip cannot install {}", packages.join(", "))),
        }
    }

    fn has_torch(&self) -> bool {
        let mut python = self.command("python");
        python.args(["-c", "import torch"]).output().is_ok_and(|output| output.status.success())
    }

    /// Builds the wheel with a profile of cargo and installs it.
    fn build(&self, profile: &str) -> Result<(), String> {
        eprintln!("python: wheel");
        let wheels = target().join("wheels");
        // A wheel of another version must not be installed.
        let _ = std::fs::remove_dir_all(&wheels);
        let mut maturin = self.command("maturin");
        maturin.args(["build", "--profile", profile, "--locked"]);
        maturin.args(["--manifest-path", "python/Cargo.toml"]);
        report("python: wheel", maturin.arg("--out").arg(&wheels))?;
        let wheel = std::fs::read_dir(&wheels)
            .ok()
            .and_then(|mut files| files.next()?.ok())
            .ok_or("python: maturin has left no wheel")?;
        let mut pip = self.command("python");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"]);
        report("python: installation", pip.arg(wheel.path()))
    }

    fn tests(&self) -> Command {
        let mut pytest = self.command("pytest");
        // Not from the folder of the sources, which have no extension module.
        pytest.args(["-q", "-p", "no:cacheprovider", "python/tests"]);
        pytest
    }
}

fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.arg(subcommand).env("CARGO_TARGET_DIR", target());
    command.stdin(Stdio::null()).current_dir(root());
    command
}

/// The folder of the package's build, apart from that of the workspace.
fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |set| root().join(set));
    Path::new(&target).join("python")
}
