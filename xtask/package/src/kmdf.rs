//! The framework version that a KMDF image binds to.
//!
//! The entry stub hands the loader a `WDF_BIND_INFO`: its size, a pointer to the component's name `KmdfLibrary`, and the version.
//! (Public source: `fxldr.h` of the Windows Driver Frameworks.)

/// Bytes of the structure's first form, and of its second one.
const SIZES: [u64; 2] = [0x30, 0x58];
/// The component's name.
const COMPONENT: &str = "KmdfLibrary\0";

/// The version as an INF writes it (`1.33`), found in the file of an image; `None` if it binds to no framework.
#[must_use]
pub fn bound_version(image: &[u8]) -> Option<String> {
    let name: Vec<u8> = COMPONENT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let sections = Sections::of(image)?;
    let names = image.windows(name.len()).enumerate().filter(|(_, bytes)| *bytes == name);
    let pointers: Vec<u64> = names.filter_map(|(offset, _)| sections.address(offset)).collect();
    let (words, _) = image.as_chunks::<8>();
    words.windows(3).find_map(|window| {
        let &[size, pointer, version] = window else { return None };
        // The size has 32 bits; what lies between it and the pointer is padding.
        let size = u64::from_le_bytes(size) & 0xFFFF_FFFF;
        let is_bind_info = SIZES.contains(&size) && pointers.contains(&u64::from_le_bytes(pointer));
        let [major, minor] =
            [version.first_chunk()?, version.last_chunk()?].map(|part| u32::from_le_bytes(*part));
        is_bind_info.then(|| format!("{major}.{minor}"))
    })
}

/// The places of an image's sections in its file and in memory.
struct Sections {
    base: u64,
    /// Offset in the file, length there, relative address.
    places: Vec<(usize, usize, u64)>,
}

impl Sections {
    fn of(image: &[u8]) -> Option<Self> {
        let number = |offset: usize| Some(u32::from_le_bytes(*image.get(offset..)?.first_chunk()?));
        let half = |offset: usize| Some(u16::from_le_bytes(*image.get(offset..)?.first_chunk()?));
        let header = usize::try_from(number(0x3C)?).ok()?.checked_add(4)?;
        let optional = header + 20;
        let base = u64::from_le_bytes(*image.get(optional + 24..)?.first_chunk()?);
        let first = optional + usize::from(half(header + 16)?);
        let mut places = Vec::new();
        for section in 0..usize::from(half(header + 2)?) {
            let entry = first + section * 40;
            let [address, length, offset] = [12, 16, 20].map(|field| number(entry + field));
            places.push((
                usize::try_from(offset?).ok()?,
                usize::try_from(length?).ok()?,
                u64::from(address?),
            ));
        }
        Some(Self { base, places })
    }

    /// The address in memory, at the preferred base, of an offset in the file.
    fn address(&self, offset: usize) -> Option<u64> {
        self.places.iter().find_map(|(begin, length, relative)| {
            let within = offset.checked_sub(*begin).filter(|within| within < length)?;
            Some(self.base + relative + u64::try_from(within).ok()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::bound_version;

    /// An image of one section at offset 0x200 and address 0x1000, with `content`.
    fn image(content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0_u8; 0x200];
        bytes[0x3C] = 0x40;
        bytes[0x46] = 1;
        bytes[0x54] = 240;
        bytes[0x58 + 24..0x58 + 32].copy_from_slice(&0x1_4000_0000_u64.to_le_bytes());
        let entry = 0x58 + 240;
        bytes[entry + 12..entry + 16].copy_from_slice(&0x1000_u32.to_le_bytes());
        bytes[entry + 16..entry + 20].copy_from_slice(&0x200_u32.to_le_bytes());
        bytes[entry + 20..entry + 24].copy_from_slice(&0x200_u32.to_le_bytes());
        bytes.extend(content);
        bytes.resize(0x400, 0);
        bytes
    }

    #[test]
    fn version_is_read_from_the_bind_information() {
        let mut content = [0x30_u64, 0x1_4000_1040, 1 | 33 << 32].map(u64::to_le_bytes).concat();
        content.resize(0x40, 0);
        content.extend("KmdfLibrary\0".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(bound_version(&image(&content)).as_deref(), Some("1.33"));
        // A pointer to elsewhere is none to the name.
        content[8] += 2;
        assert_eq!(bound_version(&image(&content)), None);
    }

    #[test]
    fn image_without_framework_binds_to_none() {
        assert_eq!(bound_version(&image(&[])), None);
        assert_eq!(bound_version(b"MZ"), None);
    }
}
