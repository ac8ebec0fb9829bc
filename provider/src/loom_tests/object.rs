//! Close against everything that holds an object.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::ptr::NonNull;
use std::sync::Arc;

use sys::ndk::{NDK_OBJECT_TYPE, NDK_VERSION_2_1};
use sys::status::{STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::model::{Model, pump};

use super::{explore, race};
use crate::lifetime::{AcquireError, Kind};
use crate::number::u64_from;
use crate::object::{Id, Object, ObjectRef, ObjectType, Registry};

/// The consumer does nothing in the callback.
const EVENT: u32 = 1;
/// The consumer closes the object in the callback.
const CLOSE: u32 = 2;

/// Events of one object. Plain atomics: loom runs one thread at a time, and is not to explore these.
#[derive(Default)]
struct Story {
    /// Callbacks of the object that run.
    inside: AtomicU32,
    delivered: AtomicU32,
    /// The memory was given back.
    gone: AtomicU32,
    inline: AtomicU32,
    completed: AtomicU32,
    /// Its close is over: the call has returned STATUS_SUCCESS, or the completion has returned.
    over: AtomicU32,
    /// Stories of objects that must be over before this one's completion begins.
    successors: loom::sync::Mutex<Vec<Arc<Story>>>,
    /// Another processor may run here.
    point: loom::sync::atomic::AtomicU64,
    /// The object, for callbacks that close it.
    object: AtomicU64,
}

impl Story {
    fn pass(&self) {
        self.point.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }

    fn check_over(&self) {
        assert_eq!(self.inside.load(SeqCst), 0, "over while a callback runs");
        assert_eq!(self.gone.load(SeqCst), 1, "over before the memory is free");
        for successor in self.successors.lock().unwrap().iter() {
            assert_eq!(successor.over.load(SeqCst), 1, "over before a successor");
        }
    }

    /// Exactly one end.
    fn check_end(&self) {
        assert_eq!(self.inline.load(SeqCst) + self.completed.load(SeqCst), 1, "ends of one close");
        assert_eq!((self.gone.load(SeqCst), self.over.load(SeqCst)), (1, 1));
    }
}

struct Thing {
    /// Its own, so that the lock of a common one is not explored.
    registry: Registry<Model>,
    antecedent: Option<ObjectRef<Model, Thing>>,
    story: Arc<Story>,
}

impl ObjectType<Model> for Thing {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypePd;

    type Antecedents = Option<ObjectRef<Model, Thing>>;

    fn registry(&self) -> &Registry<Model> {
        &self.registry
    }

    fn antecedents(&self, _: &mut dyn FnMut(Id)) {}

    fn start_close(object: &Object<Model, Self>) {
        object.story.pass();
    }

    fn into_antecedents(self) -> Self::Antecedents {
        assert_eq!(self.story.gone.fetch_add(1, SeqCst), 0, "freed twice");
        self.antecedent
    }

    fn deliver(object: &Object<Model, Self>, events: u32) {
        // The consumer's, which outlives the object.
        let story = object.story.clone();
        assert_eq!(story.inside.fetch_add(1, SeqCst), 0, "callbacks of one object overlap");
        assert_eq!(story.over.load(SeqCst), 0, "a callback after the close");
        story.delivered.fetch_or(events, SeqCst);
        story.pass();
        if events & CLOSE != 0 {
            assert_eq!(close(&story), STATUS_PENDING, "closed while its callback runs");
        }
        assert_eq!(story.gone.load(SeqCst), 0, "gone while its callback runs");
        story.inside.fetch_sub(1, SeqCst);
    }
}

type Pointer = NonNull<Object<Model, Thing>>;

static TABLE: u8 = 0;

fn create(antecedent: Option<ObjectRef<Model, Thing>>) -> (Pointer, Arc<Story>) {
    let story = Arc::new(Story::default());
    if let Some(antecedent) = &antecedent {
        antecedent.story.successors.lock().unwrap().push(story.clone());
    }
    let thing = Thing { registry: Registry::new(), antecedent, story: story.clone() };
    let object = Object::create(NDK_VERSION_2_1, &TABLE, thing).unwrap();
    story.object.store(u64_from(object.as_ptr().expose_provenance()), SeqCst);
    (object, story)
}

fn hold(object: Pointer, kind: Kind) -> Result<ObjectRef<Model, Thing>, AcquireError> {
    // SAFETY: the model keeps the object as long as it takes holds on it.
    unsafe { object.as_ref() }.try_acquire(kind)
}

unsafe extern "efiapi" fn closed(context: PVOID) {
    // SAFETY: the context of a close is the story of its object, which the model keeps.
    let story = unsafe { &*context.cast::<Story>() };
    assert_eq!(story.completed.fetch_add(1, SeqCst), 0, "completed twice");
    story.check_over();
    story.pass();
    story.over.fetch_add(1, SeqCst);
}

/// The consumer closes an object.
fn close(story: &Arc<Story>) -> i32 {
    let object = usize::try_from(story.object.load(SeqCst)).unwrap();
    let object =
        NonNull::new(core::ptr::with_exposed_provenance_mut::<Object<Model, Thing>>(object)).unwrap();
    let context = Arc::as_ptr(story).cast_mut().cast();
    // SAFETY: the model closes each object once.
    let status = unsafe { Object::close(object, Some(closed), context) };
    if status == STATUS_SUCCESS {
        story.inline.fetch_add(1, SeqCst);
        story.check_over();
        story.over.fetch_add(1, SeqCst);
    }
    status
}

type Work = Box<dyn FnOnce() + Send>;

/// A processor that closes an object.
fn closer(story: &Arc<Story>) -> Work {
    let story = story.clone();
    Box::new(move || {
        close(&story);
        pump();
    })
}

/// A processor that completes a request.
fn completes(request: ObjectRef<Model, Thing>) -> Work {
    Box::new(move || {
        drop(request);
        pump();
    })
}

/// A processor that causes a callback, with a request of its own.
fn posts(request: ObjectRef<Model, Thing>, event: u32) -> Work {
    Box::new(move || {
        request.post(event);
        drop(request);
        pump();
    })
}

#[test]
fn close_against_the_last_completions_of_requests() {
    explore(None, || {
        let (object, story) = create(None);
        let requests = [(); 2].map(|()| hold(object, Kind::Request).unwrap());
        let [first, second] = requests.map(completes);
        race(vec![closer(&story), first, second]);
        story.check_end();
    });
}

#[test]
fn close_against_callbacks_in_progress() {
    explore(Some(2), || {
        let (object, story) = create(None);
        let [first, second] = [(); 2].map(|()| posts(hold(object, Kind::Request).unwrap(), EVENT));
        race(vec![closer(&story), first, second]);
        pump();
        assert_eq!(story.delivered.load(SeqCst), EVENT, "what is caused is delivered");
        story.check_end();
    });
}

#[test]
fn close_inside_a_callback() {
    explore(Some(2), || {
        let (object, story) = create(None);
        let closing = posts(hold(object, Kind::Request).unwrap(), CLOSE);
        let completing = completes(hold(object, Kind::Request).unwrap());
        // A request on an object that its consumer has not closed, or in whose callback it closes.
        let begins = hold(object, Kind::Request).unwrap();
        let beginning: Work = Box::new(move || {
            match begins.try_acquire(Kind::Request) {
                Ok(request) => request.post(EVENT),
                Err(refused) => assert_eq!(refused, AcquireError::Closing),
            }
            drop(begins);
            pump();
        });
        race(vec![closing, completing, beginning]);
        pump();
        assert_eq!(story.completed.load(SeqCst), 1, "a close inside a callback pends");
        story.check_end();
    });
}

#[test]
fn antecedent_against_its_last_successors() {
    explore(Some(3), || {
        let (antecedent, story) = create(None);
        let (held, first) = create(Some(hold(antecedent, Kind::Successor).unwrap()));
        let (_, second) = create(Some(hold(antecedent, Kind::Successor).unwrap()));
        let request = hold(held, Kind::Request).unwrap();
        let (one, other) = (first.clone(), second.clone());
        let closing: Work = Box::new(move || {
            close(&one);
            drop(request);
            pump();
        });
        race(vec![closer(&story), closing, closer(&other)]);
        pump();
        for story in [&story, &first, &second] {
            story.check_end();
        }
    });
}

#[test]
fn creates_against_the_close_of_the_parent() {
    explore(Some(2), || {
        let (parent, story) = create(None);
        let creating = || -> Work {
            // The call itself, which the consumer must not outlive with a close (CL-9) but another object's
            // callback may: it keeps the memory, and no more.
            let call = hold(parent, Kind::Request).unwrap();
            Box::new(move || {
                match call.try_acquire(Kind::Successor) {
                    Ok(tie) => {
                        let (_, child) = create(Some(tie));
                        assert_eq!(close(&child), STATUS_SUCCESS, "nothing holds the child");
                        child.check_end();
                    }
                    Err(refused) => assert_eq!(refused, AcquireError::Closing),
                }
                drop(call);
                pump();
            })
        };
        race(vec![closer(&story), creating(), creating()]);
        pump();
        story.check_end();
    });
}
