//! Functions that are alike but for their types.

/// Defines creates that make an object of the table named for it, with the parent as antecedent. What else a create
/// takes is not looked at, but for an event, which stands behind a semicolon.
macro_rules! creates {
    ($($create:ident(
        $parent:ty $(, $before:ty)* $(; $event:ty $(, $after:ty)*)?
    ) -> $object:ty: $table:ident;)*) => {
        $(pub(crate) extern "efiapi" fn $create(
            parent: *mut $parent,
            $(_: $before,)*
            $(event: Option<$event>, event_context: PVOID, $(_: $after,)*)?
            completion: Option<NDK_FN_CREATE_COMPLETION>,
            context: PVOID,
            out: *mut *mut $object,
        ) -> NTSTATUS {
            let parent = fake(parent);
            let object = make::<$object>(parent.provider(), &parent.provider().$table, vec![parent.at()]);
            $(
                let event = event.map_or(0, |event: $event| ntsim_core::address::Va::of(event as *const ()).get());
                fake(object).state().event = (event, event_context.expose_provenance());
            )?
            answer_create(parent, object, completion, context, out)
        })*
    };
}

/// Defines requests that succeed, whatever else they take before the completion and, behind a semicolon, after it.
macro_rules! requests {
    ($($request:ident($object:ty $(, $before:ty)* $(; $($after:ty),*)?);)*) => {
        $(extern "efiapi" fn $request(
            object: *mut $object,
            $(_: $before,)*
            completion: Option<NDK_FN_REQUEST_COMPLETION>,
            context: PVOID,
            $($(_: $after,)*)?
        ) -> NTSTATUS {
            answer(fake(object), completion, context)
        })*
    };
}

/// Defines functions that give an address no room.
macro_rules! addresses {
    ($($address:ident($object:ty);)*) => {
        $(extern "efiapi" fn $address(_: *mut $object, _: *mut SOCKADDR, _: *mut ULONG) -> NTSTATUS {
            STATUS_BUFFER_TOO_SMALL
        })*
    };
}
