//! The identity that ties an image to its PDB: an identifier in both, and the image's time stamps.
//!
//! lld-link takes the identifier from the PDB's contents, and the PDB has the absolute paths of the objects and the
//! linker's arguments, so that it would be another one in another folder. In its place comes one from what the image
//! holds. (<https://learn.microsoft.com/windows/win32/debug/pe-format>, Debug Directory; the record is that of
//! <https://llvm.org/docs/PDB/PdbStream.html>.)

use object::{
    LittleEndian as LE,
    pe::{IMAGE_DIRECTORY_ENTRY_DEBUG, ImageDebugDirectory},
    read::pe::PeFile64,
};
use sha2::{Digest, Sha256};

use crate::image::checksum;

/// Offsets of the fields in the image.
struct Fields {
    checksum: usize,
    identifier: usize,
    stamps: Vec<usize>,
}

/// Gives an image and its PDB the identifier and the time stamps that follow from the image's contents.
///
/// # Errors
///
/// A sentence: the image has no record of a PDB, or the PDB is another image's.
pub(super) fn settle(image: &mut [u8], pdb: &mut [u8]) -> Result<(), String> {
    let fields = fields(image).ok_or("the image has no record of a PDB")?;
    let found: [u8; 16] = at(image, fields.identifier).ok_or("the record of the PDB is cut off")?;
    let mut places =
        pdb.windows(found.len()).enumerate().filter(|(_, bytes)| *bytes == found).map(|(place, _)| place);
    let (Some(place), None) = (places.next(), places.next()) else {
        return Err("the PDB does not have the image's identifier once".to_owned());
    };
    put(image, fields.identifier, &[0; 16]);
    put(image, fields.checksum, &[0; 4]);
    fields.stamps.iter().for_each(|&stamp| put(image, stamp, &[0; 4]));
    let digest = Sha256::digest(&*image);
    let (identifier, rest) = digest.split_at(found.len());
    put(image, fields.identifier, identifier);
    put(pdb, place, identifier);
    fields.stamps.iter().for_each(|&stamp| put(image, stamp, &rest[..4]));
    let sum = checksum(image, fields.checksum);
    put(image, fields.checksum, &sum.to_le_bytes());
    Ok(())
}

fn fields(bytes: &[u8]) -> Option<Fields> {
    let image = PeFile64::parse(bytes).ok()?;
    let headers = image.dos_header().nt_headers_offset() as usize;
    let (start, length) =
        image.data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG)?.file_range(&image.section_table()).ok()?;
    let (start, length) = (start as usize, length as usize);
    let entries: &[ImageDebugDirectory] =
        object::slice_from_all_bytes(bytes.get(start..start + length)?).ok()?;
    let record = entries
        .iter()
        .map(|entry| entry.pointer_to_raw_data.get(LE) as usize)
        .find(|&record| bytes.get(record..).is_some_and(|record| record.starts_with(b"RSDS")))?;
    let size = size_of::<ImageDebugDirectory>();
    let mut stamps = vec![headers + 8];
    stamps.extend((0..entries.len()).map(|entry| start + entry * size + 4));
    Some(Fields { checksum: headers + 24 + 64, identifier: record + 4, stamps })
}

fn at<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
    bytes.get(place..place + N)?.try_into().ok()
}

fn put(bytes: &mut [u8], place: usize, value: &[u8]) {
    bytes[place..place + value.len()].copy_from_slice(value);
}

#[cfg(test)]
mod tests {
    use object::{
        pe::{IMAGE_FILE_EXECUTABLE_IMAGE, IMAGE_FILE_MACHINE_AMD64, IMAGE_SUBSYSTEM_NATIVE},
        write::pe::{NtHeaders, Writer},
    };

    use super::*;

    const ONE: [u8; 16] = [0x11; 16];
    const OTHER: [u8; 16] = [0xA5; 16];
    const RDATA: u32 = 0x2000;
    const ENTRIES: usize = 2 * size_of::<ImageDebugDirectory>();

    /// An image as the linker leaves it: code, and a debug directory with the record of the PDB and an entry without
    /// contents.
    fn image(code: u8, identifier: [u8; 16], stamp: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(true, 0x1000, 0x200, &mut bytes);
        writer.reserve_dos_header_and_stub();
        writer.reserve_nt_headers(16);
        writer.reserve_section_headers(2);
        let text = writer.reserve_text_section(0x40);
        let rdata = writer.reserve_rdata_section(0x80);
        writer.set_data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG, RDATA, ENTRIES as u32);
        writer.write_dos_header_and_stub().unwrap();
        writer.write_nt_headers(headers(stamp));
        writer.write_section_headers();
        writer.write_section(text.file_offset, &[code; 0x40]);
        let mut data: Vec<u8> = Vec::new();
        let record = rdata.file_offset + ENTRIES as u32;
        for (kind, length, address, place) in [(2, 28, RDATA + ENTRIES as u32, record), (16, 0, 0, 0)] {
            data.extend([0, stamp, 0, kind, length, address, place].map(u32::to_le_bytes).as_flattened());
        }
        data.extend(b"RSDS");
        data.extend(identifier);
        data.extend(1_u32.to_le_bytes());
        data.extend(b"a.pdb\0");
        writer.write_section(rdata.file_offset, &data);
        bytes
    }

    fn headers(stamp: u32) -> NtHeaders {
        NtHeaders {
            machine: IMAGE_FILE_MACHINE_AMD64,
            time_date_stamp: stamp,
            characteristics: IMAGE_FILE_EXECUTABLE_IMAGE,
            major_linker_version: 14,
            minor_linker_version: 0,
            address_of_entry_point: 0x1000,
            image_base: 0x1_8000_0000,
            major_operating_system_version: 10,
            minor_operating_system_version: 0,
            major_image_version: 0,
            minor_image_version: 0,
            major_subsystem_version: 10,
            minor_subsystem_version: 0,
            subsystem: IMAGE_SUBSYSTEM_NATIVE,
            dll_characteristics: 0,
            size_of_stack_reserve: 0,
            size_of_stack_commit: 0,
            size_of_heap_reserve: 0,
            size_of_heap_commit: 0,
        }
    }

    /// The PDB of an image: `before` stands for the paths in it.
    fn pdb(before: &str, identifier: [u8; 16]) -> Vec<u8> {
        [before.as_bytes(), &identifier, b"types"].concat()
    }

    /// An image and its PDB once they are settled.
    fn settled(code: u8, identifier: [u8; 16], stamp: u32) -> (Vec<u8>, Vec<u8>) {
        let (mut image, mut pdb) = (image(code, identifier, stamp), pdb("/folder/", identifier));
        settle(&mut image, &mut pdb).unwrap();
        (image, pdb)
    }

    fn identifier(image: &[u8]) -> [u8; 16] {
        at(image, fields(image).unwrap().identifier).unwrap()
    }

    #[test]
    fn images_that_differ_in_identifier_and_stamps_are_same_once_settled() {
        assert_ne!(image(1, ONE, 7), image(1, OTHER, 8));
        assert_eq!(settled(1, ONE, 7), settled(1, OTHER, 8));
        let (mut image, mut pdb) = settled(1, ONE, 7);
        settle(&mut image, &mut pdb).unwrap();
        assert_eq!((image, pdb), settled(1, ONE, 7), "what is settled stays");
    }

    #[test]
    fn settled_image_has_right_checksum_equal_stamps_and_identifier_of_pdb() {
        let (image, pdb) = settled(1, ONE, 7);
        let fields = fields(&image).unwrap();
        let sum = at(&image, fields.checksum).map(u32::from_le_bytes);
        assert_eq!(sum, Some(checksum(&image, fields.checksum)));
        let stamps: Vec<[u8; 4]> = fields.stamps.iter().filter_map(|&stamp| at(&image, stamp)).collect();
        assert_eq!(stamps, [stamps[0]; 3], "file header and both entries");
        assert_eq!(pdb, super::tests::pdb("/folder/", identifier(&image)));
    }

    #[test]
    fn images_with_other_code_get_other_identifiers() {
        assert_ne!(identifier(&settled(1, ONE, 7).0), identifier(&settled(2, ONE, 7).0));
    }

    #[test]
    fn pdb_that_is_not_the_image_s_or_image_without_record_is_refused() {
        let refused = |mut image: Vec<u8>, mut pdb: Vec<u8>| settle(&mut image, &mut pdb).is_err();
        assert!(!refused(image(1, ONE, 7), pdb("", ONE)));
        assert!(refused(image(1, ONE, 7), pdb("", OTHER)));
        assert!(refused(image(1, ONE, 7), [pdb("", ONE), pdb("", ONE)].concat()));
        let mut none = image(1, ONE, 7);
        let record = fields(&none).unwrap().identifier;
        put(&mut none, record - 4, b"NB10");
        assert!(refused(none, pdb("", ONE)));
        assert!(refused(b"MZ".to_vec(), pdb("", ONE)));
    }
}
