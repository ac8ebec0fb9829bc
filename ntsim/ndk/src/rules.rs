//! The rules of the NDKPI that the layer watches, by the name that a finding carries.
//!
//! No public tool has rules for this interface, so the names are ours. Sources are the pages
//! "NDKPI Object Lifetime Requirements", "NDKPI Completion Handling Requirements", "NDKPI Work Request
//! Posting Requirements", "NDKPI Listeners, Connectors, and Endpoints" and "NDKPI Deferred Processing
//! Scheme", and the pages of the functions.

#![forbid(unsafe_code)]

use ntsim_core::verifier::{self, Finding};

/// Reports that a rule was broken.
#[cold]
pub(crate) fn found(rule: &'static str, text: String) {
    verifier::report(Finding::new(rule).text(text));
}

macro_rules! rules {
    ($( $(#[doc = $doc:literal])* $name:ident = $text:literal; )*) => {
        $( $(#[doc = $doc])* pub const $name: &str = $text; )*

        /// Every rule: the name that a finding carries, and what the rule says.
        pub const ALL: &[(&str, &str)] = &[$( ($text, concat!($($doc),*)) ),*];

        #[cfg(test)]
        const CONSTANTS: &[&str] = &[$( stringify!($name) ),*];
    };
}

rules! {
    // Closing.
    /// A close returns STATUS_SUCCESS or STATUS_PENDING, nothing else.
    CLOSE_STATUS = "NdkCloseStatus";
    /// The completion of a close that returned STATUS_SUCCESS is never called.
    CLOSE_COMPLETION_AFTER_SUCCESS = "NdkCloseCompletionAfterSuccess";
    /// The completion of a pending close is called once, not twice.
    CLOSE_COMPLETED_TWICE = "NdkCloseCompletedTwice";
    /// The completion of a pending close is called, at the latest before the adapter's close returns.
    CLOSE_NOT_COMPLETED = "NdkCloseNotCompleted";
    /// A close completes only when every request on the object has completed.
    CLOSE_BEFORE_REQUEST = "NdkCloseBeforeRequest";
    /// A close completes only when every callback of the object has returned.
    CLOSE_BEFORE_CALLBACK = "NdkCloseBeforeCallback";
    /// An antecedent's close completes only when the close completions of its successors have returned.
    CLOSE_BEFORE_SUCCESSOR = "NdkCloseBeforeSuccessor";
    /// An object gets no callback after its close has completed.
    CALLBACK_AFTER_CLOSE = "NdkCallbackAfterClose";
    /// Nothing that descends from an adapter gets a callback after the adapter's close has returned.
    CALLBACK_AFTER_ADAPTER_CLOSE = "NdkCallbackAfterAdapterClose";
    /// The adapter's close returns only when every callback of every descendant has returned.
    ADAPTER_CLOSE_BEFORE_CALLBACK = "NdkAdapterCloseBeforeCallback";
    /// The adapter's close returns only when every descendant is closed.
    ADAPTER_CLOSE_BEFORE_OBJECT = "NdkAdapterCloseBeforeObject";

    // Objects.
    /// An object's type, version and handle are what the create that made it promises.
    OBJECT_HEADER = "NdkObjectHeader";
    /// The header's reserved words are zero when an object is handed out.
    RESERVED_NOT_ZERO = "NdkReservedNotZero";
    /// The provider leaves the header's reserved words and the dispatch pointer alone until close.
    HEADER_CHANGED = "NdkHeaderChanged";
    /// Every slot of every dispatch table holds a function.
    DISPATCH_INCOMPLETE = "NdkDispatchIncomplete";
    /// The provider does not call through the dispatch pointer of its objects.
    DISPATCH_READ_BACK = "NdkDispatchReadBack";
    /// An extension query for an undefined identifier is refused.
    EXTENSION_UNKNOWN = "NdkExtensionUnknown";

    // Requests.
    /// A completion is called only for a function that returned STATUS_PENDING.
    COMPLETION_AFTER_INLINE = "NdkCompletionAfterInline";
    /// A completion is called once, not twice.
    COMPLETION_TWICE = "NdkCompletionTwice";
    /// A completion carries a final status.
    COMPLETION_STATUS = "NdkCompletionStatus";
    /// A create's out-parameter is written on inline success, and then only.
    OUT_PARAMETER = "NdkOutParameter";
    /// A callback gets the context that was passed with it.
    CALLBACK_CONTEXT = "NdkCallbackContext";
    /// The provider holds no spin lock while it calls back.
    CALLBACK_UNDER_LOCK = "NdkCallbackUnderLock";

    // Notifications.
    /// A CQ notifies only when it is armed, once per arm.
    CQ_NOTIFICATION_UNARMED = "NdkCqNotificationUnarmed";
    /// A CQ's notifications come one after the other.
    CQ_NOTIFICATION_CONCURRENT = "NdkCqNotificationConcurrent";
    /// A CQ that is armed notifies when a result comes.
    CQ_NOTIFICATION_MISSING = "NdkCqNotificationMissing";
    /// A CQ notifies only when there is a result of the kind that was asked for.
    CQ_NOTIFICATION_SPURIOUS = "NdkCqNotificationSpurious";

    // Work requests.
    /// A post succeeds or fails; it never pends.
    POST_STATUS = "NdkPostStatus";
    /// A poll returns no more results than it was asked for.
    RESULT_COUNT = "NdkResultCount";
    /// A result has the context of a request.
    RESULT_UNKNOWN = "NdkResultUnknown";
    /// A result names its QP, and is in that QP's CQ.
    RESULT_QP = "NdkResultQp";
    /// A result has its request's type.
    RESULT_TYPE = "NdkResultType";
    /// A request has one result, not two.
    RESULT_TWICE = "NdkResultTwice";
    /// A request that was refused has no result.
    RESULT_OF_REFUSED = "NdkResultOfRefused";
    /// A request with silent success has no result if it succeeds.
    RESULT_SILENT = "NdkResultSilent";
    /// The results of a queue come in the order of its requests.
    RESULT_ORDER = "NdkResultOrder";
    /// Every request that was accepted has a result, at the latest when its QP has closed.
    RESULT_MISSING = "NdkResultMissing";

    // Memory.
    /// A token admits nothing once its memory is deregistered, invalidated or closed.
    TOKEN_STALE = "NdkTokenStale";
    /// Two regions or windows of an adapter don't have the same token.
    TOKEN_SHARED = "NdkTokenShared";
    /// The privileged token admits nothing from a peer.
    TOKEN_PRIVILEGED_REMOTE = "NdkTokenPrivilegedRemote";

    // Connections.
    /// A local address and port are taken until their last holder is closed.
    ENDPOINT_REUSED = "NdkEndpointReused";
    /// A listener offers nothing once its close has been called.
    CONNECT_EVENT_AFTER_CLOSE = "NdkConnectEventAfterClose";
    /// A listener offers nothing while its events are paused.
    CONNECT_EVENT_PAUSED = "NdkConnectEventPaused";
    /// A connector tells once that the peer has disconnected.
    DISCONNECT_EVENT_TWICE = "NdkDisconnectEventTwice";

    // The consumer's side.
    /// A function is called with a handle of the right kind that a create returned.
    HANDLE_INVALID = "NdkHandleInvalid";
    /// An object is not used once its close has been called.
    USE_AFTER_CLOSE = "NdkUseAfterClose";
    /// A function is called only where the object's version has it.
    FUNCTION_NOT_IN_VERSION = "NdkFunctionNotInVersion";
    /// A required callback is passed: every completion but that of NdkBuildLAM (`_In_opt_`), a CQ's notification, a
    /// listener's connect event.
    CALLBACK_MISSING = "NdkCallbackMissing";
    /// Polls and arms of one CQ are called one at a time.
    CQ_NOT_SERIALIZED = "NdkCqNotSerialized";
    /// Posts to one queue are called one at a time.
    POST_NOT_SERIALIZED = "NdkPostNotSerialized";
    /// The adapter is not closed from inside a callback.
    ADAPTER_CLOSE_IN_CALLBACK = "NdkAdapterCloseInCallback";
    /// Every object is closed, and every logical address mapping released, before the adapter is.
    OBJECT_LEAKED = "NdkObjectLeaked";
}

#[cfg(test)]
mod tests {
    /// The tests of the layer, in which each rule is broken and found.
    const TESTS: &[&str] = &[
        include_str!("tests/antecedent.rs"),
        include_str!("tests/close.rs"),
        include_str!("tests/connection.rs"),
        include_str!("tests/memory.rs"),
        include_str!("tests/notification.rs"),
        include_str!("tests/object.rs"),
        include_str!("tests/queue.rs"),
        include_str!("tests/request.rs"),
        include_str!("tests/serial.rs"),
    ];

    #[test]
    fn every_rule_is_broken_by_a_test() {
        let broken = |rule: &str| TESTS.iter().any(|tests| tests.contains(&format!("rules::{rule}")));
        let unbroken: Vec<_> = super::CONSTANTS.iter().filter(|rule| !broken(rule)).collect();
        assert!(unbroken.is_empty(), "{unbroken:?}");
    }

    #[test]
    fn page_lists_every_rule_with_what_it_says() {
        let page = include_str!("../../../docs/ndk-rules.md");
        let unlisted: Vec<_> = super::ALL
            .iter()
            .map(|(name, text)| format!("| `{name}` | {} |", text.trim()))
            .filter(|row| !page.contains(row))
            .collect();
        assert!(unlisted.is_empty(), "{unlisted:#?}");
    }

    #[test]
    fn rules_have_different_names() {
        let mut names: Vec<_> = super::ALL.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), super::ALL.len());
    }
}
