//! Tests of the scheduling on real threads. They are not in the files that they test, since
//! `tests/schedules.rs` compiles those with other primitives.

mod step_scheduler {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::threads::step_scheduler::StepScheduler;

    #[test]
    fn every_chunk_runs_once_and_after_the_step_before() {
        let (steps, chunks) = if cfg!(miri) { (5, 3) } else { (500, 7) };
        for num_threads in 1..4 {
            let scheduler = StepScheduler::new(steps, chunks, num_threads);
            let counts: Vec<AtomicUsize> = (0..steps).map(|_| AtomicUsize::new(0)).collect();
            std::thread::scope(|scope| {
                for thread_id in 0..num_threads {
                    let (scheduler, counts) = (&scheduler, &counts);
                    scope.spawn(move || {
                        let mut owner = scheduler.owner(thread_id);
                        while let Some((step, _)) = owner.next() {
                            if let Some(before) = step.checked_sub(1) {
                                assert_eq!(counts[before].load(Ordering::Relaxed), chunks);
                            }
                            counts[step].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == chunks));
        }
    }

    #[test]
    fn one_thread_takes_all_chunks_if_the_others_do_not_arrive() {
        let scheduler = StepScheduler::new(4, 6, 3);
        let mut owner = scheduler.owner(1);
        let mut seen: Vec<_> = std::iter::from_fn(|| owner.next()).collect();
        seen.sort_unstable();
        let all: Vec<_> = (0..4).flat_map(|step| (0..6).map(move |chunk| (step, chunk))).collect();
        assert_eq!(seen, all);
        assert_eq!(scheduler.owner(0).next(), None);
    }

    #[test]
    fn a_panic_ends_the_waiting_of_the_others() {
        let scheduler = StepScheduler::new(2, 2, 2);
        let run = |thread_id: usize, bad: bool| {
            std::panic::catch_unwind(|| {
                let mut owner = scheduler.owner(thread_id);
                while let Some(chunk) = owner.next() {
                    assert!(!bad || chunk != (0, 0), "bad chunk");
                }
            })
        };
        assert!(run(0, true).is_err());
        assert!(run(1, false).is_err());
    }
}

mod team {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use crate::threads::team::Team;
    use crate::threads::wait::wait_until;

    #[test]
    fn every_piece_runs_once_for_any_number_of_workers() {
        for num_threads in 1..5 {
            let team = Team::new(num_threads);
            for count in [0, 1, 2, 7, 100] {
                let counts: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                team.parallel_for(count, num_threads, &|range| {
                    for k in range {
                        counts[k].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(
                    counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                    "{num_threads}"
                );
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_no_worker_in_the_phase() {
        for of_worker in [false, true] {
            let team = Team::new(2);
            let (entered, inside) = (AtomicBool::new(false), Arc::new(()));
            let result = catch_unwind(AssertUnwindSafe(|| {
                team.broadcast(&|thread_id| {
                    let _inside = inside.clone();
                    if thread_id == 0 && of_worker {
                        wait_until(|| entered.load(Ordering::Relaxed));
                    }
                    if (thread_id == 0) != of_worker {
                        entered.store(true, Ordering::Relaxed);
                        resume_unwind(Box::new(()));
                    }
                });
            }));
            assert!(result.is_err());
            assert_eq!(Arc::strong_count(&inside), 1);
        }
    }
}

mod workers {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;
    use std::time::Duration;

    use crate::threads::workers::{Job, submit};

    #[test]
    fn every_job_runs_once_on_another_thread() {
        let (done, all) = channel::<(usize, ThreadId)>();
        for round in 0..20 {
            let job = |k: usize| -> Job {
                let done = done.clone();
                Box::new(move || done.send((k, std::thread::current().id())).unwrap())
            };
            submit((0..3).map(|k| job(round * 3 + k)).collect());
            if round % 5 == 0 {
                // The idle workers leave meanwhile.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let mut seen: Vec<_> = all.iter().take(60).collect();
        seen.sort_unstable_by_key(|&(k, _)| k);
        assert!(seen.iter().enumerate().all(|(k, &(seen, _))| k == seen));
        assert!(seen.iter().all(|&(_, thread)| thread != std::thread::current().id()));
    }

    #[test]
    fn a_job_is_dropped_when_it_is_done() {
        let kept = Arc::new(());
        let (done, wait) = channel();
        let held = kept.clone();
        let job: Job = Box::new(move || {
            drop(held);
            done.send(()).unwrap();
        });
        submit(vec![job]);
        wait.recv().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
