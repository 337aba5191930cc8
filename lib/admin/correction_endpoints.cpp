#include "admin/correction_endpoints.hpp"

#include "admin/answers.hpp"
#include "admin/endpoints.hpp"
#include "admin/query.hpp"
#include "admin/report_endpoints.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

/// GET /api/v1/corrections.
http::Response list(const Switch& served, const http::Request& request) {
  CorrectionQuery query;
  Complaint complaint;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (read_period(key, value, query, wrong)) return true;
        std::uint64_t number = 0;
        if (key == "account") {
          query.account = value;
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
  const auto found = served.corrections(query);
  return found ? json_answer(200, json_array(*found)) : refused(found.error());
}

/// POST /api/v1/cdrs/ID/corrections.
http::Response correct(Switch& served, const http::Request& request) {
  const auto record_id = parse_integer<std::uint64_t>(request.path[3]);
  if (!record_id || *record_id == 0 || *record_id > INT64_MAX)
    return no_such_thing("no record \"" + request.path[3] + "\"");
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  const auto asked = parse_correction(request.body, *record_id);
  if (!asked) return refused_body(asked.error());
  const auto made = served.correct(*asked);
  if (!made) return refused(made.error());
  http::Response response = json_answer(asked->is_dry_run ? 200 : 201, to_json(*made));
  if (made->is_repeated) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

/// POST /api/v1/cdrs (B-26).
http::Response record(Switch& served, const http::Request& request) {
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  const auto call = parse_external_call(request.body);
  if (!call) return refused_body(call.error());
  const auto answer = served.record_call(*call);
  if (!answer) return refused(answer.error());
  const bool is_new = !call->is_dry_run && !answer->is_repeated;
  return json_answer(is_new ? 201 : 200, to_json(*answer));
}

/// What is known of a job that was begun, with 202 while it runs.
http::Response job_answer(const Switch& served, std::uint64_t id) {
  const auto job = served.rerate_job(id);
  if (!job) return refused(job.error());
  http::Response response =
      json_answer(job->state == RerateJob::State::running ? 202 : 200, to_json(*job));
  response.headers.emplace_back("Location", "/api/v1/rerate-jobs/" + std::to_string(id));
  return response;
}

/// POST /api/v1/reports/rerate: the query of the report; the body says why, and whether it is
/// meant. A job, because this thread answers all requests.
http::Response start_rerate(Switch& served, const http::Request& request) {
  RerateQuery query;
  RerateApplication application;
  Complaint complaint;
  if (!read_rerate_query(request, query, complaint) ||
      !read_rerate_application(request.body, application, complaint))
    return refused(complaint);
  const auto id = served.start_rerate(query, application);
  return id ? job_answer(served, *id) : refused(id.error());
}

/// GET and DELETE of /api/v1/rerate-jobs/ID.
http::Response answer_job(Switch& served, const http::Request& request) {
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (!is_get && request.method != "DELETE") return only(request, "GET, HEAD, DELETE");
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  const auto id = parse_integer<std::uint64_t>(request.path[3]);
  if (!id) return no_such_thing("no re-rating \"" + request.path[3] + "\"");
  if (!is_get) {
    if (auto cancelled = served.cancel_rerate(*id); !cancelled) return refused(cancelled.error());
  }
  return job_answer(served, *id);
}

}  // namespace

std::optional<http::Response> answer_correction(Switch& served, const http::Request& request) {
  const auto& path = request.path;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 3 && path[2] == "corrections")
    return is_get ? list(served, request) : only(request, "GET, HEAD");
  if (path.size() == 3 && path[2] == "cdrs" && request.method == "POST")
    return record(served, request);
  if (path.size() == 5 && path[2] == "cdrs" && path[4] == "corrections")
    return request.method == "POST" ? correct(served, request) : only(request, "POST");
  if (path.size() == 4 && path[2] == "reports" && path[3] == "rerate" && request.method == "POST")
    return start_rerate(served, request);
  if (path.size() == 4 && path[2] == "rerate-jobs") return answer_job(served, request);
  return std::nullopt;
}

}  // namespace tandem::admin
