/* Collections. */
#pragma once

typedef NTSTATUS(NTAPI *PFN_WDFCOLLECTIONCREATE)(PWDF_DRIVER_GLOBALS DriverGlobals,
    PWDF_OBJECT_ATTRIBUTES CollectionAttributes, WDFCOLLECTION *Collection);
#define WdfCollectionCreate(...) WDF_CALL(WdfCollectionCreate, WDFCOLLECTIONCREATE, ##__VA_ARGS__)
typedef ULONG(NTAPI *PFN_WDFCOLLECTIONGETCOUNT)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFCOLLECTION Collection);
#define WdfCollectionGetCount(...) WDF_CALL(WdfCollectionGetCount, WDFCOLLECTIONGETCOUNT, ##__VA_ARGS__)
typedef NTSTATUS(NTAPI *PFN_WDFCOLLECTIONADD)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFCOLLECTION Collection,
    WDFOBJECT Object);
#define WdfCollectionAdd(...) WDF_CALL(WdfCollectionAdd, WDFCOLLECTIONADD, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFCOLLECTIONREMOVE)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFCOLLECTION Collection,
    WDFOBJECT Item);
#define WdfCollectionRemove(...) WDF_CALL(WdfCollectionRemove, WDFCOLLECTIONREMOVE, ##__VA_ARGS__)
typedef VOID(NTAPI *PFN_WDFCOLLECTIONREMOVEITEM)(PWDF_DRIVER_GLOBALS DriverGlobals, WDFCOLLECTION Collection,
    ULONG Index);
#define WdfCollectionRemoveItem(...) WDF_CALL(WdfCollectionRemoveItem, WDFCOLLECTIONREMOVEITEM, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFCOLLECTIONGETITEM)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFCOLLECTION Collection, ULONG Index);
#define WdfCollectionGetItem(...) WDF_CALL(WdfCollectionGetItem, WDFCOLLECTIONGETITEM, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFCOLLECTIONGETFIRSTITEM)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFCOLLECTION Collection);
#define WdfCollectionGetFirstItem(...) WDF_CALL(WdfCollectionGetFirstItem, WDFCOLLECTIONGETFIRSTITEM, ##__VA_ARGS__)
typedef WDFOBJECT(NTAPI *PFN_WDFCOLLECTIONGETLASTITEM)(PWDF_DRIVER_GLOBALS DriverGlobals,
    WDFCOLLECTION Collection);
#define WdfCollectionGetLastItem(...) WDF_CALL(WdfCollectionGetLastItem, WDFCOLLECTIONGETLASTITEM, ##__VA_ARGS__)
