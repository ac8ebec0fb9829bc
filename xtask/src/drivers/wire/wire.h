/* A miniport of NDIS 6.0 whose adapters are on one wire: each frame that one sends comes in at all others. */
#pragma once

#include <ndis.h>

#define TAG 'eriW'
#define ADAPTERS 16
#define FRAME 1514

typedef struct _ADAPTER {
    NDIS_HANDLE Handle;
    NDIS_HANDLE Pool;
    NDIS_HANDLE Timer;
    NDIS_SPIN_LOCK Lock;
    NET_BUFFER_LIST *Queue;
    NET_BUFFER_LIST **Tail;
    /* The number of lists that come back before a pause is complete; one more while data flows. */
    volatile LONG Outstanding;
    BOOLEAN Running;
    BOOLEAN Gone;
    UCHAR Address[ETH_LENGTH_OF_ADDRESS];
} ADAPTER;

/* In the definition, the parameter is an ADAPTER *: MSVC takes that for one function. */
void Drain(PVOID Context);
