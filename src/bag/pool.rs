//! Threads for one piece of work.
//!
//! Never rayon's global pool: its threads live on, and a Python process that forks afterwards hangs. And never one that is
//! only dropped: rayon then tells the threads to end, but does not wait until they have.

use std::io;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Runs `work` with a pool of so many threads (0: one for each core), which have ended when this returns.
pub(crate) fn with_pool<R>(threads: usize, work: impl FnOnce(&ThreadPool) -> R) -> io::Result<R> {
    let mut handles = Vec::new();
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .spawn_handler(|thread| {
            handles.push(std::thread::Builder::new().spawn(|| thread.run())?);
            Ok(())
        })
        .build()
        .map_err(io::Error::other)?;
    let result = work(&pool);
    drop(pool);
    for handle in handles {
        // A panic in the work has come out of `work` already.
        let _ = handle.join();
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn its_threads_have_ended_when_it_returns() {
        for _ in 0..50 {
            let alive = Arc::new(());
            thread_local!(static HELD: std::cell::RefCell<Option<Arc<()>>> = const { std::cell::RefCell::new(None) });
            let sum: usize = with_pool(3, |pool| {
                pool.broadcast(|context| {
                    HELD.with(|held| *held.borrow_mut() = Some(Arc::clone(&alive)));
                    context.index()
                })
                .into_iter()
                .sum()
            })
            .unwrap();
            // What a thread holds goes only with the thread itself.
            assert_eq!((sum, Arc::strong_count(&alive)), (3, 1));
        }
    }
}
