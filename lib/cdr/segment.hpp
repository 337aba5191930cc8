// The bytes of a journal segment: header, records, and the scan that tells a torn end from damage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cdr/records.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// First bytes of each segment file. Written and flushed before the first record, never changed
/// while it is in use.
struct SegmentHeader {
  std::uint64_t serial = 0;  ///< Counts segments from 1; part of each record's check value.
  std::uint64_t previous_sequence =
      0;  ///< Last durable record of the segments before; later ones there do not count.
  std::uint64_t first_sequence = 1;  ///< Of the first record here; above previous_sequence.
  std::uint64_t in_memory_max =
      0;  ///< Most records that this writer can have given numbers and then lose.
  bool operator==(const SegmentHeader&) const = default;
};

constexpr std::uint64_t segment_header_bytes =
    512;  ///< One sector: it is written whole or not at all.
constexpr std::uint64_t record_header_bytes = 32;

std::string encode_header(const SegmentHeader& header);
/// `bytes`: at least the header. Errors: corrupt, unsupported (a later release's).
Result<SegmentHeader> decode_header(std::string_view bytes);

/// Bytes that a record takes in a segment; records lie on multiples of 8.
constexpr std::uint64_t record_bytes(std::uint64_t payload_bytes) noexcept {
  return (record_header_bytes + payload_bytes + 7U) & ~std::uint64_t{7};
}

/// `durable_sequence`: of the writer at that moment; the scan's proof that an earlier record was
/// durable.
void append_record(std::string& out, std::uint64_t serial, std::uint64_t sequence,
                   std::uint64_t durable_sequence, RecordType type, std::string_view payload);

/// A record in the bytes of a segment.
struct ScannedRecord {
  std::uint64_t sequence = 0;
  std::uint64_t durable_sequence = 0;
  RecordType type = RecordType::empty;
  std::string_view payload;
  std::uint64_t bytes =
      0;  ///< Whole record with padding; 0: none with a good check value begins here.
};

/// The record that begins at `bytes`, when it is whole and its check value is right for `serial`.
ScannedRecord scan_record(std::string_view bytes, std::uint64_t serial) noexcept;
/// Whole bytes of the record that seems to begin here, by its length field; 0: none does, or the
/// header is not whole.
std::uint64_t claimed_record_bytes(std::string_view bytes) noexcept;

/// What lies behind the first place where no good record with the expected number begins.
struct TornEnd {
  std::uint64_t later_records = 0;     ///< Good records of this segment with higher numbers.
  std::uint64_t durable_sequence = 0;  ///< Highest that one of them claims durable.
  std::uint64_t later_offset = 0;      ///< Of the record that claims it.
};
/// `bytes`: the segment from `offset` (a multiple of 8) on. `next_sequence`: the one that was
/// expected there.
TornEnd examine_end(std::string_view bytes, std::uint64_t offset, std::uint64_t serial,
                    std::uint64_t next_sequence) noexcept;

}  // namespace tandem::cdr
