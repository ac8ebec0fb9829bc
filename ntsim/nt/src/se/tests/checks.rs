//! The access check, as tables.

use sys::status::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD};
use sys::wdm::{
    ACCESS_SYSTEM_SECURITY, FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
    GENERIC_ALL, GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE, MAXIMUM_ALLOWED, READ_CONTROL, WRITE_DAC,
};

use crate::se::{FILES, Sid, Subject, check, map};

const DENIED: Result<u32, NTSTATUS> = Err(STATUS_ACCESS_DENIED);

/// The check of what user 1001 asks for.
fn asks(text: &str, desired: u32) -> Result<u32, NTSTATUS> {
    has(text, desired, 0)
}

/// The check of what user 1001 asks for, who was granted something before.
fn has(text: &str, desired: u32, before: u32) -> Result<u32, NTSTATUS> {
    check(&text.parse().unwrap(), &Subject::user(1001), desired, before, &FILES)
}

#[test]
fn first_entry_that_speaks_of_a_right_decides_on_it() {
    let user = "S-1-5-21-1-2-3-1001";
    for (list, desired, outcome) in [
        (format!("D:(A;;0x3;;;{user})"), 3, Ok(3)),
        (format!("D:(A;;0x1;;;{user})"), 3, DENIED),
        (format!("D:(A;;0x1;;;{user})(A;;0x2;;;BU)"), 3, Ok(3)),
        (format!("D:(D;;0x1;;;{user})(A;;0x3;;;WD)"), 3, DENIED),
        (format!("D:(D;;0x1;;;{user})(A;;0x3;;;WD)"), 2, Ok(2)),
        (format!("D:(A;;0x3;;;WD)(D;;0x1;;;{user})"), 3, Ok(3)),
        (format!("D:(A;;0x1;;;WD)(D;;0x3;;;{user})(A;;0x2;;;WD)"), 3, DENIED),
        ("D:(D;;0x1;;;BA)(A;;0x3;;;BU)".into(), 3, Ok(3)),
        ("D:(A;;0x3;;;S-1-5-21-1-2-3-1002)".into(), 1, DENIED),
        ("D:(A;;0x3;;;AU)".into(), 1, Ok(1)),
    ] {
        assert_eq!(asks(&list, desired), outcome, "{list} for {desired:#x}");
    }
}

#[test]
fn missing_list_grants_everything_and_an_empty_one_nothing() {
    for (text, desired, outcome) in [
        ("", 0x12, Ok(0x12)),
        ("D:NO_ACCESS_CONTROL", GENERIC_ALL, Ok(FILE_ALL_ACCESS)),
        ("", MAXIMUM_ALLOWED | 0x800, Ok(FILE_ALL_ACCESS | 0x800)),
        ("D:", 1, DENIED),
        ("D:", MAXIMUM_ALLOWED, DENIED),
        ("O:SYD:", READ_CONTROL, DENIED),
    ] {
        assert_eq!(asks(text, desired), outcome, "{text:?} for {desired:#x}");
    }
}

#[test]
fn inherit_only_entry_does_not_apply_to_the_object() {
    assert_eq!(asks("D:(D;IO;0x1;;;WD)(A;CIOI;0x1;;;WD)", 1), Ok(1));
    assert_eq!(asks("D:(A;OIIO;0x1;;;WD)", 1), DENIED);
}

#[test]
fn owner_can_get_at_the_list_unless_that_says_what_owners_may() {
    let own = "O:S-1-5-21-1-2-3-1001";
    for (list, desired, outcome) in [
        ("D:", READ_CONTROL | WRITE_DAC, Ok(READ_CONTROL | WRITE_DAC)),
        ("D:", READ_CONTROL | 1, DENIED),
        ("D:(D;;RCWD;;;WD)", WRITE_DAC, Ok(WRITE_DAC)),
        ("D:", MAXIMUM_ALLOWED, Ok(READ_CONTROL | WRITE_DAC)),
        ("D:(A;;0x1;;;S-1-3-4)", 1, Ok(1)),
        ("D:(A;;0x1;;;S-1-3-4)", WRITE_DAC, DENIED),
        ("D:(A;IO;0x1;;;S-1-3-4)", WRITE_DAC, Ok(WRITE_DAC)),
    ] {
        assert_eq!(asks(&format!("{own}{list}"), desired), outcome, "{list} for {desired:#x}");
    }
    assert_eq!(asks("O:BAD:(A;;0x1;;;S-1-3-4)", 1), DENIED, "the owner is another one");
    let administrators = "O:BAD:".parse().unwrap();
    assert_eq!(check(&administrators, &Subject::administrator(), WRITE_DAC, 0, &FILES), Ok(WRITE_DAC));
}

#[test]
fn maximum_allowed_is_granted_if_explicit_rights_are_in_it() {
    for (list, desired, outcome) in [
        ("D:(A;;0x1;;;WD)(D;;0x2;;;BU)(A;;0x6;;;AU)(A;;0x8;;;SY)", MAXIMUM_ALLOWED, Ok(5)),
        ("D:(A;;0x5;;;WD)", MAXIMUM_ALLOWED | 4, Ok(5)),
        ("D:(A;;0x5;;;WD)", MAXIMUM_ALLOWED | 2, DENIED),
        ("D:(A;;GR;;;WD)", MAXIMUM_ALLOWED, Ok(FILE_GENERIC_READ)),
        ("D:(A;;0x1;;;SY)", MAXIMUM_ALLOWED, DENIED),
    ] {
        assert_eq!(asks(list, desired), outcome, "{list} for {desired:#x}");
    }
}

#[test]
fn previously_granted_access_is_kept_and_not_checked_again() {
    assert_eq!(has("D:(A;;0x1;;;WD)", 1, 8), Ok(9));
    assert_eq!(has("D:", 8, 8), Ok(8));
    assert_eq!(has("D:", 0, 8), Ok(8));
    assert_eq!(has("D:", MAXIMUM_ALLOWED, 8), Ok(8));
    assert_eq!(has("D:", 1, 8), DENIED);
    assert_eq!(has("", 0, 0), DENIED, "who asks for nothing gets nothing");
}

#[test]
fn generic_rights_are_those_of_the_mapping_on_both_sides() {
    assert_eq!(asks("D:(A;;GR;;;WD)", FILE_GENERIC_READ), Ok(FILE_GENERIC_READ));
    assert_eq!(asks("D:(A;;FR;;;WD)", GENERIC_READ), Ok(FILE_GENERIC_READ));
    assert_eq!(asks("D:(A;;GR;;;WD)", GENERIC_WRITE), DENIED);
    for (generic, meaning) in [
        (GENERIC_READ, FILE_GENERIC_READ),
        (GENERIC_WRITE, FILE_GENERIC_WRITE),
        (GENERIC_EXECUTE, FILE_GENERIC_EXECUTE),
        (GENERIC_ALL, FILE_ALL_ACCESS),
    ] {
        assert_eq!(map(generic | 0x400, &FILES), meaning | 0x400);
    }
}

#[test]
fn system_acl_needs_the_security_privilege() {
    assert_eq!(asks("", ACCESS_SYSTEM_SECURITY), Err(STATUS_PRIVILEGE_NOT_HELD));
}

#[test]
fn subjects_are_in_their_groups() {
    let everybody = [Sid::EVERYONE, Sid::AUTHENTICATED_USERS];
    for (subject, also, never) in [
        (Subject::system(), [Sid::SYSTEM, Sid::ADMINISTRATORS], Sid::USERS),
        (Subject::administrator(), [Sid::account(500), Sid::ADMINISTRATORS], Sid::SYSTEM),
        (Subject::user(7), [Sid::account(7), Sid::USERS], Sid::ADMINISTRATORS),
        (Subject::user(7).member_of(Sid::SYSTEM), [Sid::USERS, Sid::SYSTEM], Sid::account(8)),
    ] {
        assert!(everybody.iter().chain(&also).all(|sid| subject.is(sid)), "{subject:?}");
        assert!(!subject.is(&never), "{subject:?}");
    }
}
