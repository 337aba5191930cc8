// Requests about one record, as JSON.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "switch/config_reader_json.hpp"

namespace tandem::config {

/// Reads `json` by `fields` into `body`, whose `record_id` and "reason" are among them, and says
/// which record it is about: that of the path or, where `record_id` is 0, of the body; both must
/// agree.
template <class Body>
Result<std::uint64_t> read_record_request(std::string_view json, std::uint64_t record_id,
                                          const std::vector<Field<Body>>& fields, Body& body) {
  auto object = parse_json(json);
  if (!object) return object.error();
  std::vector<ConfigError> errors;
  Reader reader("", errors, false);
  read_object(reader, *object, fields, {"reason"}, body);
  const auto given = static_cast<std::uint64_t>(body.record_id);
  if (errors.empty() && given != 0 && record_id != 0 && given != record_id) {
    const Reader::Step step(reader, "record_id");
    reader.fail(std::to_string(given) + " is not record " + std::to_string(record_id));
  }
  if (!errors.empty()) {
    const std::string& pointer = errors.front().pointer;
    return Error{ErrorCode::invalid_argument,
                 (pointer.empty() ? "" : pointer + ": ") + errors.front().message};
  }
  return record_id != 0 ? record_id : given;
}

}  // namespace tandem::config
