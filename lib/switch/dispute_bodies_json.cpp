// Requests about disputes as JSON.
#include "switch/record_request_json.hpp"
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
  Body body;
  const auto record = read_record_request(json, record_id, body_fields(), body);
  if (!record) return record.error();
  body.request.record_id = *record;
  return std::move(body.request);
}

}  // namespace tandem
