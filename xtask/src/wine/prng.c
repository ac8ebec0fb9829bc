/* bcryptprimitives.dll as far as Rust's library needs it, for releases of Wine that have none. */
#include <windows.h>

/* RtlGenRandom, by the name that advapi32.dll exports. */
BOOLEAN WINAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T length)
{
    return SystemFunction036(data, (ULONG)length);
}
