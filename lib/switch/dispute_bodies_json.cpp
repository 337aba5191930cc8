// Requests about disputes as JSON.
#include "switch/config_reader_json.hpp"
#include "tandem/disputes.hpp"

namespace tandem {
namespace {

using namespace config;

struct Body {
  DisputeRequest request;
  std::int64_t record_id = 0;
};

const std::vector<Field<Body>>& body_fields() {
  static const std::vector<Field<Body>> fields = {
      {"record_id", "integer", "required", "Record of the call.",
       [](Reader& r, const Json& v, Body& b) { r.integer(v, 1, INT64_MAX, b.record_id); }},
      {"reason", "text", "required", "Why, or what came of it.",
       [](Reader& r, const Json& v, Body& b) {
         r.string(v, b.request.reason, dispute_text_bytes_max);
       }},
      {"author", "text", "\"\"", "Who.",
       [](Reader& r, const Json& v, Body& b) {
         r.string(v, b.request.author, dispute_text_bytes_max);
       }},
      {"day", "date", "looked up", "UTC day that the call ended on.",
       [](Reader& r, const Json& v, Body& b) { r.string(v, b.request.day, 10); }},
  };
  return fields;
}

}  // namespace

Result<DisputeRequest> parse_dispute(std::string_view json, std::uint64_t record_id) {
  auto object = parse_json(json);
  if (!object) return object.error();
  Body body;
  std::vector<ConfigError> errors;
  Reader reader("", errors, false);
  read_object(reader, *object, body_fields(), {"reason"}, body);
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
  body.request.record_id = record_id != 0 ? record_id : given;
  return std::move(body.request);
}

}  // namespace tandem
