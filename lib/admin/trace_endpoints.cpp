#include "admin/trace_endpoints.hpp"

#include <string>

#include "admin/answers.hpp"
#include "admin/query.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

/// The place that a message begins with: "/bytes: ...".
http::Response refused_request(const Error& error) {
  const std::string& message = error.message;
  const std::size_t end = message.starts_with('/') ? message.find(": ") : std::string::npos;
  return refused(error, end == std::string::npos ? "" : message.substr(0, end));
}

http::Response start(Switch& served, const http::Request& request) {
  const auto wanted = read_trace_request(request.body.empty() ? "{}" : request.body);
  if (!wanted) return refused_request(wanted.error());
  const auto started = served.start_trace(*wanted);
  if (!started) return refused_request(started.error());
  http::Response response = json_answer(201, to_json(*started));
  response.headers.emplace_back("Location", "/api/v1/traces/" + std::to_string(started->id));
  return response;
}

http::Response call(const Switch& served, std::uint64_t trace, std::uint64_t id,
                    const std::string& format) {
  const auto traced = served.traced_call(trace, id);
  if (!traced) return refused(traced.error());
  auto text = format_traced_call(*traced, format);
  if (!text) return refused(text.error(), "/format");
  if (format == "json") return json_answer(200, std::move(*text));
  if (format != "pcap") return {200, "text/plain; charset=utf-8", std::move(*text), {}};
  http::Response response{200, "application/vnd.tcpdump.pcap", std::move(*text), {}};
  response.headers.emplace_back("Content-Disposition",
                                "attachment; filename=\"call-" + std::to_string(id) + ".pcap\"");
  return response;
}

http::Response one(Switch& served, const http::Request& request, std::uint64_t id) {
  if (request.method == "DELETE") {
    if (auto removed = served.remove_trace(id); !removed) return refused(removed.error());
    return {204, "", "", {}};
  }
  if (request.method != "GET" && request.method != "HEAD")
    return only(request, "GET, HEAD, DELETE");
  const auto view = served.trace(id);
  return view ? json_answer(200, to_json(*view)) : refused(view.error());
}

}  // namespace

std::optional<http::Response> answer_trace(Switch& served, const http::Request& request) {
  const auto& path = request.path;
  if (path.size() < 3 || path.size() > 6 || path[2] != "traces") return std::nullopt;
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  const bool has_format = path.size() == 6;
  std::string format = "ladder";
  Complaint complaint;
  if (!read_parameters(request, complaint, [&](const auto& key, const auto& value, auto&) {
        if (!has_format || key != "format") return false;
        format = value;
        return true;
      })) {
    return refused(complaint);
  }
  if (path.size() == 3) {
    if (request.method == "POST") return start(served, request);
    return is_get ? json_answer(200, json_array(served.traces()))
                  : only(request, "GET, HEAD, POST");
  }
  const auto id = parse_integer<std::uint64_t>(path[3]);
  if (!id) return no_such_thing("no trace \"" + path[3] + "\"");
  if (path.size() == 4) return one(served, request, *id);
  if (path.size() == 5 && path[4] == "stop") {
    if (request.method != "POST") return only(request, "POST");
    const auto stopped = served.stop_trace(*id);
    return stopped ? json_answer(200, to_json(*stopped)) : refused(stopped.error());
  }
  if (path[4] != "calls") return no_such_thing("no such resource");
  if (!is_get) return only(request, "GET, HEAD");
  if (path.size() == 5) {
    const auto calls = served.traced_calls(*id);
    return calls ? json_answer(200, json_array(*calls)) : refused(calls.error());
  }
  const auto number = parse_integer<std::uint64_t>(path[5]);
  if (!number) return no_such_thing("no call \"" + path[5] + "\"");
  return call(served, *id, *number, format);
}

}  // namespace tandem::admin
