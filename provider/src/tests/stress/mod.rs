//! Connections by the hundred on real threads, closed at any moment from either side: nothing is lost.

mod consumer;

use std::sync::atomic::Ordering;

use consumer::World;

#[test]
fn connections_closed_at_any_moment_leave_nothing_and_lose_nothing() {
    let world = World::leak();
    std::thread::scope(|scope| {
        for seed in 1..=4_u64 {
            scope.spawn(move || {
                for round in 0..5000 {
                    world.connection(seed * 1_000_003 + round);
                }
            });
        }
    });
    world.tear_down();
    let completions = world.closes.lock().unwrap();
    for close in completions.iter() {
        let (pending, calls) = (close.pending.load(Ordering::SeqCst), close.calls.load(Ordering::SeqCst));
        assert_eq!(calls, usize::from(pending), "a close that pended was completed {calls} times");
    }
    let results = world.results.load(Ordering::SeqCst);
    assert_eq!(results, world.posts.load(Ordering::SeqCst), "each accepted post has one result");
    assert!(
        completions.len() > 70_000 && results > 10_000,
        "{} closes, {results} results",
        completions.len()
    );
}
