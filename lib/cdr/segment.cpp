#include "cdr/segment.hpp"

#include "base/crc32c.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view magic = "TANDEMJ\n";
constexpr std::uint32_t header_version = 1;
constexpr std::size_t header_used_bytes = 56;

template <class Integer>
void put(std::string& out, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
}

template <class Integer>
Integer take(std::string_view bytes, std::size_t offset) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  }
  return static_cast<Integer>(value);
}

/// Everything but the check value itself, begun with the serial: a record left over in a recycled
/// file is never good.
std::uint32_t check_value(std::uint64_t serial, std::string_view record) noexcept {
  char seed[8];
  for (std::size_t i = 0; i < 8; ++i)
    seed[i] = static_cast<char>(serial >> (8 * i));
  std::uint32_t crc = crc32c(seed, sizeof seed);
  crc = crc32c(record.data(), 4, crc);
  return crc32c(record.data() + 8, record.size() - 8, crc);
}

}  // namespace

std::string encode_header(const SegmentHeader& header) {
  std::string out(magic);
  put(out, header_version);
  put(out, std::uint32_t{0});
  put(out, header.serial);
  put(out, header.previous_sequence);
  put(out, header.first_sequence);
  put(out, header.in_memory_max);
  put(out, std::uint32_t{0});
  put(out, crc32c(out.data(), out.size()));
  out.resize(segment_header_bytes, '\0');
  return out;
}

Result<SegmentHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < segment_header_bytes || bytes.substr(0, magic.size()) != magic) {
    return Error{ErrorCode::corrupt, "a segment header was not found"};
  }
  if (take<std::uint32_t>(bytes, header_used_bytes - 4) !=
      crc32c(bytes.data(), header_used_bytes - 4)) {
    return Error{ErrorCode::corrupt, "a segment header had a wrong check value"};
  }
  const auto version = take<std::uint32_t>(bytes, 8);
  if (version != header_version) {
    return Error{ErrorCode::unsupported,
                 "a segment had format " + std::to_string(version) + ", this release reads 1"};
  }
  SegmentHeader header;
  header.serial = take<std::uint64_t>(bytes, 16);
  header.previous_sequence = take<std::uint64_t>(bytes, 24);
  header.first_sequence = take<std::uint64_t>(bytes, 32);
  header.in_memory_max = take<std::uint64_t>(bytes, 40);
  if (header.serial == 0 || header.first_sequence <= header.previous_sequence) {
    return Error{ErrorCode::corrupt, "a segment header had impossible numbers"};
  }
  return header;
}

void append_record(std::string& out, std::uint64_t serial, std::uint64_t sequence,
                   std::uint64_t durable_sequence, RecordType type, std::string_view payload) {
  const std::size_t start = out.size();
  put(out, static_cast<std::uint32_t>(payload.size()));
  put(out, std::uint32_t{0});
  put(out, sequence);
  put(out, durable_sequence);
  put(out, static_cast<std::uint16_t>(type));
  out.append(6, '\0');
  out.append(payload);
  const std::uint32_t crc = check_value(serial, std::string_view(out).substr(start));
  for (std::size_t i = 0; i < 4; ++i)
    out[start + 4 + i] = static_cast<char>(crc >> (8 * i));
  out.resize(start + static_cast<std::size_t>(record_bytes(payload.size())), '\0');
}

std::uint64_t claimed_record_bytes(std::string_view bytes) noexcept {
  if (bytes.size() < record_header_bytes) return 0;
  for (std::size_t i = 26; i < record_header_bytes; ++i) {
    if (bytes[i] != 0) return 0;
  }
  if (take<std::uint64_t>(bytes, 8) == 0) return 0;
  return record_bytes(take<std::uint32_t>(bytes, 0));
}

ScannedRecord scan_record(std::string_view bytes, std::uint64_t serial) noexcept {
  ScannedRecord record;
  const std::uint64_t whole = claimed_record_bytes(bytes);
  if (whole == 0 || whole > bytes.size()) return record;
  const auto length = take<std::uint32_t>(bytes, 0);
  const std::string_view used = bytes.substr(0, record_header_bytes + length);
  if (take<std::uint32_t>(bytes, 4) != check_value(serial, used)) return record;
  record.sequence = take<std::uint64_t>(bytes, 8);
  record.durable_sequence = take<std::uint64_t>(bytes, 16);
  record.type = static_cast<RecordType>(take<std::uint16_t>(bytes, 24));
  record.payload = used.substr(record_header_bytes);
  record.bytes = whole;
  return record;
}

TornEnd examine_end(std::string_view bytes, std::uint64_t offset, std::uint64_t serial,
                    std::uint64_t next_sequence) noexcept {
  TornEnd end;
  // A record takes record_header_bytes at least, which bounds the numbers that can follow here and
  // keeps the check value from being computed at every place that is not a record.
  const std::uint64_t highest = next_sequence + bytes.size() / record_header_bytes;
  for (std::uint64_t at = 0; at + record_header_bytes <= bytes.size();) {
    const std::string_view rest = bytes.substr(static_cast<std::size_t>(at));
    const auto sequence = take<std::uint64_t>(rest, 8);
    if (sequence <= next_sequence || sequence > highest) {
      at += 8;
      continue;
    }
    const ScannedRecord record = scan_record(rest, serial);
    if (record.bytes == 0) {
      at += 8;
      continue;
    }
    ++end.later_records;
    if (record.durable_sequence > end.durable_sequence) {
      end.durable_sequence = record.durable_sequence;
      end.later_offset = offset + at;
    }
    at += record.bytes;
  }
  return end;
}

}  // namespace tandem::cdr
