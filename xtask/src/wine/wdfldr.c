/*
 * A stand-in for WDFLDR.SYS on Wine, which has no framework: it binds a driver to a table in which WdfDriverCreate is the
 * only function that works. That is all that ndkhlk.sys calls. Wine 8 has no ExAllocatePool2 either, so the import of the
 * driver that binds is pointed at one here.
 *
 * Structures: wdfldr.h and wdfdriver.h of the framework's public source (microsoft/Windows-Driver-Frameworks).
 */
#include <ntddk.h>

struct bind_info {
    ULONG size;
    PWCHAR component;
    ULONG major, minor, build;
    ULONG functions;
    void **table;
    void *module;
};

struct driver_config {
    ULONG size;
    void *device_add;
    void *unload;
    ULONG flags;
    ULONG tag;
};

/* WdfDriverCreateTableIndex in wdffuncenum.h. */
#define DRIVER_CREATE 116
#define FUNCTIONS 512
#define POOL_FLAG_UNINITIALIZED 2
#define POOL_FLAG_NON_PAGED 0x40

static void *globals[64];
static void *table[FUNCTIONS];

static NTSTATUS NTAPI not_there(void)
{
    DbgPrint("wdfldr: a function of the framework that is not there\n");
    return STATUS_NOT_IMPLEMENTED;
}

static void NTAPI stub_unload(DRIVER_OBJECT *driver)
{
}

/* NoDispatchOverride: the framework leaves the driver's routines alone, and its unload routine too. */
static NTSTATUS NTAPI driver_create(void *g, DRIVER_OBJECT *driver, UNICODE_STRING *path, void *attributes,
                                    struct driver_config *config, void **made)
{
    if (!driver->DriverUnload)
        driver->DriverUnload = stub_unload;
    if (made)
        *made = driver;
    return STATUS_SUCCESS;
}

static void *NTAPI allocate_pool_2(ULONGLONG flags, SIZE_T length, ULONG tag)
{
    void *block = ExAllocatePoolWithTag((flags & POOL_FLAG_NON_PAGED) ? NonPagedPool : PagedPool, length, tag);
    if (block && !(flags & POOL_FLAG_UNINITIALIZED))
        RtlZeroMemory(block, length);
    return block;
}

static int same(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE process, void **start, SIZE_T *length, ULONG protect, ULONG *old);

/* Points the import of ExAllocatePool2, if there is one, at ours. */
static void give_pool(UCHAR *image)
{
    UCHAR *headers = image + *(ULONG *)(image + 0x3c);
    /* The second data directory of a 64-bit image; five words for each module, the last of zeros. */
    ULONG *module = (ULONG *)(image + *(ULONG *)(headers + 24 + 112 + 8));
    for (; module[3]; module += 5) {
        ULONGLONG *name = (ULONGLONG *)(image + module[0]);
        ULONGLONG *address = (ULONGLONG *)(image + module[4]);
        for (; *name; name++, address++) {
            /* Names stand behind a hint of two bytes. */
            if (same((const char *)image + *name + 2, "ExAllocatePool2")) {
                void *start = address;
                SIZE_T length = sizeof *address;
                ULONG old;
                NtProtectVirtualMemory((HANDLE)-1, &start, &length, PAGE_READWRITE, &old);
                *address = (ULONGLONG)allocate_pool_2;
            }
        }
    }
}

__declspec(dllexport) NTSTATUS NTAPI WdfVersionBind(DRIVER_OBJECT *driver, UNICODE_STRING *path, struct bind_info *info,
                                                    void **component_globals)
{
    ULONG i;
    for (i = 0; i < FUNCTIONS; i++)
        table[i] = not_there;
    table[DRIVER_CREATE] = driver_create;
    *info->table = table;
    *component_globals = globals;
    give_pool((UCHAR *)driver->DriverStart);
    return STATUS_SUCCESS;
}

__declspec(dllexport) NTSTATUS NTAPI WdfVersionUnbind(UNICODE_STRING *path, struct bind_info *info, void *component_globals)
{
    return STATUS_SUCCESS;
}

/* Wine calls it as a module's entry point, where anything but zero is success. */
NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path)
{
    return 1;
}
