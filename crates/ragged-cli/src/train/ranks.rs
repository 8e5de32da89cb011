//! The processes that train together, if `mpirun` has started this one.

use ragged_train::Error;
use ragged_train::distributed::Communicator;
#[cfg(feature = "mpi")]
use ragged_train::distributed::Mpi;
use ragged_train::distributed::SingleProcess;

use crate::failure::Failure;

/// Variables with the rank of a process: of MPICH, of Open MPI, and of other launchers such as Slurm's.
const RANKS: [&str; 3] = ["PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK"];

/// The processes that train together.
pub(crate) enum Ranks {
    One(SingleProcess),
    #[cfg(feature = "mpi")]
    Several(Mpi),
}

impl Ranks {
    /// Joins the other processes, if there are any. They share the cores of a machine, unless `threads` are given.
    pub(crate) fn join(threads: Option<usize>) -> Result<Self, Failure> {
        match RANKS.iter().find_map(|name| std::env::var(name).ok()) {
            None => Ok(Self::One(SingleProcess)),
            Some(rank) => Self::of(&rank, threads),
        }
    }

    #[cfg(feature = "mpi")]
    fn of(_: &str, threads: Option<usize>) -> Result<Self, Failure> {
        let mpi = Mpi::join()?;
        if threads.is_none() && !crate::threads::are_given() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            crate::threads::limit((cores / mpi.local_size()).max(1))?;
        }
        Ok(Self::Several(mpi))
    }

    #[cfg(not(feature = "mpi"))]
    fn of(rank: &str, _: Option<usize>) -> Result<Self, Failure> {
        /// Variables with the number of processes, where the launcher sets one.
        const SIZES: [&str; 2] = ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"];

        if SIZES.iter().any(|name| std::env::var(name).is_ok_and(|size| size == "1")) {
            return Ok(Self::One(SingleProcess));
        }
        Err(match rank {
            "0" => Failure::Failed(
                "mpirun has started this process, but this build of ragged lacks `mpi`: install one with it by \
                 `cargo install --path crates/ragged-cli --features mpi`"
                    .into(),
            ),
            _ => Failure::Reported(1),
        })
    }

    pub(crate) fn communicator(&self) -> &dyn Communicator {
        match self {
            Self::One(one) => one,
            #[cfg(feature = "mpi")]
            Self::Several(mpi) => mpi,
        }
    }

    /// Whether this process writes the run and speaks to the user.
    pub(crate) fn is_first(&self) -> bool {
        self.communicator().rank() == 0
    }

    /// Returns the value of this process if no process has failed. Otherwise all of them fail, and the first reports
    /// the failure of the lowest.
    pub(crate) fn agree<T>(&self, own: Result<T, Failure>) -> Result<T, Failure> {
        let ranks = self.communicator();
        if ranks.size() == 1 {
            return own;
        }
        let message = own.as_ref().err().map_or(vec![], Failure::to_bytes);
        let all = ranks.all_gather(&message)?;
        match all.into_iter().enumerate().find(|(_, message)| !message.is_empty()) {
            None => own,
            Some((rank, message)) => Err(match Failure::from_bytes(&message, rank) {
                failure if self.is_first() => failure,
                failure => Failure::Reported(failure.exit_code()),
            }),
        }
    }

    /// Turns the error of a training into a failure: that of all processes is reported by the first, and that of this
    /// process alone ends them all.
    pub(crate) fn fail(&self, error: Error) -> Failure {
        let together = matches!(error, Error::Ranks(_) | Error::NonFinite { .. });
        let failure = Failure::from(error);
        match self {
            #[cfg(feature = "mpi")]
            Self::Several(mpi) if !together => {
                let code = failure.exit_code();
                let failure = Failure::from_bytes(&failure.to_bytes(), mpi.rank());
                failure.report();
                mpi.abort(code)
            }
            _ if together && !self.is_first() => Failure::Reported(failure.exit_code()),
            _ => failure,
        }
    }

    /// Runs a training. A panic of this process ends all processes, which would wait for it.
    #[cfg(feature = "mpi")]
    pub(crate) fn guard<T>(&self, train: impl FnOnce() -> T) -> T {
        /// The exit code of a panic.
        const PANIC: u8 = 101;
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(train)) {
            Ok(result) => result,
            Err(panic) => match self {
                Self::One(_) => std::panic::resume_unwind(panic),
                Self::Several(mpi) => mpi.abort(PANIC),
            },
        }
    }

    #[cfg(not(feature = "mpi"))]
    pub(crate) fn guard<T>(&self, train: impl FnOnce() -> T) -> T {
        train()
    }
}
