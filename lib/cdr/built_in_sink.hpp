// The sinks of the library: exactly once under a journal, and usable alone as a CdrSink.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cdr/records.hpp"
#include "cdr/sink_runner.hpp"

namespace tandem::cdr {

/// Collects for write_batch() what a host hands to write(). Under a journal only the SinkTarget
/// side is used.
class BuiltInSink : public CdrSink, public SinkTarget {
 public:
  /// Errors: invalid_argument (`record_id` 0), limit (100,000 records collected without flush()).
  Result<void> write(const Cdr& cdr) final;
  Result<void> flush() final;

 private:
  static constexpr std::size_t collected_max = 100'000;
  std::vector<std::pair<std::uint64_t, std::string>>
      collected_;  // record_id, payload of an end record
};

}  // namespace tandem::cdr
