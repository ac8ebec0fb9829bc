//! The test that plays each scenario of the harness.

use protocol::Scenario;

/// Hands the name of each test, and its scenario, to a macro.
macro_rules! with_coverage {
    ($with:ident) => {
        $with! {
            antecedents_close_pends_until_its_successors_are_closed: AntecedentsFirst;
            object_may_be_closed_in_its_create_completion: CloseInCreate;
            object_may_be_closed_in_a_request_completion: CloseInRequest;
            connector_may_be_closed_in_its_connect_completion: CloseInConnect;
            connector_closed_in_connect_event_refuses_connect: CloseInConnectEvent;
            connector_may_be_closed_in_its_disconnect_callbacks: CloseInDisconnect;
            cq_may_be_closed_in_its_notification: CloseInNotification;
            closing_a_qp_cancels_its_receives: ReceivesOutstanding;
            closing_a_connection_ends_its_sends: SendsOutstanding;
            closing_a_connector_ends_its_connect: ConnectOutstanding;
            closing_a_connector_ends_its_accept: AcceptOutstanding;
            listener_outlives_the_connectors_it_offered: ListenerWithOffers;
            connection_outlives_its_closing_listener: ListenerBeforeConnection;
            private_data_may_be_absent: NoPrivateData;
            private_data_is_carried_up_to_its_limit: PrivateDataLimits;
            rejection_reaches_the_connector_with_its_data: Reject;
            both_sides_may_disconnect_at_once: DisconnectBoth;
            peers_disconnect_is_an_event_and_no_flush: DisconnectEvent;
            address_is_free_when_its_last_holder_is_closed: AddressReuse;
            flush_cancels_what_is_posted: Flush;
            remote_access_is_limited_to_granted_rights: RemoteAccess;
            local_access_is_limited_to_registered_rights: LocalAccess;
            post_beyond_queue_depth_fails_inline: OverPosting;
            unconnected_qp_takes_receives_only: Unconnected;
            missing_address_has_its_status: BadAddress;
            adapter_supports_its_claims_and_refuses_the_rest: NotSupported;
            cq_notifies_once_per_arm: Arming;
            paused_listener_refuses: PausedListener;
            sends_of_every_shape_arrive: SendShapes;
            sizes_over_a_limit_are_invalid: Limits;
            qps_may_share_their_receives: SharedReceives;
            connections_may_share_their_address: SharedAddress;
            privileged_token_is_local_only: PrivilegedMemory;
            antecedents_and_successors_may_be_closed_at_once: RaceAntecedents;
            both_ends_may_be_closed_at_once: RaceEnds;
            connector_may_be_closed_while_its_qp_is_posted_to: RacePosts;
            side_may_be_closed_while_its_peer_sends: RaceTraffic;
            listener_may_be_closed_while_a_peer_connects: RaceListener;
            connector_may_be_closed_while_its_peer_accepts: RaceAccept;
            side_may_be_closed_while_its_peer_disconnects: RaceDisconnect;
            cq_may_be_closed_while_work_arrives: RaceNotification;
            window_admits_only_its_bound_range: Windows;
            fast_registration_admits_until_it_is_invalidated: FastRegistration;
            send_may_invalidate_the_receivers_token: SendAndInvalidate;
            read_may_invalidate_its_sink_and_be_fenced: ReadAndInvalidate;
            supported_versions_open_and_others_are_refused: Versions;
            extended_functions_match_the_plain_ones: Extended;
            deferred_posts_start_with_the_end_of_their_chain: DeferredChains;
            cq_may_be_resized_with_results_in_it: ResizedCq;
            srq_may_be_modified_up_to_its_limit: ModifiedSrq;
            second_connect_or_listen_is_refused: OnlyOnce;
            cq_overflow_notifies_its_failure: Overflow;
            longest_transfer_and_the_most_reads_are_possible: Largest;
            moderated_cq_coalesces_notifications_and_closes_at_once: Moderation;
            receiver_not_ready_send_times_out: ReceiverNotReady;
            largest_requests_are_possible: LargestRequests;
            deepest_queues_are_filled: DeepestQueues;
            largest_region_and_window_are_possible: LargestMemory;
            notifications_wait_for_end_of_post: NotifiedAfterPost;
            cq_may_be_closed_when_its_moderated_notification_is_due: RaceAlarm;
            region_outlives_the_lists_it_was_registered_by: ListsOfRegions;
            mapping_outlives_the_lists_it_was_built_from: ListsOfMappings;
            remote_token_serves_every_registration_of_its_region: KeptToken;
            unaligned_mebibyte_needs_one_registration: Mebibyte;
            refused_accept_keeps_the_first_qp: AcceptAgain;
            second_disconnect_leaves_the_first_its_completion: DisconnectTwice;
            connect_tried_again_keeps_its_address: ConnectAgain;
            disconnect_without_a_connection_leaves_the_qp: DisconnectUnconnected;
            closing_after_the_peers_disconnect_flushes: CloseAfterDisconnect;
            listener_that_pauses_refuses_what_waits: PauseWithOffers;
            qps_of_another_opening_connect_and_accept: Openings;
            address_is_used_as_soon_as_it_arrives: ArrivedAddress;
            qp_closed_while_its_connect_completes_ends_the_connection: RaceComplete;
            request_posted_on_a_result_finds_room: RaceRoom;
            error_that_meets_an_arm_is_notified_once: RaceArm;
            sends_that_wait_for_a_shared_queue_take_receives_in_order: SharedWaiters;
            token_of_another_pd_is_not_invalidated: ForeignToken;
        }
    };
}

macro_rules! list {
    ($($name:ident: $scenario:ident;)*) => {
        /// The tests by name, with their scenarios; `tests/scenarios.rs` has them.
        pub(crate) const COVERAGE: &[(&str, Scenario)] = &[$((stringify!($name), Scenario::$scenario),)*];
    };
}

with_coverage!(list);
