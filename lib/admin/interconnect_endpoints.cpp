#include "admin/interconnect_endpoints.hpp"

#include "admin/answers.hpp"
#include "admin/endpoints.hpp"
#include "admin/query.hpp"

namespace tandem::admin {
namespace {

/// `gateway`, `side`, `since`, `until`. False: `complaint` says why.
bool read_query(const http::Request& request, InterconnectQuery& query, Complaint& complaint) {
  struct {
    std::optional<std::int64_t> since_us, until_us;
  } period;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (read_period(key, value, period, wrong)) return true;
        if (key == "gateway") {
          query.gateway = value;
        } else if (key == "side") {
          query.is_vendor = value == "vendor";
          if (!query.is_vendor && value != "customer")
            wrong = "\"" + value + "\" is neither customer nor vendor";
        } else {
          return false;
        }
        return true;
      });
  if (!is_read) return false;
  for (const auto& [key, is_there] : {std::pair("gateway", !query.gateway.empty()),
                                      std::pair("since", period.since_us.has_value()),
                                      std::pair("until", period.until_us.has_value())}) {
    if (is_there) continue;
    complaint = {400, "invalid_argument", std::string("missing parameter \"") + key + "\"",
                 std::string("/") + key};
    return false;
  }
  query.since_us = *period.since_us;
  query.until_us = *period.until_us;
  return true;
}

}  // namespace

std::optional<http::Response> answer_interconnect(const Switch& served,
                                                  const http::Request& request) {
  const auto& path = request.path;
  if (path.size() != 4 || path[2] != "interconnect") return std::nullopt;
  const bool is_totals = path[3] == "totals";
  if (!is_totals && path[3] != "checks") return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") return only(request, "GET, HEAD");
  Complaint complaint;
  if (!is_totals) {
    if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
      return refused(complaint);
    return json_answer(200, json_array(served.peer_checks()));
  }
  InterconnectQuery query;
  if (!read_query(request, query, complaint)) return refused(complaint);
  const auto totals = served.interconnect_totals(query);
  return totals ? json_answer(200, to_json(*totals)) : refused(totals.error());
}

}  // namespace tandem::admin
