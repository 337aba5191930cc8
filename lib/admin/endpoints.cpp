#include "admin/endpoints.hpp"

#include <set>

#include "admin/metrics.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

HttpResponse json(int status, std::string body) {
  body += '\n';
  return {status, "application/json", std::move(body), {}};
}

HttpResponse refused(const Complaint& complaint) {
  return json(complaint.status, to_json(complaint));
}

HttpResponse refused(const Error& error, std::string pointer = {}) {
  Complaint complaint{500, error_code_name(error.code), error.message, std::move(pointer)};
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::limit:
      complaint.status = 400;
      break;
    case ErrorCode::not_found:
      complaint.status = 404;
      break;
    case ErrorCode::wrong_state:
      complaint.status = 409;
      break;
    case ErrorCode::unsupported:
      complaint.status = 501;
      break;
    case ErrorCode::io:
    case ErrorCode::timeout:
      complaint.status = 503;
      break;
    default:
      break;
  }
  return refused(complaint);
}

HttpResponse no_such_thing(const std::string& what) {
  return refused(Complaint{404, "not_found", what, ""});
}

template <class List>
std::string json_array(const List& list) {
  std::string text = "[";
  for (const auto& item : list) {
    if (text.size() > 1) text += ',';
    text += to_json(item);
  }
  return text + "]";
}

/// Takes the same time wherever two texts of one length differ.
bool same_secret(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

/// Whether a Host header names this machine by address: then no page of a foreign site can have led
/// a browser here under the foreign site's name.
bool is_address_or_localhost(std::string_view host) noexcept {
  if (SocketAddress::parse(host, 80)) return true;
  host = host.substr(0, host.find(':'));
  return equals_ignoring_case(host, "localhost");
}

bool read_number(const std::string& text, std::uint64_t low, std::uint64_t high,
                 std::uint64_t& out) {
  const auto number = parse_integer<std::uint64_t>(text);
  if (!number || *number < low || *number > high) return false;
  out = *number;
  return true;
}

/// The filters of the `cdr` command and `before`. False: `complaint` says why.
bool read_cdr_query(const HttpRequest& request, CdrQuery& query, Complaint& complaint) {
  std::set<std::string> seen;
  for (const auto& [key, value] : request.query) {
    const auto fail = [&, name = key](std::string message) {
      complaint = {400, "invalid_argument", std::move(message), "/" + name};
      return false;
    };
    if (!seen.insert(key).second) return fail("parameter was given twice");
    if (key == "since" || key == "until") {
      auto time = parse_time_us(value);
      if (!time) return fail(time.error().message);
      (key == "since" ? query.since_us : query.until_us) = *time;
    } else if (key == "caller") {
      query.caller = value;
    } else if (key == "callee") {
      query.callee = value;
    } else if (key == "reason") {
      if (!value.empty() && !reason_from_name(value)) return fail("no reason \"" + value + "\"");
      query.reason = value;
    } else if (key == "limit") {
      std::uint64_t limit = 0;
      if (!read_number(value, 1, Endpoints::cdrs_max, limit))
        return fail("\"" + value + "\" is not in 1..10000");
      query.limit = static_cast<std::size_t>(limit);
    } else if (key == "before") {
      std::uint64_t id = 0;
      if (!read_number(value, 0, UINT64_MAX, id)) return fail("\"" + value + "\" is no record id");
      query.before_record_id = id;
    } else {
      return fail("unknown parameter \"" + key + "\"");
    }
  }
  return true;
}

}  // namespace

HttpResponse Endpoints::answer(const HttpRequest& request, const HttpServerCounters& http) {
  HttpResponse refusal;
  if (!admits(request, refusal)) return refusal;
  return route(request, http);
}

bool Endpoints::admits(const HttpRequest& request, HttpResponse& refusal) const {
  const std::string* const host = request.header("host");
  const std::string* const origin = request.header("origin");
  if (origin != nullptr &&
      (host == nullptr || (*origin != "http://" + *host && *origin != "https://" + *host))) {
    refusal = refused(Complaint{403, "forbidden", "request came from a page of another site", ""});
    return false;
  }
  if (token_.empty()) {
    if (host == nullptr || is_address_or_localhost(*host)) return true;
    refusal = refused(Complaint{403, "forbidden",
                                "without a token the Host must be an address or localhost", ""});
    return false;
  }
  if (request.path.size() == 1 && request.path[0] == "healthz") return true;
  const std::string* const credentials = request.header("authorization");
  if (credentials != nullptr && credentials->size() > 7 &&
      equals_ignoring_case(std::string_view(*credentials).substr(0, 7), "Bearer ") &&
      same_secret(trimmed(std::string_view(*credentials).substr(7)), token_)) {
    return true;
  }
  refusal = refused(Complaint{401, "unauthorized", "a bearer token is required", ""});
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  return false;
}

HttpResponse Endpoints::route(const HttpRequest& request, const HttpServerCounters& http) {
  const auto& path = request.path;
  const std::string& method = request.method;
  const bool is_get = method == "GET" || method == "HEAD";
  const auto only = [&](const char* allowed) {
    HttpResponse response =
        refused(Complaint{405, "unsupported", "method " + method + " is not possible here", ""});
    response.headers.emplace_back("Allow", allowed);
    return response;
  };
  if (path.size() == 1 && path[0] == "healthz") return is_get ? health() : only("GET, HEAD");
  if (path.size() == 1 && path[0] == "metrics") {
    if (!is_get) return only("GET, HEAD");
    return {200,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics_text(switch_.counters(), switch_.gateways(), http),
            {}};
  }
  if (path.size() < 3 || path[0] != "api" || path[1] != "v1")
    return no_such_thing("no such resource");
  const std::string& kind = path[2];
  if (path.size() == 3) {
    if (kind == "calls") return is_get ? calls() : only("GET, HEAD");
    if (kind == "gateways") return is_get ? gateways() : only("GET, HEAD");
    if (kind == "accounts") return is_get ? accounts() : only("GET, HEAD");
    if (kind == "cdrs") return is_get ? cdrs(request) : only("GET, HEAD");
    if (kind == "explain") return method == "POST" ? explain(request) : only("POST");
  } else if (path.size() == 4) {
    if (kind == "calls") return method == "DELETE" ? disconnect(path[3]) : only("DELETE");
    if (kind == "accounts") return is_get ? account(path[3]) : only("GET, HEAD");
  } else if (path.size() == 5 && kind == "accounts" && path[4] == "payments") {
    return method == "POST" ? pay(path[3], request) : only("POST");
  }
  return no_such_thing("no such resource");
}

HttpResponse Endpoints::health() const {
  const SwitchCounters counters = switch_.counters();
  if (!counters.journal_writable) return json(503, health_json("journal"));
  if (counters.is_draining) return json(503, health_json("draining"));
  return json(200, health_json("ok"));
}

HttpResponse Endpoints::calls() const { return json(200, json_array(switch_.calls())); }

HttpResponse Endpoints::disconnect(const std::string& id) {
  const auto number = parse_integer<std::uint64_t>(id);
  if (!number) return no_such_thing("no call \"" + id + "\"");
  if (auto done = switch_.disconnect(*number); !done) return refused(done.error());
  return {204, "", "", {}};
}

HttpResponse Endpoints::gateways() const { return json(200, json_array(switch_.gateways())); }

HttpResponse Endpoints::accounts() const { return json(200, json_array(switch_.accounts())); }

HttpResponse Endpoints::account(const std::string& id) const {
  const auto account = switch_.account(id);
  if (!account) return no_such_thing("no account \"" + id + "\"");
  return json(200, to_json(*account));
}

HttpResponse Endpoints::pay(const std::string& id, const HttpRequest& request) {
  if (!switch_.account(id)) return no_such_thing("no account \"" + id + "\"");
  PaymentBody payment;
  Complaint complaint;
  if (!read_payment(request.body, payment, complaint)) return refused(complaint);
  auto balance = switch_.pay(id, payment.amount, payment.memo);
  if (!balance) {
    const ErrorCode code = balance.error().code;
    const bool is_about_amount = code == ErrorCode::invalid_argument || code == ErrorCode::limit;
    return refused(balance.error(), is_about_amount ? "/amount" : "");
  }
  return json(201, payment_json(id, payment.amount, *balance, payment.memo));
}

HttpResponse Endpoints::cdrs(const HttpRequest& request) const {
  CdrQuery query;
  Complaint complaint;
  if (!read_cdr_query(request, query, complaint)) return refused(complaint);
  const auto records = switch_.cdrs(query);
  if (!records) return refused(records.error());
  return json(200, json_array(*records));
}

HttpResponse Endpoints::explain(const HttpRequest& request) const {
  ExplainRequest question;
  Complaint complaint;
  if (!read_explain(request.body, question, complaint)) return refused(complaint);
  auto answer = switch_.explain(question);
  if (!answer)
    return refused(answer.error(), answer.error().code == ErrorCode::not_found ? "/from" : "");
  return json(200, std::move(*answer));
}

}  // namespace tandem::admin
