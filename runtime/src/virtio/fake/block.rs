//! A disk in host memory that executes block requests (virtio 1.2, 5.2.6).

use std::vec;
use std::vec::Vec;

use super::device::{Device, Elem};
use super::dma::device_view;
use crate::virtio::spec::block::{Op, config, feature};

pub(crate) struct Disk {
    pub(crate) data: Vec<u8>,
    pub(crate) flushes: u32,
    /// Status byte to answer with, instead of doing anything.
    pub(crate) refuse: Option<u8>,
    /// Never touches the status byte.
    pub(crate) mute: bool,
}

/// The answer to "get id": shorter than the field, so padded with NUL.
pub(crate) const SERIAL: &[u8; 20] = b"disk-0042\0\0\0\0\0\0\0\0\0\0\0";

impl Disk {
    pub(crate) fn new(sectors: usize) -> Disk {
        Disk { data: vec![0; sectors * 512], flushes: 0, refuse: None, mute: false }
    }

    /// A configuration space for this disk, with every field that the driver reads.
    pub(crate) fn config(&self) -> Vec<u8> {
        let mut bytes = vec![0; config::SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(config::CAPACITY, &(self.data.len() as u64 / 512).to_le_bytes());
        put(config::SIZE_MAX, &0x1_0000u32.to_le_bytes());
        put(config::SEG_MAX, &16u32.to_le_bytes());
        put(config::BLK_SIZE, &512u32.to_le_bytes());
        put(config::TOPOLOGY, &[3, 0, 1, 0, 8, 0, 0, 0]);
        for at in [config::MAX_DISCARD_SECTORS, config::MAX_WRITE_ZEROES_SECTORS] {
            put(at, &64u32.to_le_bytes());
        }
        for at in [config::MAX_DISCARD_SEG, config::MAX_WRITE_ZEROES_SEG] {
            put(at, &4u32.to_le_bytes());
        }
        put(config::DISCARD_SECTOR_ALIGNMENT, &8u32.to_le_bytes());
        bytes[config::WRITE_ZEROES_MAY_UNMAP] = 1;
        bytes
    }

    /// Executes a request and returns how many bytes it wrote, the status included.
    pub(crate) fn execute(&mut self, elems: &[Elem]) -> u32 {
        let input = gather(elems);
        let total: u32 = elems.iter().filter(|e| e.write).map(|e| e.len).sum();
        let mut output = vec![0; total as usize - 1];
        let status = self.refuse.unwrap_or_else(|| self.operate(&input, &mut output));
        output.push(status);
        if self.mute {
            output.pop();
        }
        scatter(elems, &output);
        if status == 0 { total } else { 1 }
    }

    fn operate(&mut self, input: &[u8], output: &mut [u8]) -> u8 {
        let word = |at: usize| u32::from_le_bytes(input[at..at + 4].try_into().unwrap());
        let sector = |at: usize| u64::from_le_bytes(input[at..at + 8].try_into().unwrap()) as usize;
        let start = sector(8) * 512;
        match Op::from_raw(word(0)) {
            Some(Op::Read) => output.copy_from_slice(&self.data[start..start + output.len()]),
            Some(Op::Write) => {
                self.data[start..start + input.len() - 16].copy_from_slice(&input[16..]);
            }
            Some(Op::Flush) => self.flushes += 1,
            Some(Op::GetId) => output.copy_from_slice(SERIAL),
            Some(Op::Discard | Op::WriteZeroes) => {
                for at in (16..input.len()).step_by(16) {
                    let from = sector(at) * 512;
                    self.data[from..from + word(at + 8) as usize * 512].fill(0);
                }
            }
            None => return 2,
        }
        0
    }
}

fn gather(elems: &[Elem]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for e in elems.iter().filter(|e| !e.write) {
        let mut part = vec![0; e.len as usize];
        device_view(e.addr, part.len()).read_bytes(0, &mut part).unwrap();
        bytes.extend(part);
    }
    bytes
}

fn scatter(elems: &[Elem], mut bytes: &[u8]) {
    for e in elems.iter().filter(|e| e.write) {
        let (now, rest) = bytes.split_at(bytes.len().min(e.len as usize));
        device_view(e.addr, now.len()).write_bytes(0, now).unwrap();
        bytes = rest;
    }
}

impl Device {
    /// A block device with every feature, which works by itself.
    pub(crate) fn with_disk(disk: Disk, legacy: bool, ring_features: u64) -> Device {
        let class = feature::SIZE_MAX
            | feature::SEG_MAX
            | feature::BLK_SIZE
            | feature::FLUSH
            | feature::TOPOLOGY
            | feature::DISCARD
            | feature::WRITE_ZEROES;
        let kind = virtio_drivers::transport::DeviceType::Block;
        let mut device = Device::new(kind, legacy, class | ring_features);
        device.config = disk.config();
        device.disk = Some(disk);
        device.auto = true;
        device
    }
}
