#include "admin/dispute_endpoints.hpp"

#include "admin/answers.hpp"
#include "admin/endpoints.hpp"
#include "admin/query.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

/// GET /api/v1/disputes.
http::Response list(const Switch& served, const http::Request& request) {
  DisputeQuery query;
  Complaint complaint;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        std::uint64_t number = 0;
        if (key == "day") {
          query.day = value;
        } else if (key == "open") {
          if (value != "yes" && value != "no") wrong = "\"" + value + "\" is neither yes nor no";
          query.is_open = value == "yes";
        } else if (key == "limit") {
          if (!read_number(value, 1, Endpoints::rows_max, number))
            wrong = "\"" + value + "\" is not in 1..10000";
          query.limit = static_cast<std::size_t>(number);
        } else if (key == "record" || key == "before") {
          if (!read_number(value, 1, INT64_MAX, number)) wrong = "\"" + value + "\" is no id";
          if (key == "record") query.record_id = number;
          if (key == "before") query.before_id = number;
        } else {
          return false;
        }
        return true;
      });
  if (!is_read) return refused(complaint);
  const auto found = served.disputes(query);
  return found ? json_answer(200, json_array(*found)) : refused(found.error());
}

/// POST /api/v1/cdrs/ID/dispute and, when `is_over`, /api/v1/cdrs/ID/resolution.
http::Response change(Switch& served, const http::Request& request, bool is_over) {
  if (request.method != "POST") return only(request, "POST");
  const auto record_id = parse_integer<std::uint64_t>(request.path[3]);
  if (!record_id || *record_id == 0 || *record_id > INT64_MAX)
    return no_such_thing("no record \"" + request.path[3] + "\"");
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  const auto asked = parse_dispute(request.body, *record_id);
  if (!asked) return refused_body(asked.error());
  const auto made = is_over ? served.resolve_dispute(*asked) : served.dispute_record(*asked);
  return made ? json_answer(is_over ? 200 : 201, to_json(*made)) : refused(made.error());
}

}  // namespace

std::optional<http::Response> answer_dispute(Switch& served, const http::Request& request) {
  const auto& path = request.path;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 3 && path[2] == "disputes")
    return is_get ? list(served, request) : only(request, "GET, HEAD");
  if (path.size() == 5 && path[2] == "cdrs" && (path[4] == "dispute" || path[4] == "resolution"))
    return change(served, request, path[4] == "resolution");
  return std::nullopt;
}

}  // namespace tandem::admin
