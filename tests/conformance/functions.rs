//! The functions of every dispatch table.

/// Each dispatch table's owner, and its slots in their order.
pub(crate) const TABLES: &[(&str, &[&str])] = &[
    (
        "adapter",
        &[
            "NdkQueryExtension",
            "NdkQueryAdapterInfo",
            "NdkCreateCq",
            "NdkCreatePd",
            "NdkCreateSharedEndpoint",
            "NdkCreateConnector",
            "NdkCreateListener",
            "NdkBuildLAM",
            "NdkReleaseLAM",
        ],
    ),
    (
        "CQ",
        &[
            "NdkCloseCq",
            "NdkQueryExtension",
            "NdkResizeCq",
            "NdkArmCq",
            "NdkGetCqResults",
            "NdkControlCqInterruptModeration",
            "NdkGetCqResultsEx",
        ],
    ),
    (
        "PD",
        &[
            "NdkClosePd",
            "NdkQueryExtension",
            "NdkCreateMr",
            "NdkCreateMw",
            "NdkCreateSrq",
            "NdkCreateQp",
            "NdkCreateQpWithSrq",
            "NdkGetPrivilegedMemoryRegionToken",
        ],
    ),
    (
        "QP",
        &[
            "NdkCloseQp",
            "NdkQueryExtension",
            "NdkFlush",
            "NdkSend",
            "NdkReceive",
            "NdkBind",
            "NdkFastRegister",
            "NdkInvalidate",
            "NdkRead",
            "NdkWrite",
            "NdkSendAndInvalidate",
        ],
    ),
    (
        "MR",
        &[
            "NdkCloseMr",
            "NdkQueryExtension",
            "NdkRegisterMr",
            "NdkDeregisterMr",
            "NdkInitializeFastRegisterMr",
            "NdkGetRemoteTokenFromMr",
            "NdkGetLocalTokenFromMr",
        ],
    ),
    ("MW", &["NdkCloseMw", "NdkQueryExtension", "NdkGetRemoteTokenFromMw"]),
    ("SRQ", &["NdkCloseSrq", "NdkQueryExtension", "NdkModifySrq", "NdkSrqReceive"]),
    (
        "connector",
        &[
            "NdkCloseConnector",
            "NdkQueryExtension",
            "NdkConnect",
            "NdkConnectWithSharedEndpoint",
            "NdkCompleteConnect",
            "NdkAccept",
            "NdkReject",
            "NdkGetConnectionData",
            "NdkGetLocalAddress",
            "NdkGetPeerAddress",
            "NdkDisconnect",
            "NdkCompleteConnectEx",
            "NdkAcceptEx",
        ],
    ),
    (
        "listener",
        &[
            "NdkCloseListener",
            "NdkQueryExtension",
            "NdkListen",
            "NdkGetLocalAddress",
            "NdkControlConnectEvents",
        ],
    ),
    ("shared endpoint", &["NdkCloseSharedEndpoint", "NdkQueryExtension", "NdkGetLocalAddress"]),
];

/// Returns whether a function may be called at PASSIVE_LEVEL only.
pub(crate) fn is_passive(function: &str) -> bool {
    function == "NdkQueryAdapterInfo"
}
