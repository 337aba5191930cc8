// Bytes of a journal segment and of its payloads: the scan and the decoders end, stay inside, and
// agree with the writer.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cdr/cdr_codec.hpp"
#include "cdr/records.hpp"
#include "cdr/segment.hpp"

using namespace tandem::cdr;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = decode_header(bytes);
  const std::uint64_t serial = header ? header->serial : 1;
  if (header && decode_header(encode_header(*header)).value() != *header) std::abort();

  std::uint64_t at = header ? segment_header_bytes : 0;
  while (at < size) {
    const ScannedRecord record = scan_record(bytes.substr(at), serial);
    if (record.bytes == 0) break;
    if (record.bytes > size - at || record.payload.size() > record.bytes) std::abort();
    (void)decode_answer(record.payload);
    (void)decode_mark(record.payload);
    (void)decode_end(record.payload, record.sequence);
    (void)decode_payment(record.payload);
    at += record.bytes;
  }
  if (at < size) (void)examine_end(bytes.substr(at), at, serial, 1);

  // What one decoder takes is written and read back the same.
  if (const auto end = decode_end(bytes, 1)) {
    if (decode_end(encode(*end), 1).value() != *end) std::abort();
  }
  if (const auto answer = decode_answer(bytes)) {
    if (decode_answer(encode(*answer)).value() != *answer) std::abort();
  }
  if (const auto payment = decode_payment(bytes)) {
    if (decode_payment(encode(*payment)).value() != *payment) std::abort();
  }
  if (const auto correction = decode_correction(bytes, 1)) {
    if (decode_correction(encode(*correction), 1).value() != *correction) std::abort();
  }
  (void)decode_mark(bytes);

  // A record made of the input is found again.
  std::string made;
  append_record(made, serial, 7, 6, RecordType::end, bytes);
  const ScannedRecord found = scan_record(made, serial);
  if (found.bytes != made.size() || found.payload != bytes || found.sequence != 7) std::abort();
  return 0;
}
