// Requests for corrections as JSON, and what a re-rating did.
#include "switch/record_request_json.hpp"
#include "tandem/corrections.hpp"
#include "tandem/rerate_job.hpp"

namespace tandem {
namespace {

using namespace config;

struct Body {
  CorrectionRequest request;
  std::int64_t record_id = 0;
};

const std::vector<Field<SideChange>>& side_fields() {
  static const std::vector<Field<SideChange>> fields = {
      {"charge", "decimal >= 0", "as now", "What the side is charged.",
       [](Reader& r, const Json& v, SideChange& s) { r.amount(v, s.charge.emplace()); }},
      {"billed_time_s", "integer", "as now", "For so many seconds.",
       [](Reader& r, const Json& v, SideChange& s) {
         r.integer(v, 0, rated_time_max_s, s.billed_time_s.emplace());
       }},
      {"rate_deck", "id", "none", "Deck that rates it anew.",
       [](Reader& r, const Json& v, SideChange& s) { r.string(v, s.rate_deck, 64); }},
  };
  return fields;
}

template <CallSide Side>
void read_side(Reader& r, const Json& v, Body& body) {
  read_object(r, v, side_fields(), {}, body.request.sides[Side]);
}

const std::vector<Field<Body>>& body_fields() {
  static const std::vector<Field<Body>> fields = {
      {"record_id", "integer", "required", "Record of the call.",
       [](Reader& r, const Json& v, Body& b) { r.integer(v, 1, INT64_MAX, b.record_id); }},
      {"customer", "object", "none", "Side of the customer.", read_side<CallSide::customer>},
      {"vendor", "object", "none", "Side of the vendor.", read_side<CallSide::vendor>},
      {"agent", "object", "none", "Side of the agent.", read_side<CallSide::agent>},
      {"reason", "text", "required", "Why.",
       [](Reader& r, const Json& v, Body& b) {
         r.string(v, b.request.reason, correction_text_bytes_max);
       }},
      {"author", "text", "\"\"", "Who.",
       [](Reader& r, const Json& v, Body& b) {
         r.string(v, b.request.author, correction_text_bytes_max);
       }},
      {"id", "text", "\"\"", "Key that makes a repetition known.",
       [](Reader& r, const Json& v, Body& b) {
         r.string(v, b.request.idempotency_key, idempotency_key_bytes_max);
       }},
      {"dry_run", "boolean", "false", "Answers what it would do.",
       [](Reader& r, const Json& v, Body& b) { r.boolean(v, b.request.is_dry_run); }},
  };
  return fields;
}

}  // namespace

Result<CorrectionRequest> parse_correction(std::string_view json, std::uint64_t record_id) {
  Body body;
  const auto record = read_record_request(json, record_id, body_fields(), body);
  if (!record) return record.error();
  body.request.record_id = *record;
  if (auto checked = check_correction(body.request); !checked) return checked.error();
  return std::move(body.request);
}

std::string to_json(const AppliedRerate& applied) {
  Json json = json_or_null(to_json(applied.rerater));
  json["dry_run"] = applied.is_dry_run;
  json["corrected"] = applied.corrected;
  json["refused"] = applied.refused;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const RerateJob& job) {
  const Json json = {{"id", job.id},
                     {"state", rerate_state_name(job.state)},
                     {"deck", job.deck},
                     {"dry_run", job.is_dry_run},
                     {"started_at_us", job.started_at_us},
                     {"ended_at_us", job.ended_at_us},
                     {"looked_at", job.looked_at},
                     {"corrected", job.corrected},
                     {"refused", job.refused},
                     {"failure", job.failure},
                     {"result", json_or_null(job.result)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
