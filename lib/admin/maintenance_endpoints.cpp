#include "admin/maintenance_endpoints.hpp"

#include <string>

#include "admin/answers.hpp"
#include "admin/endpoints.hpp"
#include "admin/query.hpp"

namespace tandem::admin {
namespace {

/// What it does, and the days: `{"state": {…}, "days": […]}`.
http::Response status(const Switch& served) {
  const auto days = served.stored_days();
  if (!days) return refused(days.error());
  return json_answer(
      200, "{\"state\":" + to_json(served.maintenance()) + ",\"days\":" + json_array(*days) + "}");
}

/// 202 with the state: it goes on after the answer, because this thread answers all requests.
http::Response start(Switch& served, const std::string& name, const std::string& day) {
  const auto act = maintenance_act_from_name(name);
  if (!act || (*act == MaintenanceAct::run) != day.empty())
    return no_such_thing("no maintenance \"" + name + "\"");
  if (auto started = served.start_maintenance(*act, day); !started) return refused(started.error());
  http::Response response = json_answer(202, to_json(served.maintenance()));
  response.headers.emplace_back("Location", "/api/v1/maintenance");
  return response;
}

/// GET /api/v1/maintenance/acts: what was done, deletions above all.
http::Response acts(const Switch& served, const http::Request& request) {
  MaintenanceNoteQuery query;
  Complaint complaint;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (read_period(key, value, query, wrong)) return true;
        if (key == "act" || key == "day") {
          (key == "act" ? query.act : query.day) = value;
          return true;
        }
        if (key != "limit") return false;
        std::uint64_t number = 0;
        if (!read_number(value, 1, Endpoints::rows_max, number))
          wrong = "\"" + value + "\" is not in 1..10000";
        query.limit = static_cast<std::size_t>(number);
        return true;
      });
  if (!is_read) return refused(complaint);
  const auto notes = served.maintenance_notes(query);
  return notes ? json_answer(200, json_array(*notes)) : refused(notes.error());
}

}  // namespace

std::optional<http::Response> answer_maintenance(Switch& served, const http::Request& request) {
  const auto& path = request.path;
  if (path.size() < 3 || path.size() > 5 || path[2] != "maintenance") return std::nullopt;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 4 && path[3] == "acts")
    return is_get ? acts(served, request) : only(request, "GET, HEAD");
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  if (path.size() == 3) return is_get ? status(served) : only(request, "GET, HEAD");
  if (request.method != "POST") return only(request, "POST");
  return path.size() == 4 ? start(served, path[3], "") : start(served, path[4], path[3]);
}

}  // namespace tandem::admin
