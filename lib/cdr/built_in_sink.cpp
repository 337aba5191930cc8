#include "cdr/built_in_sink.hpp"

namespace tandem {
CdrSink::~CdrSink() = default;
}  // namespace tandem

namespace tandem::cdr {

Result<void> BuiltInSink::write(const Cdr& cdr) {
  if (cdr.record_id == 0) return Error{ErrorCode::invalid_argument, "a record had record_id 0"};
  if (collected_.size() >= collected_max) {
    return Error{ErrorCode::limit, std::to_string(collected_max) + " records waited for flush()"};
  }
  collected_.emplace_back(cdr.record_id, encode(EndRecord{0, cdr}));
  return {};
}

Result<void> BuiltInSink::flush() {
  Result<std::uint64_t> place = position();
  if (!place) return std::move(place).error();
  std::vector<RecordView> views;
  std::uint64_t through = *place;
  for (const auto& [record_id, payload] : collected_) {
    if (record_id <= through) continue;
    through = record_id;
    views.push_back(RecordView{record_id, RecordType::end, payload});
  }
  if (!views.empty()) {
    if (auto done = write_batch(views, through); !done) return done;
  }
  collected_.clear();
  return {};
}

}  // namespace tandem::cdr
